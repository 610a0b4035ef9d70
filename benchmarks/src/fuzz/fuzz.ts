import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { clockSeconds, repeatedly } from '../wall-clock.js';
import type { FuzzJob, FuzzMessage } from './fuzz-worker.js';
import { TARGETS } from './targets.js';

const USAGE =
  `usage: npm run fuzz -- ${Object.keys(TARGETS).join('|')} [--minutes N | --count N] [--seed S] [--only INDEX] ` +
  '[--keep DIR]';
/** An input takes milliseconds: one that takes so long does not end. */
const HANGS_AFTER_MS = 10_000;
const SHOWN = 20;

function fail(message: string): never {
  console.error(`${message}\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        minutes: { type: 'string' },
        count: { type: 'string' },
        seed: { type: 'string', default: '1' },
        only: { type: 'string' },
        keep: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

const { values, positionals } = readArguments();
if (values.help === true) {
  console.log(USAGE);
  process.exit(0);
}
const [target] = positionals;
if (target === undefined || positionals.length > 1 || !Object.hasOwn(TARGETS, target))
  fail(target === undefined ? 'what is to be fuzzed?' : `"${positionals.join(' ')}" can't be fuzzed`);
const positive = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  return Number(text) > 0 ? Number(text) : fail(`--${name} must be a number above 0, not "${text}"`);
};
const minutes = positive('minutes', values.minutes) ?? (values.count === undefined ? 1 : Infinity);
const until = positive('count', values.count) ?? Infinity;

const startedAt = clockSeconds();
const elapsedMs = (): number => 1_000 * (clockSeconds() - startedAt);
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

const lanes = values.only === undefined ? availableParallelism() : 1;
const root = await mkdtemp(join(tmpdir(), 'sageserve-fuzz-'));
const counts = new Map<string, number>();
const faults: { readonly index: number; readonly what: string }[] = [];
let done = 0;

/** One lane of inputs, begun anew after one that does not end. */
async function lane(first: number, stride: number): Promise<void> {
  const folder = join(root, String(first));
  await mkdir(folder);
  const at = new Float64Array(new SharedArrayBuffer(16));
  let from = first;
  while (from < until && elapsedMs() < minutes * 60_000) {
    const job: FuzzJob = { target: target!, seed: values.seed, from, stride, until, folder, at };
    const next = await watch(
      new Worker(new URL('./fuzz-worker.js', import.meta.url), {
        workerData: job,
        resourceLimits: { maxOldGenerationSizeMb: 1_500 },
      }),
      at,
      folder,
    );
    if (next === undefined) return;
    from = next + stride;
  }
}

/** Listens to a thread until it ends; the input at which it had to be ended by force, or died. */
function watch(worker: Worker, at: Float64Array, folder: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    let beat = -1;
    let sinceMs = elapsedMs();
    let computedMs = cpuMs();
    const end = (index: number | undefined, what?: string): void => {
      stop();
      if (what !== undefined) {
        faults.push({ index: index!, what });
        counts.set(what.split(':')[0]!, (counts.get(what.split(':')[0]!) ?? 0) + 1);
      }
      void keep(index, folder)
        .then(() => worker.terminate())
        .then(() => resolve(index));
    };
    const stop = repeatedly(200, () => {
      const waitedMs = elapsedMs() - sinceMs;
      if (at[1] !== beat) [beat, sinceMs, computedMs] = [at[1]!, elapsedMs(), cpuMs()];
      // On a machine that is busy with other things a thread waits, too; and the time is that of
      // all threads.
      else if (
        waitedMs > HANGS_AFTER_MS &&
        (cpuMs() - computedMs > lanes * HANGS_AFTER_MS || waitedMs > 20 * HANGS_AFTER_MS)
      )
        end(at[0], 'hang');
      if (elapsedMs() >= minutes * 60_000) end(undefined);
    });
    worker.on('message', (message: FuzzMessage) => {
      if ('counts' in message)
        for (const [name, n] of Object.entries(message.counts)) {
          counts.set(name, (counts.get(name) ?? 0) + n);
          done += n;
        }
      else if ('fault' in message)
        faults.push({ index: message.index, what: `${message.fault.kind}: ${message.fault.detail}` });
      else end(undefined);
    });
    worker.on('error', (error) => end(at[0], `thread died: ${error.message}`));
  });
}

async function keep(index: number | undefined, folder: string): Promise<void> {
  if (index === undefined || values.keep === undefined) return;
  await cp(folder, join(values.keep, `${target}-${values.seed}-${index}`), { recursive: true });
}

const stopTelling = process.stderr.isTTY
  ? repeatedly(1_000, () => process.stderr.write(`\r${done.toLocaleString('en-US')} inputs, ${faults.length} faults `))
  : () => undefined;
if (values.only !== undefined) {
  const { fuzzOne } = await import('./targets.js');
  console.log(await fuzzOne(target, values.seed, Number(values.only), values.keep ?? root));
} else await Promise.all(Array.from({ length: lanes }, (_, i) => lane(i, lanes)));
stopTelling();
await rm(root, { recursive: true, force: true });
if (values.only === undefined) {
  const seconds = elapsedMs() / 1_000;
  console.log(
    `${target}: ${done.toLocaleString('en-US')} inputs of seed ${values.seed} in ${seconds.toFixed(0)} s on ` +
      `${lanes} threads`,
  );
  for (const [name, n] of [...counts].sort((a, b) => b[1] - a[1]))
    console.log(`  ${n.toLocaleString('en-US').padStart(12)}  ${name}`);
  const kinds = new Map<string, number[]>();
  for (const { what, index } of faults) kinds.set(what, [...(kinds.get(what) ?? []), index]);
  console.log(
    faults.length === 0
      ? '  no hang, no raw error, no number that is none'
      : `  ${faults.length} FAULTS of ${kinds.size} kinds, each with inputs for --only:`,
  );
  for (const [what, indices] of [...kinds].slice(0, SHOWN))
    console.log(
      `    ${what}  (${indices.slice(0, 3).join(', ')}${indices.length > 3 ? `, and ${indices.length - 3} more` : ''})`,
    );
  process.exitCode = faults.length === 0 ? 0 : 1;
}
