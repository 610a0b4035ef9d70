import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// What a user runs is the built command: `npm test` builds it first.
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end, standard output and error in pipes. */
export function runCommand(
  args: readonly string[],
  during?: (child: ReturnType<typeof spawn>) => void,
): Promise<CommandRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args]);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    // What ended it by force is told with what it said.
    child.on('close', (code, signal) =>
      resolve({ code, stdout, stderr: signal === null ? stderr : `${stderr}\n${signal}` }),
    );
    during?.(child);
  });
}

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** A real browser, where this machine has one. */
export const browserPath = BROWSERS.find((path) => existsSync(path));
/** How it is started without a screen and a network. */
export const BROWSER_ARGS = [
  '--no-sandbox',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];
