import { constants, openSync } from 'node:fs';
import { chmod, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { shortPause } from '../wall-clock.js';
import { makeBeside } from './beside.js';
import { cantWrite, writeTarget } from './write-failure.js';

export interface ReplaceOptions {
  /** Done when all is written, before the file takes its place. */
  readonly before?: (() => Promise<void>) | undefined;
  /**
   * Told where the file stands until it is complete, for whoever ends the process before that; what
   * it returns is called when it is complete, or gone.
   */
  readonly onPartial?: ((partial: string) => (() => void) | undefined) | undefined;
}

/**
 * Has a file written beside its place and moves it there when it is complete: a failed write leaves
 * the file that was there and nothing else. Of a link the file is replaced that it leads to; who
 * may do what with a file stays. Throws what the system and `write` throw, and `SageServeError`
 * (ERR_OUTPUT_PATH) for a folder, what is read-only, and a link to what is not there.
 */
export async function replaceWith<T>(
  path: string,
  write: (partial: string) => Promise<T> | T,
  { before, onPartial }: ReplaceOptions = {},
): Promise<T> {
  const target = await writeTarget(path);
  const partial = await makeBeside(target.path, 'file');
  const complete = onPartial?.(partial);
  try {
    const written = await write(partial);
    if (target.mode !== undefined) await chmod(partial, target.mode);
    await before?.();
    await rename(partial, target.path);
    return written;
  } finally {
    await rm(partial, { force: true }).catch(() => undefined);
    complete?.();
  }
}

/**
 * The same for a text; a pipe or a device is written to as it is, once somebody reads it. Throws
 * `SageServeError` (ERR_OUTPUT, or ERR_OUTPUT_PATH where the place is wrong).
 */
export async function replaceFile(path: string, text: string, options: ReplaceOptions = {}): Promise<void> {
  const about = await stat(path).catch(() => undefined);
  try {
    if (about?.isFIFO() === true) {
      await options.before?.();
      await pour(path, text);
    } else if (about?.isFile() === false && !about.isDirectory()) {
      await options.before?.();
      await writeFile(path, text);
    } else await replaceWith(path, (partial) => writeFile(partial, text), options);
  } catch (cause) {
    throw cantWrite(path, cause);
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
      await shortPause(LOOK_MS, undefined);
    }
  }
  const pipe = new Socket({ fd: file, readable: false, writable: true });
  pipe.end(text);
  await finished(pipe, { readable: false });
}
