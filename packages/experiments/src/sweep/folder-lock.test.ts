import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { claimOf, lockFolder, takeOver } from './folder-lock.js';

let dir: string;
let lock: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-lock-'));
  lock = join(dir, '.lock');
});
afterEach(() => rm(dir, { recursive: true }));

describe('the lock of a folder', () => {
  it('is held by one, and nothing is left of it', async () => {
    const unlock = lockFolder(lock, dir);
    expect(await readdir(dir)).toEqual(['.lock']);
    expect(() => lockFolder(lock, dir)).toThrow(
      `another sweep is at work in ${dir}: process ${process.pid} on ${hostname()}`,
    );
    expect(await readdir(dir)).toEqual(['.lock']);
    unlock();
    expect(await readdir(dir)).toEqual([]);
    lockFolder(lock, dir)();
  });

  it('is taken over from an earlier process of the same number, as in a container that was started again', async () => {
    await writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
    const unlock = lockFolder(lock, dir);
    expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({
      pid: process.pid,
      id: expect.any(String) as string,
    });
    expect(await readdir(dir)).toEqual(['.lock']);
    unlock();
  });

  it.runIf(process.platform === 'linux')(
    'is taken over where its number now is another process, which began at another time',
    async () => {
      await writeFile(lock, JSON.stringify({ pid: process.ppid, host: hostname() }));
      expect(() => lockFolder(lock, dir)).toThrow('another sweep is at work');
      await writeFile(lock, JSON.stringify({ pid: process.ppid, host: hostname(), began: '1' }));
      lockFolder(lock, dir)();
    },
  );

  it.runIf(process.platform === 'linux')(
    'of a process that has ended is taken over, though its parent has not asked how',
    async () => {
      // Its child ends, and it never asks.
      const parent = spawn(process.execPath, [
        '-e',
        "const { spawn } = require('node:child_process'); const { pid } = spawn('sh', ['-c', 'sleep 0.2']); " +
          "process.stdout.write(pid + '\\n'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20_000);",
      ]);
      const pid = Number(
        await new Promise<string>((resolve) => parent.stdout.on('data', (text: Buffer) => resolve(text.toString()))),
      );
      const began = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)!.split(' ')[19];
      await writeFile(lock, JSON.stringify({ pid, host: hostname(), began }));
      await vi.waitFor(
        async () => expect((await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)![0]).toBe('Z'),
        10_000,
      );
      lockFolder(lock, dir)();
      parent.kill('SIGKILL');
    },
  );

  it('of a process that is gone is taken over by one of those that see it', async () => {
    const dead = JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() });
    await writeFile(lock, dead);
    lockFolder(lock, dir)();
    expect(await readdir(dir)).toEqual([]);
    await writeFile(lock, dead);
    const written = join(dir, 'mine.partial');
    await writeFile(written, 'mine');
    // What was seen is no longer there: somebody has taken it over since.
    expect(takeOver(lock, '{"pid":1}', written, 'mine')).toBe(false);
    expect(await readFile(lock, 'utf8')).toBe(dead);
    expect(takeOver(lock, dead, written, 'mine')).toBe(true);
    expect(await readFile(lock, 'utf8')).toBe('mine');
    expect(await readdir(dir)).toEqual(['.lock']);
  });

  it('is taken over where the one that took it over was killed at that, or the one after', async () => {
    const gone = (id: number): string => JSON.stringify({ pid: 2 ** 22 + id, host: hostname() });
    await writeFile(lock, gone(1));
    const first = claimOf(lock, gone(1));
    await writeFile(first, gone(2));
    await writeFile(claimOf(first, gone(2)), gone(3));
    const unlock = lockFolder(lock, dir);
    expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid });
    expect(await readdir(dir)).toEqual(['.lock']);
    unlock();
  });

  it('is taken over where a claim of an earlier version stands there, which says nothing', async () => {
    const dead = JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() });
    await writeFile(lock, dead);
    await writeFile(claimOf(lock, dead), '');
    lockFolder(lock, dir)();
    expect(await readdir(dir)).toEqual([]);
  });
});
