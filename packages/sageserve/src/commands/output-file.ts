import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@sageserve/core';
import { makeBeside, replaceFile as replaceWatched } from '@sageserve/trace';
import { notComplete } from '../ending.js';

/**
 * Writes a file beside its place and moves it there when it is complete, after what `before` does.
 * Whoever ends the process before that takes what is written with it. Throws `SageServeError`
 * (ERR_OUTPUT, or ERR_OUTPUT_PATH for a folder and what is read-only).
 */
export function replaceFile(path: string, text: string, before?: () => Promise<void>): Promise<void> {
  return replaceWatched(path, text, { before, onPartial: (partial) => notComplete(partial, path) });
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
