import { mkdir, readdir, realpath, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '@sageserve/core';
import { leadsNowhere } from '@sageserve/trace';

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

/**
 * Makes a folder and those above it, one by one. Returns how to take back what was made, as far as
 * it is still empty. `onMade` is told of each. Throws `ConfigError`.
 */
export async function makeFolder(
  path: string,
  onMade: (folder: string) => void = () => undefined,
): Promise<() => Promise<void>> {
  if (path.trim() === '') throw new ConfigError('--out', 'needs the name of a folder');
  const made: string[] = [];
  const make = async (folder: string): Promise<void> => {
    try {
      await mkdir(folder);
      made.push(folder);
      onMade(folder);
    } catch (cause) {
      const code = (cause as { code?: string }).code;
      if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
      // Recursive mkdir can loop for ever below special folders: each step is tried once.
      if (code !== 'ENOENT' || dirname(folder) === folder) throw cause;
      await make(dirname(folder));
      await mkdir(folder);
      made.push(folder);
      onMade(folder);
    }
  };
  try {
    await make(resolve(path));
  } catch (cause) {
    throw new ConfigError(
      '--out',
      `can't make the folder ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  return async () => {
    for (const folder of made.reverse()) await rmdir(folder).catch(() => undefined);
  };
}
