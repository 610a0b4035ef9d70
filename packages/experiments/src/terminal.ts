import { fstatSync, writeSync } from 'node:fs';
import { format } from 'node:util';
import { cantWrite } from '@sageserve/trace';
import { guardErrors, visible } from './console.js';

const PIECE_CHARACTERS = 1 << 20;

/**
 * Writes all of a text to standard output. A file takes what fits, and only then says that nothing
 * more does: the runtime would not ask again.
 */
export function writeOut(text: string): void {
  if (!fstatSync(1).isFile()) {
    process.stdout.write(text);
    return;
  }
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
  } catch (cause) {
    throw cantWrite('to standard output', cause);
  }
}

/**
 * Prints pieces of text as they can be taken, as {@link guardConsole} makes the console show them.
 * Throws the signal's reason.
 */
export async function printPieces(pieces: Iterable<string>, signal?: AbortSignal): Promise<void> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE_CHARACTERS) continue;
    writeOut(visible(text));
    text = '';
    await outTaken(signal);
  }
  writeOut(visible(`${text}\n`));
}

/**
 * Waits until what was printed has been taken: a reader may be slow. Throws the signal's reason.
 */
export async function outTaken(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => process.stdout.write('', resolve));
  signal?.throwIfAborted();
}

/**
 * Lets the console of this process show text as {@link visible} makes it; see {@link guardErrors}.
 */
export function guardConsole(secrets: readonly string[] = []): void {
  console.log = (...parts: readonly unknown[]) => {
    writeOut(`${visible(format(...parts))}\n`);
  };
  guardErrors(secrets);
}
