import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StateStore } from '@sageserve/core';
import { stateStoreConformance } from '@sageserve/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { postgresForTests } from '../fixtures.js';
import { createFileStateStore } from './file-state.js';
import { createMemoryStateStore } from './memory-state.js';
import { createPostgresStateStore } from './postgres-state.js';

const folders: string[] = [];
const folder = async (): Promise<string> => {
  const made = await mkdtemp(join(tmpdir(), 'sageserve-state-'));
  folders.push(made);
  return made;
};
afterAll(() => Promise.all(folders.map((one) => rm(one, { recursive: true }))));

describe('state in memory', () => {
  let last: StateStore;
  for (const check of stateStoreConformance(
    () => (last = createMemoryStateStore()),
    () => last,
  ))
    it(check.name, check.run);
});

describe('state in files', () => {
  let last = '';
  for (const check of stateStoreConformance(
    async () => createFileStateStore({ folder: join((last = await folder()), 'made', 'with', 'the', 'first') }),
    () => createFileStateStore({ folder: join(last, 'made', 'with', 'the', 'first') }),
  ))
    it(check.name, check.run);

  it('names the file that is no state, and one that can’t be written, and leaves nothing aside', async () => {
    const place = await folder();
    const store = createFileStateStore({ folder: place });
    for (const text of ['', '{', 'null', '{"text":5}']) {
      await writeFile(join(place, 'a.json'), text);
      await expect(store.load('a')).rejects.toMatchObject({
        code: 'ERR_STATE',
        message: expect.stringContaining('a.json'),
      });
    }
    const file = join(place, 'file');
    await writeFile(file, '');
    await expect(createFileStateStore({ folder: join(file, 'below') }).save('a', 'x')).rejects.toMatchObject({
      code: 'ERR_STATE',
      message: expect.stringContaining('below'),
    });
    expect(await readdir(place)).toEqual(['a.json', 'file']);
  });

  it('has the text before or the new one, whole, whenever its process is killed', async () => {
    const place = await folder();
    const script = join(place, 'writer.mjs');
    await writeFile(
      script,
      `import { createFileStateStore } from ${JSON.stringify(new URL('../../dist/state.js', import.meta.url).href)};
       const store = createFileStateStore({ folder: ${JSON.stringify(join(place, 'state'))} });
       for (let n = 0; ; n++) { await store.save('a', String(n % 10).repeat(200_000)); if (n === 3) console.log('on'); }`,
    );
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 3 * round));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      const text = (await createFileStateStore({ folder: join(place, 'state') }).load('a'))!;
      expect(text).toMatch(/^(\d)\1{199999}$/);
    }
  });
});

const database = await postgresForTests();
describe.skipIf(database === undefined)('state in PostgreSQL (skipped where no server can be had)', () => {
  let namespace = 0;
  const open: { close(): Promise<void> }[] = [];
  afterAll(() => Promise.all(open.map((store) => store.close())));
  const store = () => {
    const made = createPostgresStateStore({ url: database!.url, namespace: `test-${namespace}` });
    open.push(made);
    return made;
  };
  for (const check of stateStoreConformance(() => (namespace++, store()), store)) it(check.name, check.run);

  it('of several controllers, keeps that of the newest fence, however they come', async () => {
    namespace++;
    const fences = Array.from({ length: 12 }, (_, i) => 1 + ((i * 7) % 12));
    await Promise.allSettled(fences.map(async (fence) => store().save('a', `by ${fence}`, { fence })));
    expect(await store().load('a')).toBe('by 12');
  });

  it('does not tell the address where the database does not answer, and goes on when it does', async () => {
    const away = createPostgresStateStore({ url: 'postgres://me:secret@127.0.0.1:1/none' });
    const error: unknown = await Promise.resolve(away.load('a')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_STATE', message: expect.stringMatching(/^the database does not answer/) });
    expect((error as Error).message).not.toContain('secret');
    await away.close();
    expect(() => createPostgresStateStore({ url: 'mysql://x' })).toThrow('url: must be that of a PostgreSQL database');
    expect(() => createPostgresStateStore({})).toThrow('url: is needed, or else pool, and not both');
  });
});
