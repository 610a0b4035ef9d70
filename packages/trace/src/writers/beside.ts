import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** So much of a name stands in that of what is written beside it: a file's name has an end. */
const MOST_OF_NAME = 100;
/** Whoever wrote there first and failed may take its folder away again. */
const MOST_FOLDERS = 3;

/**
 * Makes a file or folder beside a place, of a name that nobody else has: several may write to one
 * place at once, and whatever is called alike is somebody's. It may be read by whoever may read
 * others here. Returns its path. Throws what the system throws.
 */
export async function makeBeside(path: string, kind: 'file' | 'folder'): Promise<string> {
  let folders = 0;
  for (let n = 1; ; n++) {
    const partial = join(dirname(path), `.${basename(path).slice(0, MOST_OF_NAME)}-${process.pid}-${n}.partial`);
    try {
      await (kind === 'folder' ? mkdir(partial) : writeFile(partial, '', { flag: 'wx' }));
      return partial;
    } catch (cause) {
      const { code } = cause as { code?: string };
      if (code === 'ENOENT' && kind === 'folder' && folders++ < MOST_FOLDERS)
        await mkdir(dirname(path)).catch(ignoreExisting);
      else if (code !== 'EEXIST') throw cause;
    }
  }
}

function ignoreExisting(cause: unknown): void {
  if ((cause as { code?: string }).code !== 'EEXIST') throw cause;
}
