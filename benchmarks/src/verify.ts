import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { verifyArtifact } from './verify-artifact.js';
import { verifyVllm } from './verify-vllm.js';

/** What can be verified, and where its data lies beside a checkout unless `--dir` says otherwise. */
const TARGETS = {
  artifact: { run: verifyArtifact, dir: '../shared/golden/artifact' },
  vllm: { run: verifyVllm, dir: '../shared/data/profiles/measured_vllm' },
} as const;

const USAGE = `usage: npm run verify -- ${Object.keys(TARGETS).join('|')} [--dir DIR]`;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { dir: { type: 'string' } } });
const names = positionals.length === 0 ? Object.keys(TARGETS) : positionals;
for (const name of names) {
  if (!Object.hasOwn(TARGETS, name)) {
    console.error(`unknown verification "${name}"\n${USAGE}`);
    process.exit(2);
  }
}
if (values.dir !== undefined && names.length !== 1) {
  console.error(`--dir goes with one verification\n${USAGE}`);
  process.exit(2);
}
let failed = false;
for (const name of names) {
  const target = TARGETS[name as keyof typeof TARGETS];
  const dir = values.dir ?? target.dir;
  if (!existsSync(dir)) {
    console.error(`${name}: there is no folder ${dir}; name one with --dir`);
    process.exitCode = 1;
    continue;
  }
  failed = !(await target.run(dir)) || failed;
}
if (failed) process.exitCode = 1;
