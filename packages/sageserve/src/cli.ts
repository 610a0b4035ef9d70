import { finished } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import { messageOf } from '@sageserve/core';
import { cantWrite } from '@sageserve/trace';
import { guardConsole, terminals } from './commands/terminal.js';
import { type EndingMessage, FAILED, GRACE_MS, heed, INTERRUPTED, NOTHING_LEFT, putAwayMs, removeUnfinished, WRONG_USE } from './ending.js';
import { secretArguments } from './queue/shown-url.js';
import { later, repeatedly } from './wall-clock.js';

// The command itself runs in a thread. This one does no work, so that it hears signals whatever that is at, and outlives a thread that has no memory left.

/** What Node ends with where a module waits for what never comes. */
const UNSETTLED = 13;
const PUT_AWAY_LOOK_MS = 100;
/** What can't be ended within this is in a call of the system that nobody can interrupt. */
const END_MS = 500;
const argv = process.argv.slice(2);
const secrets = secretArguments(argv);
guardConsole(secrets);
// An address with a password is hidden from whoever lists the processes of the machine.
if (secrets.length > 0) process.title = 'sageserve';

const thread = new Worker(new URL('command-line.js', import.meta.url), { argv, workerData: terminals() });
/** What the process ends with, where that is not for the thread to say. */
let ended: number | undefined;
let forced = false;
let threadIsGone = false;
thread.on('message', (message: EndingMessage) => {
  heed(message);
});
thread.on('error', (error: Error & { code?: string }) => {
  ended ??= FAILED;
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    console.error('error: there is not enough memory for this');
    console.error('hint: Give it less at once, or more memory: NODE_OPTIONS=--max-old-space-size=8192 allows it 8 GB.');
  } else console.error(`error: ${messageOf(error)}`);
});
const told = Promise.all([finished(thread.stdout), finished(thread.stderr)]).catch(() => undefined);
thread.on('exit', (code) => {
  threadIsGone = true;
  removeUnfinished();
  // A reader who is slow is waited for, but not by force.
  if (forced) process.exit(ended);
  void told.then(() => exit(code));
});

function exit(code: number): never {
  if (ended !== undefined || code !== UNSETTLED) process.exit(ended ?? code);
  console.error('error: nothing goes on: what is waited for never comes');
  console.error('hint: A promise that a plug-in never settles does this: one that it awaits while it is loaded, or that it answers with.');
  process.exit(WRONG_USE);
}

let interrupted = false;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    // A second one ends at once.
    if (interrupted) {
      endByForce();
      return;
    }
    interrupted = true;
    thread.postMessage(name);
    // What waits for a pipe, a lock or a network hears nothing; what is held for others is put away.
    later(GRACE_MS, () => {
      if (putAwayMs() === 0) endByForce();
      else {
        repeatedly(PUT_AWAY_LOOK_MS, () => {
          if (putAwayMs() === 0) later(GRACE_MS, endByForce);
        });
        later(putAwayMs(), endByForce);
      }
    });
  });

function endByForce(): void {
  if (forced) return;
  console.error(
    putAwayMs() === 0
      ? NOTHING_LEFT
      : 'interrupted: what was held for others could not be given back, and is taken by them when it is seen that this process is gone',
  );
  end(INTERRUPTED);
}

/** Ends the thread whatever it is at, and with it the process. */
function end(code: number): void {
  if (forced) return;
  forced = true;
  ended = code;
  if (threadIsGone) process.exit(code);
  later(END_MS, () => {
    removeUnfinished();
    process.kill(process.pid, 'SIGKILL');
  });
  void thread.terminate();
}

// Nobody has to hear of progress: what is written elsewhere is no worse for that.
process.stderr.on('error', () => undefined);
// A closed pipe (`… | head`) is the reader's choice, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') console.error(`error: ${cantWrite('to standard output', error).message}`);
  end(error.code === 'EPIPE' ? 0 : FAILED);
});
