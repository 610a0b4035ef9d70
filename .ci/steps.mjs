// Shared by the scripts of this folder: running commands, and saying which one failed.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

// Nothing here is to be reported to anybody.
const env = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`,
};

/**
 * Runs a command; shows its output as it comes, or only where it fails. Returns its output. Ends
 * the process where it fails.
 */
export function run(command, args, { cwd = root, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: quiet ? 'pipe' : 'inherit',
    maxBuffer: 1 << 28,
    shell: process.platform === 'win32',
  });
  if (result.error !== undefined || result.status !== 0) {
    if (quiet) process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    console.error(
      `failed: ${command} ${args.join(' ')}${result.error === undefined ? '' : ` (${result.error.message})`}`,
    );
    process.exit(result.status || 1);
  }
  return result.stdout ?? '';
}

/** Runs `work` under a headline, with the seconds it took. */
export function step(name, work) {
  const start = Date.now();
  console.log(`\n── ${name}`);
  const result = work();
  console.log(`   ${name}: ${((Date.now() - start) / 1_000).toFixed(1)} s`);
  return result;
}

/** Folders of the packages, from the root. */
export function packageFolders() {
  return readdirSync(join(root, 'packages')).map((name) => `packages/${name}`);
}
