import { closeSync, constants, createReadStream, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { isatty, ReadStream as TerminalStream } from 'node:tty';
import { shortPause } from './wall-clock.js';

/** How often it is seen whether somebody writes to a named pipe yet. */
const LOOK_MS = 50;
const STANDARD_INPUT = new Set(['/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);
/** Names of what is open already: nothing that comes to its end there is yet to begin. */
const OPEN_ALREADY = /^\/(dev\/fd|proc\/self\/fd)\//;

/**
 * The bytes of a pipe or a device. They are waited for without holding a thread, which a process could not end with. A named pipe to which nobody writes yet is waited for, too.
 * Throws what the system throws, and the signal's reason.
 */
export async function* readPipe(path: string, isPipe: boolean, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
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
  if (STANDARD_INPUT.has(path)) return process.stdin;
  if (!isPipe && !path.startsWith('/dev/tty')) return createReadStream(path);
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return isatty(file) ? new TerminalStream(file) : new Socket({ fd: file, readable: true, writable: false });
  } catch (error) {
    closeSync(file);
    throw error;
  }
}
