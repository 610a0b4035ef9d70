import { fstatSync, writeSync } from 'node:fs';
import { format } from 'node:util';
import { cantWrite } from '@sageserve/trace';
import { withoutGiven } from '../queue/shown-url.js';

/** Control characters but for line breaks and tabs, and those that turn the direction of text: names in files may hold anything, and a terminal does what they say. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

const PIECE_CHARACTERS = 1 << 20;

/** Text as it may be shown: what would steer a terminal stands there as its number, in a form that JSON reads too. */
export function visible(text: string): string {
  return text.replaceAll(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Writes all of a text to standard output. A file takes what fits, and only then says that nothing more does: the runtime would not ask again. */
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

/** Prints pieces of text as they can be taken, as {@link guardConsole} makes the console show them. Throws the signal's reason. */
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

/** Waits until what was printed has been taken: a reader may be slow. Throws the signal's reason. */
export async function outTaken(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => process.stdout.write('', resolve));
  signal?.throwIfAborted();
}

/** Lets the console of this process show text as {@link visible} makes it, and messages without what arguments say that bring a secret. */
export function guardConsole(secrets: readonly string[] = []): void {
  console.log = (...parts: readonly unknown[]) => {
    writeOut(`${visible(format(...parts))}\n`);
  };
  console.error = (...parts: readonly unknown[]) => void process.stderr.write(`${visible(withoutGiven(format(...parts), secrets))}\n`);
}

/** What the terminal is, of each stream; threads can't see it. */
export interface Terminals {
  readonly columns: number | undefined;
  readonly stderrIsTty: boolean;
}

export function terminals(): Terminals {
  return { columns: process.stderr.columns, stderrIsTty: process.stderr.isTTY };
}

/** Lets this thread's standard error pass for the terminal that the process has. */
export function wearTerminal({ columns, stderrIsTty }: Terminals): void {
  Object.assign(process.stderr, { isTTY: stderrIsTty, columns });
}
