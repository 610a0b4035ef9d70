import { finished } from 'node:stream/promises';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { messageOf } from '@sageserve/core';
import { guardErrors, later, repeatedly, secretArguments, terminals } from '@sageserve/experiments/console';
import {
  type EndingMessage,
  FAILED,
  GRACE_MS,
  heed,
  INTERRUPTED,
  NOTHING_LEFT,
  putAwayMs,
  removeUnfinished,
  WRONG_USE,
} from './ending.js';

// The command itself runs in a thread. This one does no work, so that it hears signals whatever
// that is at, and outlives a thread that has no memory left.

/** What Node ends with where a module waits for what never comes. */
const UNSETTLED = 13;
const PUT_AWAY_LOOK_MS = 100;
/** What can't be ended within this is in a call of the system that nobody can interrupt. */
const END_MS = 500;
const argv = process.argv.slice(2);
const secrets = secretArguments(argv);
guardErrors(secrets);
// An address with a password is hidden from whoever lists the processes of the machine.
if (secrets.length > 0) process.title = 'sageserve';

try {
  process.cwd();
} catch {
  console.error('error: the working directory is not there any more');
  console.error('hint: Change to another.');
  process.exit(WRONG_USE);
}

// A line of its own: what a plug-in says to the thread's parent is not for this one.
const { port1: line, port2: threadsEnd } = new MessageChannel();
const terminal = terminals();
const thread = new Worker(new URL('command-line.js', import.meta.url), {
  argv,
  workerData: { line: threadsEnd, terminal },
  transferList: [threadsEnd],
});
/** What the process ends with, where that is not for the thread to say. */
let ended: number | undefined;
/** What the thread says that it ends with. */
let told: number | undefined;
let forced = false;
let threadIsGone = false;
line.on('message', (message: EndingMessage) => {
  told = heed(message) ?? told;
});
line.unref();
thread.on('error', (error: Error & { code?: string }) => {
  ended ??= FAILED;
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    console.error('error: there is not enough memory for this');
    console.error('hint: Give it less at once, or more memory: NODE_OPTIONS=--max-old-space-size=8192 allows it 8 GB.');
  } else console.error(`error: ${messageOf(error)}`);
});
const printed = Promise.all([finished(thread.stdout), finished(thread.stderr)]).catch(() => undefined);
thread.on('exit', (code) => {
  threadIsGone = true;
  for (let last = receiveMessageOnPort(line); last !== undefined; last = receiveMessageOnPort(line))
    told = heed(last.message as EndingMessage) ?? told;
  removeUnfinished();
  process.exitCode = ended ?? told ?? FAILED;
  // A reader who is slow is waited for, but not by force.
  if (forced) process.exit();
  void printed.then(() => exit(code));
});

function exit(code: number): never {
  if (ended !== undefined || told !== undefined) process.exit();
  if (code === UNSETTLED) {
    console.error('error: nothing goes on: what is waited for never comes');
    console.error(
      'hint: A promise that a plug-in never settles does this: one that it awaits while it is loaded, or that it ' +
        'answers with.',
    );
  } else {
    console.error(`error: something ended the command with process.exit(${code}) before it was done`);
    console.error('hint: A plug-in does not end the process: it throws an error.');
  }
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
    line.postMessage(name);
    // What waits for a pipe, a lock or a network hears nothing; what is held for others is put
    // away.
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
      : 'interrupted: what was held for others could not be given back, and is taken by them when it is seen that ' +
          'this process is gone',
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
process.stderr.on('error', () => {
  thread.stderr.resume();
});
// A closed pipe (`… | head`) is the reader's choice, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  thread.stdout.resume();
  // In few words: the thread that starts the work loads little.
  if (error.code !== 'EPIPE')
    console.error(
      `error: can't write to standard output: ` +
        (error.code === 'ENOSPC' ? 'there is no space left on the disk' : error.message),
    );
  end(error.code === 'EPIPE' ? 0 : FAILED);
});
