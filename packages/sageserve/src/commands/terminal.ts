import { format } from 'node:util';

/** Control characters but for line breaks and tabs, and those that turn the direction of text: names in files may hold anything, and a terminal does what they say. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text as it may be shown: what would steer a terminal stands there as its number, in a form that JSON reads too. */
export function visible(text: string): string {
  return text.replaceAll(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Lets the console of this process show text as {@link visible} makes it. */
export function guardConsole(): void {
  console.log = (...parts: readonly unknown[]) => void process.stdout.write(`${visible(format(...parts))}\n`);
  console.error = (...parts: readonly unknown[]) => void process.stderr.write(`${visible(format(...parts))}\n`);
}
