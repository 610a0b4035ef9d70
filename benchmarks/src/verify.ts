import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { verifyArtifact } from './verify-artifact.js';
import { verifyForecast } from './verify-forecast.js';
import { verifyIlp } from './verify-ilp.js';
import { verifyRoofline } from './verify-roofline.js';
import { verifyVllm } from './verify-vllm.js';

/**
 * What can be verified, and where its data lies beside a checkout unless `--dir` says otherwise.
 */
const TARGETS = {
  artifact: { run: verifyArtifact, dir: '../shared/golden/artifact' },
  forecast: { run: verifyForecast, dir: '../shared/golden/forecast' },
  ilp: { run: verifyIlp, dir: '../shared/golden/ilp' },
  roofline: { run: verifyRoofline, dir: '../shared/data/profiles' },
  vllm: { run: verifyVllm, dir: '../shared/data/profiles/measured_vllm' },
} as const;

const USAGE = `usage: npm run verify -- ${Object.keys(TARGETS).join('|')} [--dir DIR]`;

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { dir: { type: 'string' }, help: { type: 'boolean' } } });
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { values, positionals } = readArguments();
if (values.help === true) {
  console.log(USAGE);
  process.exit(0);
}
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
  try {
    failed = !(await target.run(dir)) || failed;
  } catch (error) {
    console.error(`${name}: ${dir} can't be verified: ${(error as Error).message}`);
    failed = true;
  }
}
if (failed) process.exitCode = 1;
