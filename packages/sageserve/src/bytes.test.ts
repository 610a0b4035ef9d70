import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentHash } from '@sageserve/experiments';
import { runCommand as run } from './fixtures.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-bytes-'));
});
afterAll(() => rm(dir, { recursive: true }));

const sha256 = async (...path: string[]) => (await contentHash(join(dir, ...path))).slice(0, 16);

// Node 20, 22 and 24 must give these: a seed means the same everywhere. Whoever changes one on
// purpose says why in its changeset.
describe('the same bytes on every Node', () => {
  it.each([
    ['paper-day', '40m', '0554a445b65c2793'],
    ['servegen', '10m', 'c47b4092c62b3cb2'],
    ['burst', '30m', '7fd0e938089e74e8'],
  ])('of generated traffic: %s', async (preset, duration, hash) => {
    expect(
      (await run(['trace', 'generate', join(dir, `${preset}.csv`), '--preset', preset, '--duration', duration])).code,
    ).toBe(0);
    expect(await sha256(`${preset}.csv`)).toBe(hash);
  });

  it('of what becomes of it under a strategy that forecasts and plans', async () => {
    expect(
      (
        await run([
          'simulate',
          '--preset',
          'small',
          '--duration',
          '1h',
          '--strategy',
          'reactive,sage',
          '--requests',
          '--out',
          join(dir, 'out'),
        ])
      ).code,
    ).toBe(0);
    expect([
      await sha256('out', 'reactive', 'requests.csv'),
      await sha256('out', 'sage', 'requests.csv'),
      await sha256('out', 'sage', 'journal.jsonl'),
    ]).toEqual(['52e777116284a583', '3d4236a36a403f25', 'df50c668bec2086b']);
  });
});
