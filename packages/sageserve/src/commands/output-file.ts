import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { chmod, open, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { ConfigError } from '@sageserve/core';
import { cantWrite, leadsNowhere, makeBeside, writeTarget } from '@sageserve/trace';
import { notComplete } from '../ending.js';
import { pause } from '../wall-clock.js';

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

/**
 * Writes a file beside its place and moves it there when it is complete, after what `before` does.
 * A failed write leaves the file that was there; a pipe or a device is written to as it is, once
 * somebody reads it. Throws `SageServeError` (ERR_OUTPUT, or ERR_OUTPUT_PATH for a folder and what
 * is read-only).
 */
export async function replaceFile(path: string, text: string, before?: () => Promise<void>): Promise<void> {
  const about = await stat(path).catch(() => undefined);
  try {
    if (about?.isFIFO() === true) {
      await before?.();
      await pour(path, text);
    } else if (about?.isFile() === false && !about.isDirectory()) {
      await before?.();
      await writeFile(path, text);
    } else await replace(path, (partial) => writeFile(partial, text), before);
  } catch (cause) {
    throw cantWrite(path, cause);
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

/**
 * Has a file written beside its place and moves it there when it is complete, after what `before`
 * does. Throws what the system throws, and `SageServeError` (ERR_OUTPUT_PATH) for a folder and what
 * is read-only.
 */
export async function replace(
  path: string,
  write: (partial: string) => Promise<void> | void,
  before?: () => Promise<void>,
): Promise<void> {
  const target = await writeTarget(path);
  const partial = await makeBeside(target.path, 'file');
  const complete = notComplete(partial, path);
  try {
    await write(partial);
    if (target.mode !== undefined) await chmod(partial, target.mode);
    await before?.();
    await rename(partial, target.path);
  } finally {
    await rm(partial, { force: true }).catch(() => undefined);
    complete();
  }
}

/** How often it is seen whether somebody reads a named pipe yet. */
const LOOK_MS = 50;

/**
 * Writes to a named pipe. Waiting for its reader in the system would hold a thread, which the
 * process could not end with.
 */
async function pour(path: string, text: string): Promise<void> {
  let file: number | undefined;
  while (file === undefined) {
    try {
      file = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (cause) {
      if ((cause as { code?: string }).code !== 'ENXIO') throw cause;
      await pause(LOOK_MS);
    }
  }
  const pipe = new Socket({ fd: file, readable: false, writable: true });
  pipe.end(text);
  await finished(pipe, { readable: false });
}

/**
 * Looks whether results may take a place: nothing stands there, or a folder with nothing but
 * results. Returns the place, which of a link is where it leads. Throws `ConfigError`.
 */
export async function placeOf(path: string, isResult: (name: string) => boolean): Promise<string> {
  const hint = 'Name another folder.';
  const about = await stat(path).catch(() => undefined);
  if (about === undefined) {
    if (await leadsNowhere(path)) throw new ConfigError('--out', `${path} is a link to what is not there`, { hint });
    return path;
  }
  if (!about.isDirectory()) throw new ConfigError('--out', `${path} is there, and no folder of results`, { hint });
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!isResult(entry.name))
      throw new ConfigError('--out', `${path} holds files that are not results, such as ${entry.name}`, { hint });
    if (!entry.isFile()) throw new ConfigError('--out', `${join(path, entry.name)} is no plain file`, { hint });
  }
  return realpath(path);
}

/** Throws `ConfigError` where the results of two lead to one folder, as links may. */
export function refuseShared(places: readonly string[], what: string): void {
  const shared = places.find((place, i) => places.indexOf(place) !== i);
  if (shared !== undefined)
    throw new ConfigError('--out', `the results of two ${what} lead to one folder, ${shared}`, {
      hint: 'Take a link away.',
    });
}

/** So often another may put its results there at the same time. */
const MOST_ATTEMPTS = 100;

/**
 * Moves a complete folder to its place. The results of an earlier run there give way to it; what
 * came there meanwhile and is none goes with it. Throws what the system throws.
 */
export async function takePlace(partial: string, path: string, isResult: (name: string) => boolean): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const beside = await makeBeside(path, 'folder');
    const away = join(beside, 'earlier');
    try {
      const about = await stat(path).catch(() => undefined);
      // Where there is none any more another has moved it.
      if (about?.isDirectory() === true) await rename(path, away).catch(() => undefined);
      for (const name of await readdir(away).catch(() => []))
        if (!isResult(name)) await rename(join(away, name), join(partial, name));
      await rename(partial, path);
      return;
    } catch (cause) {
      await rename(away, path).catch(() => undefined);
      const { code } = cause as { code?: string };
      if (attempt === MOST_ATTEMPTS || (code !== 'ENOTEMPTY' && code !== 'EEXIST')) throw cause;
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
  }
}
