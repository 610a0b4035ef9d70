import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, SageServeError, type StateStore } from '@sageserve/core';
import { fencedError } from './fenced.js';

export interface FileStateStoreOptions {
  /** A folder of its own; it is made where it is not there. */
  readonly folder: string;
}

interface Kept {
  readonly fence?: number;
  readonly text: string;
}

/**
 * Keeps each key in a file of a folder: written aside, flushed to the disk, and put in the place of
 * the one before. For one controller on one machine: two processes that save at the same time need
 * a store that compares and writes in one step, such as PostgreSQL. Rejects with `SageServeError`
 * (ERR_STATE) that names the file where it can't be read or written.
 */
export function createFileStateStore({ folder }: FileStateStoreOptions): StateStore {
  /** Saves of this process, one after the other. */
  let before: Promise<unknown> = Promise.resolve();
  const fileOf = (key: string): string => join(folder, `${encodeURIComponent(key)}.json`);

  async function load(key: string): Promise<Kept | undefined> {
    const file = fileOf(key);
    let content: string;
    try {
      content = await readFile(file, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new SageServeError('ERR_STATE', `can't read ${file}: ${messageOf(cause)}`, { cause });
    }
    try {
      const kept = JSON.parse(content) as Partial<Kept> | null;
      if (typeof kept?.text === 'string') return kept as Kept;
    } catch {
      // Said below.
    }
    throw new SageServeError('ERR_STATE', `${file} is no saved state`, {
      hint: 'Put it away: without it the controller begins anew, and lets go of nothing for a while.',
    });
  }

  async function save(key: string, text: string, fence: number | undefined): Promise<void> {
    const newest = (await load(key))?.fence;
    if (fence !== undefined && newest !== undefined && fence < newest) throw fencedError(key, fence, newest);
    const file = fileOf(key);
    const aside = `${file}.${process.pid}.tmp`;
    const kept = fence ?? newest;
    try {
      await mkdir(folder, { recursive: true });
      const handle = await open(aside, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify({ ...(kept === undefined ? {} : { fence: kept }), text }));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(aside, file);
      await flushFolder(folder);
    } catch (cause) {
      await rm(aside, { force: true }).catch(() => undefined);
      throw new SageServeError('ERR_STATE', `can't write ${file}: ${messageOf(cause)}`, { cause });
    }
  }

  return {
    load: async (key) => {
      await before.catch(() => undefined);
      return (await load(key))?.text;
    },
    save: async (key, text, options) => {
      const mine = before.catch(() => undefined).then(() => save(key, text, options?.fence));
      before = mine;
      await mine;
    },
  };
}

/** A new name is on the disk when its folder is. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
