// How many small changes of meaning the unit tests of controller, scaling, routing, fleet and
// planning notice: `npm run mutants`. Arguments are handed to Stryker; a second run makes only what
// has changed. Survivors are listed with the reason why they may survive, from
// `.config/mutants.json`; those without one come last.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './steps.mjs';

const LEAST_PERCENT = 85;
const REPORT = join(root, 'node_modules', '.cache', 'mutants.json');

run('stryker', ['run', '.config/stryker.json', ...process.argv.slice(2)]);
const { files } = JSON.parse(readFileSync(REPORT, 'utf8'));
const reasons = JSON.parse(readFileSync(join(root, '.config', 'mutants.json'), 'utf8'));
const used = new Set();

/** The reason given for a mutant: by file, and by a part of the line that it changes. */
function reasonOf(file, line) {
  const at = reasons.findIndex((one) => file.includes(one.file) && (one.line === undefined || line.includes(one.line)));
  if (at !== -1) used.add(at);
  return reasons[at]?.reason;
}

const rooms = new Map();
const survivors = [];
for (const [file, { mutants, source }] of Object.entries(files)) {
  const lines = source.split('\n');
  const room = /planning|fleet-problem|mean-mix/.test(file)
    ? 'planning'
    : /fleet|spot-pool/.test(file)
      ? 'sim: fleet'
      : file.split('/')[1];
  const counts = rooms.get(room) ?? { killed: 0, survived: 0 };
  rooms.set(room, counts);
  for (const { status, location, replacement, mutatorName } of mutants) {
    // A loop that never ends is noticed; what does not compile or load is no mutant.
    if (['Killed', 'Timeout'].includes(status)) counts.killed++;
    else if (['Survived', 'NoCoverage'].includes(status)) {
      counts.survived++;
      const line = lines[location.start.line - 1];
      survivors.push({
        place: `${file}:${location.start.line}:${location.start.column}`,
        mutatorName,
        line: line.trim(),
        replacement,
        reason: reasonOf(file, line),
      });
    }
  }
}
const row = (name, { killed, survived }) =>
  `${name.padEnd(12)} ${String(killed + survived).padStart(8)} ${String(killed).padStart(8)} ` +
  `${String(survived).padStart(9)} ${((100 * killed) / (killed + survived)).toFixed(1).padStart(7)} %`;
const all = [...rooms.values()].reduce(
  (sum, one) => ({ killed: sum.killed + one.killed, survived: sum.survived + one.survived }),
  { killed: 0, survived: 0 },
);

const short = (text) => (text.length > 110 ? `${text.slice(0, 107)}...` : text);
for (const reason of [...new Set(survivors.map((one) => one.reason))].sort(
  (a, b) => (a === undefined) - (b === undefined),
)) {
  const group = survivors.filter((one) => one.reason === reason);
  console.log(
    `\n${group.length} survive${group.length === 1 ? 's' : ''}: ${reason ?? 'no reason is known, a test is missing'}`,
  );
  for (const { place, line, replacement, mutatorName } of group)
    console.log(
      `  ${place} ${mutatorName}\n      ${short(line)}\n    → ${short((replacement ?? '').replaceAll(/\s+/g, ' '))}`,
    );
}
console.log(`\n${'package'.padEnd(12)}  mutants   killed  survived`);
for (const [name, counts] of [...rooms].sort()) console.log(row(name, counts));
console.log(row('all', all));
for (const [at, one] of reasons.entries())
  if (!used.has(at)) console.log(`a reason of .config/mutants.json is for nothing any more: ${JSON.stringify(one)}`);
const percent = (100 * all.killed) / (all.killed + all.survived);
if (percent < LEAST_PERCENT) {
  console.error(`${percent.toFixed(1)} % of the mutants are killed, fewer than ${LEAST_PERCENT} %`);
  process.exitCode = 1;
}
