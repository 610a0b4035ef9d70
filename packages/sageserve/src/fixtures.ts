import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { later, repeatedly } from '@sageserve/experiments/console';
import { preset, type Scenario } from '@sageserve/scenario';

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

/**
 * The first preset, but that the capacity of instances need not be measured first: that takes
 * longer than most of a test's runs.
 */
export function smallUnmeasured(): Scenario {
  return { ...preset('small'), regionRouter: { name: 'utilization' }, release: { name: 'utilization' } };
}

/**
 * Sends Ctrl-C to a command that has worked for so long. Where Linux tells it, by its own time: a
 * busy machine may not even have started it by the wall clock's.
 */
export function interruptAfter(workMs: number, child: ChildProcess): void {
  if (process.platform !== 'linux') {
    later(workMs, () => child.kill('SIGINT'));
    return;
  }
  const end = repeatedly(20, () => {
    if (workedMs(child.pid!) < workMs) return;
    end();
    child.kill('SIGINT');
  });
  child.on('exit', end);
}

const MS_PER_TICK = 10;

function workedMs(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).map(Number);
  return (user! + system!) * MS_PER_TICK;
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
