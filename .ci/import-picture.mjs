// Draws who may import whom into CONTRIBUTING.md, from the rules that are enforced. `node
// .ci/import-picture.mjs [--check]`
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './steps.mjs';

const WIDTH = 116;
const file = join(root, 'CONTRIBUTING.md');
const rules = createRequire(import.meta.url)('../.config/dependency-cruiser.cjs').forbidden;
const imports = new Map(
  rules
    .filter(({ name }) => name.endsWith('-imports'))
    .map(({ name, to }) => {
      const self = name.replace(/-imports$/, '');
      const allowed = [...to.pathNot.matchAll(/\^packages\/([^/]+)\//g)].map(([, other]) => other);
      return [self, allowed.filter((other) => other !== self)];
    }),
);
const floor = (name) => Math.max(-1, ...imports.get(name).map(floor)) + 1;
const names = [...imports.keys()].sort((a, b) => floor(b) - floor(a));
const indent = Math.max(...names.map((name) => name.length)) + 3;

const lines = names.flatMap((name, i) => {
  const rows = [];
  for (const word of imports.get(name)) {
    const last = rows.at(-1);
    if (last !== undefined && indent + last.length + word.length < WIDTH) rows[rows.length - 1] = `${last} ${word}`;
    else rows.push(word);
  }
  const [first = '', ...rest] = rows;
  const gap = i > 0 && floor(names[i - 1]) !== floor(name) ? [''] : [];
  return [
    ...gap,
    `${name.padEnd(indent - 3)} → ${first}`.replace(/ → $/, '').trimEnd(),
    ...rest.map((row) => ' '.repeat(indent) + row),
  ];
});

const [begin, end] = ['<!-- drawn by .ci/import-picture.mjs -->', '<!-- end -->'];
const text = readFileSync(file, 'utf8');
const from = text.indexOf(begin);
const to = text.indexOf(end, from);
if (from === -1 || to === -1) throw new Error(`CONTRIBUTING.md has no room between ${begin} and ${end}`);
const drawn = `${text.slice(0, from)}${begin}\n\`\`\`text\n${lines.join('\n')}\n\`\`\`\n${text.slice(to)}`;
if (process.argv[2] !== '--check') writeFileSync(file, drawn);
else if (drawn !== text) {
  console.error('CONTRIBUTING.md shows other imports than .config/dependency-cruiser.cjs allows');
  console.error('run: node .ci/import-picture.mjs');
  process.exit(1);
}
