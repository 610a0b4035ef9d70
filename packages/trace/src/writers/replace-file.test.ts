import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile, replaceWith } from './replace-file.js';

let dir: string;
const at = (name: string): string => join(dir, name);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-replace-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('replaceWith', () => {
  it('leaves the file that was there, and nothing beside it, when writing fails', async () => {
    await writeFile(at('a.txt'), 'old');
    const failing = replaceWith(at('a.txt'), async (partial) => {
      await writeFile(partial, 'half');
      throw new Error('no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(await readdir(dir)).toEqual(['a.txt']);
    expect(await readFile(at('a.txt'), 'utf8')).toBe('old');
  });

  it('says where the file stands until it is complete, and writes under a name of its own', async () => {
    const open = new Set<string>();
    const seen: string[] = [];
    const write = (text: string): Promise<number> =>
      replaceWith(
        at('a.txt'),
        async (partial) => {
          await writeFile(partial, text);
          seen.push(partial);
          expect(open).toContain(partial);
          return text.length;
        },
        {
          onPartial(partial) {
            open.add(partial);
            return () => open.delete(partial);
          },
        },
      );
    expect(await Promise.all([write('one'), write('three')])).toEqual([3, 5]);
    expect(new Set(seen).size).toBe(2);
    expect(open.size).toBe(0);
    expect(await readdir(dir)).toEqual(['a.txt']);
  });

  it('does not take the place where what comes before that fails', async () => {
    const failing = replaceWith(at('a.txt'), (partial) => writeFile(partial, 'new'), {
      before: () => Promise.reject(new Error('not yet')),
    });
    await expect(failing).rejects.toThrow('not yet');
    expect(await readdir(dir)).toEqual([]);
  });

  it('follows a link, keeps who may do what, and refuses a link that leads nowhere', async () => {
    await writeFile(at('a.txt'), 'old');
    await chmod(at('a.txt'), 0o640);
    await symlink('a.txt', at('link.txt'));
    await replaceFile(at('link.txt'), 'new');
    expect(await readFile(at('a.txt'), 'utf8')).toBe('new');
    expect((await stat(at('a.txt'))).mode & 0o777).toBe(0o640);
    await symlink('nothing', at('dangling.txt'));
    await expect(replaceFile(at('dangling.txt'), 'new')).rejects.toMatchObject({ code: 'ERR_OUTPUT_PATH' });
    expect((await readdir(dir)).toSorted()).toEqual(['a.txt', 'dangling.txt', 'link.txt']);
  });
});
