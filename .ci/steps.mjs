// Shared by the scripts of this folder: running commands, and saying which one failed.
import { spawn, spawnSync } from 'node:child_process';
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

/**
 * Runs a command while others run too. Says how long it took when it has ended, after what it said:
 * that comes as it comes where it is `shown`, and otherwise where it fails. Returns whether it
 * succeeded.
 */
export async function beside(name, command, args, { shown = false } = {}) {
  const start = Date.now();
  const child = spawn(command, args, {
    cwd: root,
    env,
    stdio: shown ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  const failed = await new Promise((resolve) => {
    child.on('error', ({ message }) => resolve(message));
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? code}`));
  });
  if (failed !== undefined) process.stderr.write(said);
  console.log(`── ${name}: ${((Date.now() - start) / 1_000).toFixed(1)} s${failed === undefined ? '' : `, ${failed}`}`);
  return failed === undefined;
}

/** Folders of the packages, from the root. */
export function packageFolders() {
  return readdirSync(join(root, 'packages')).map((name) => `packages/${name}`);
}
