import { closeSync, openSync, writeSync } from 'node:fs';
import { type JournalEntry, journalLine } from '@sageserve/controller';

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

/** A journal as JSON Lines, written through a small buffer. */
export class JournalFile {
  readonly #file: number;
  #buffer: string;
  #closed = false;

  constructor(path: string, head: JournalHead) {
    this.#file = openSync(path, 'w');
    this.#buffer = `${JSON.stringify(head)}\n`;
  }

  write(entry: JournalEntry): void {
    this.#buffer += `${journalLine(entry)}\n`;
    if (this.#buffer.length >= FLUSH_CHARACTERS) this.#flush();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#buffer);
    this.#buffer = '';
  }
}
