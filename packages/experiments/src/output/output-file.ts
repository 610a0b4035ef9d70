import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { cantWrite } from '@sageserve/trace';

/**
 * A file that is written piece by piece, from the event loop of a simulation. Throws
 * `SageServeError` (ERR_OUTPUT).
 */
export class OutputFile {
  readonly #path: string;
  readonly #file: number;
  #size = 0;
  #closed = false;

  /** `a` goes on at the end of what is there, which has `size` bytes. */
  constructor(path: string, flags: 'w' | 'a' = 'w', size = 0) {
    this.#path = path;
    this.#size = size;
    try {
      this.#file = openSync(path, flags);
    } catch (cause) {
      throw cantWrite(path, cause);
    }
  }

  /** Writes all of it, or nothing. */
  write(text: string): void {
    const bytes = Buffer.from(text);
    try {
      // A disk that is nearly full takes a part, and says so the next time.
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
      this.#size += bytes.length;
    } catch (cause) {
      this.#takeBack();
      throw cantWrite(this.#path, cause);
    }
  }

  #takeBack(): void {
    try {
      ftruncateSync(this.#file, this.#size);
    } catch {
      // The disk is gone, and what is on it with it.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }
}

const PIECE_CHARACTERS = 1 << 20;

/**
 * Writes pieces of text to a file, a megabyte at a time, and ends it as a line. Throws what the
 * system throws, and the signal's reason.
 */
export async function writePieces(path: string, pieces: Iterable<string>, signal?: AbortSignal): Promise<void> {
  const file = await open(path, 'w');
  try {
    let text = '';
    for (const piece of pieces) {
      text += piece;
      if (text.length < PIECE_CHARACTERS) continue;
      signal?.throwIfAborted();
      await file.writeFile(text);
      text = '';
    }
    await file.writeFile(`${text}\n`);
  } finally {
    await file.close();
  }
}
