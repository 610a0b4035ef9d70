import { type JournalEntry, journalLine } from '@sageserve/controller';
import { OutputFile } from './output-file.js';

const FLUSH_CHARACTERS = 1 << 16;

/** The first line of a journal: what run it is of. */
export interface JournalHead {
  readonly kind: 'run';
  readonly scenario: string;
  readonly strategy: string;
  readonly seed: number | string;
  /** Milliseconds since 1970 at time 0 of the entries, where that is known. */
  readonly startEpochMs: number | undefined;
}

/**
 * A journal as JSON Lines, written through a small buffer. Its head is asked for with the first
 * entry: a trace knows its date when it has been opened.
 */
export class JournalFile {
  readonly #file: OutputFile;
  readonly #head: () => JournalHead;
  #buffer = '';
  #begun = false;
  #closed = false;

  constructor(path: string, head: () => JournalHead) {
    this.#file = new OutputFile(path);
    this.#head = head;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#buffer += `${JSON.stringify(this.#head())}\n`;
  }

  write(entry: JournalEntry): void {
    this.#begin();
    this.#buffer += `${journalLine(entry)}\n`;
    if (this.#buffer.length >= FLUSH_CHARACTERS) this.#flush();
  }

  /** Writes what is left. */
  finish(): void {
    if (this.#closed) return;
    this.#begin();
    this.#flush();
    this.close();
  }

  /** Lets go of an unfinished file; nothing after {@link finish}. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  #flush(): void {
    this.#file.write(this.#buffer);
    this.#buffer = '';
  }
}
