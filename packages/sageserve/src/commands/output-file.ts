import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { chmod, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { cantWrite, writeTarget } from '@sageserve/trace';
import { notComplete } from '../ending.js';

/** A file that is written piece by piece, from the event loop of a simulation. Throws `SageServeError` (ERR_OUTPUT). */
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

/** Makes a folder for results beside their place, of a name of its own: two runs may write to one place at once. It may be read by whoever may read others here. */
export async function makeBeside(path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const partial = join(dirname(path), `.${basename(path)}-${process.pid}-${n}`);
    try {
      await mkdir(partial);
      return partial;
    } catch (cause) {
      if ((cause as { code?: string }).code !== 'EEXIST') throw cause;
    }
  }
}

/**
 * Writes a file beside its place and moves it there when it is complete, after what `before` does. A failed write leaves the file that was there; a pipe or a device is written to as it is. Throws `SageServeError` (ERR_OUTPUT,
 * or ERR_OUTPUT_PATH for a folder and what is read-only).
 */
export async function replaceFile(path: string, text: string, before?: () => Promise<void>): Promise<void> {
  const about = await stat(path).catch(() => undefined);
  if (about?.isFile() === false && !about.isDirectory()) {
    await before?.();
    await writeFile(path, text).catch((cause: unknown) => {
      throw cantWrite(path, cause);
    });
    return;
  }
  const target = await writeTarget(path);
  const partial = `${target.path}.partial`;
  const complete = notComplete(partial);
  try {
    await writeFile(partial, text);
    if (target.mode !== undefined) await chmod(partial, target.mode);
    await before?.();
    await rename(partial, target.path);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw cantWrite(path, cause);
  } finally {
    complete();
  }
}
