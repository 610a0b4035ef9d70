// Installs what the lock file says where that has not been done, and builds where something
// changed. `node .ci/setup.mjs [build]`
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './steps.mjs';

const installed = join(root, 'node_modules', '.package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) {
  console.error('installing dependencies');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true });
}
if (process.argv[2] === 'build') run('turbo', ['run', 'build', '--output-logs=errors-only'], { quiet: true });
