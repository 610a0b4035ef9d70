import { format } from 'node:util';
import { withoutGiven } from './queue/shown-url.js';

export { secretArguments } from './queue/shown-url.js';
export { later, pause, repeatedly, wallClockMs, yieldToEventLoop } from './wall-clock.js';

/**
 * Control characters but for line breaks and tabs, and those that turn the direction of text: names
 * in files may hold anything, and a terminal does what they say.
 */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text as it may be shown: what would steer a terminal stands there as its number, in a form that
 * JSON reads too.
 */
export function visible(text: string): string {
  return text.replaceAll(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Lets the console of this process show messages as {@link visible} makes them, and without what
 * arguments say that bring a secret.
 */
export function guardErrors(secrets: readonly string[]): void {
  console.error = (...parts: readonly unknown[]) =>
    void process.stderr.write(`${visible(withoutGiven(format(...parts), secrets))}\n`);
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
