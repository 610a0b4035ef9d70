import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { isatty, ReadStream as TerminalStream } from 'node:tty';
import { isMainThread } from 'node:worker_threads';
import { shortPause } from './wall-clock.js';

/** How often it is seen whether somebody writes to a named pipe yet. */
const LOOK_MS = 50;
const STANDARD_INPUT = new Set(['/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);
/** Names of what is open already: nothing that comes to its end there is yet to begin. */
const OPEN_ALREADY = /^\/(dev\/fd|proc\/self\/fd)\//;

/**
 * The bytes of a pipe or a device. They are waited for without holding a thread, which a process
 * could not end with. A named pipe to which nobody writes yet is waited for, too. Throws what the
 * system throws, and the signal's reason.
 */
export async function* readPipe(
  path: string,
  isPipe: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    let empty = true;
    const stream = open(path, isPipe);
    const stop = (): void => {
      stream.destroy(new Error('aborted'));
    };
    signal?.addEventListener('abort', stop);
    try {
      for await (const chunk of stream) {
        empty = false;
        yield chunk as Uint8Array;
      }
    } catch (cause) {
      signal?.throwIfAborted();
      throw cause;
    } finally {
      signal?.removeEventListener('abort', stop);
      stream.destroy();
    }
    if (!empty || !isPipe || STANDARD_INPUT.has(path) || OPEN_ALREADY.test(path)) return;
    await shortPause(LOOK_MS, signal);
  }
}

function open(path: string, isPipe: boolean): Readable {
  if (STANDARD_INPUT.has(path)) return standardInput();
  if (!isPipe && !path.startsWith('/dev/tty')) return createReadStream(path);
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return ofDescriptor(file);
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function ofDescriptor(file: number): Readable {
  return isatty(file) ? new TerminalStream(file) : new Socket({ fd: file, readable: true, writable: false });
}

/** What has been read of it is gone. */
let standardInputTaken = false;

/** The runtime gives a thread none of its own. */
function standardInput(): Readable {
  if (standardInputTaken) throw new Error('it has been read already');
  standardInputTaken = true;
  if (isMainThread) return process.stdin;
  return fstatSync(0).isFile() ? createReadStream('', { fd: 0, autoClose: false }) : ofDescriptor(0);
}
