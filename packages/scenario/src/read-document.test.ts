import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type SageServeError } from '@sageserve/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locatedIn, readScenario } from './parse.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-document-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function failure(text: string): Promise<SageServeError> {
  const file = join(dir, 'scenario.yaml');
  await writeFile(file, text);
  return readScenario(file).then(
    () => {
      throw new Error('was read without an error');
    },
    (error: unknown) => error as SageServeError,
  );
}

const exploding = [
  'a: &a [x, x, x, x, x, x, x, x, x, x]',
  ...Array.from(
    { length: 8 },
    (_, i) => `${'bcdefghi'[i]}: &${'bcdefghi'[i]} [${Array(10).fill(`*${'abcdefgh'[i]}`).join(', ')}]`,
  ),
].join('\n');

describe('what is made of a scenario file', () => {
  const thrown = (file: string | undefined, path: string, reason: string): Promise<unknown> =>
    locatedIn(file, () => {
      throw new ConfigError(path, reason, { hint: 'Mend it.' });
    }).catch((error: unknown) => error);

  it('tells of a field with its place, and of what is no field as it is', async () => {
    const file = join(dir, 'made.yaml');
    await writeFile(file, 'name: made\nmodels:\n  - name: m\n    deployments:\n      - { sku: tpu }\n');
    expect(await thrown(file, 'models[0].deployments[0].sku', 'is no SKU')).toMatchObject({
      message: `${file}:5:16: models[0].deployments[0].sku: is no SKU`,
      hint: 'Mend it.',
    });
    // A field that the file does not have is wrong where it should be.
    expect(await thrown(file, 'models[0].deployments[0].minInstances', 'is above')).toMatchObject({
      message: `${file}:5:9: models[0].deployments[0].minInstances: is above`,
    });
    expect(await thrown(file, '--strategy', 'is none')).toMatchObject({ message: '--strategy: is none' });
    for (const none of [undefined, join(dir, 'gone.yaml')])
      expect(await thrown(none, 'models', 'are none')).toMatchObject({ message: 'models: are none' });
    await expect(locatedIn(file, () => Promise.reject(new Error('other')))).rejects.toThrow('other');
    expect(await locatedIn(file, () => 1)).toBe(1);
  });
});

describe('a scenario file', () => {
  it.each([
    ['an alias of nothing', 'name: *nope\n', 'scenario.yaml:1:7: *nope stands for nothing'],
    ['aliases that explode', exploding, 'scenario.yaml: '],
    [
      'aliases by the thousand',
      `name: &n x\nseeds:\n${'  - *n\n'.repeat(10_001)}`,
      'scenario.yaml:10003:5: is one of more than 10,000 aliases',
    ],
    ['an alias of what comes after it', 'name: *n\nother: &n x\n', 'scenario.yaml:1:7: *n stands for nothing'],
    [
      'a table as a name',
      'name: x\n? { a: 1 }\n: y\n',
      'scenario.yaml:2:3: is a list or a table in the place of a name',
    ],
    ['an alias of itself', 'name: x\nregions: &r\n  - *r\n', 'holds itself'],
    [
      'a name that means something to the language',
      'name: x\n"__proto__": { polluted: 1 }\n',
      'scenario.yaml:2:14: __proto__: can’t be a name',
    ],
    [
      'one deep within',
      'name: x\nstrategyOptions: { sage: { __proto__: { polluted: 1 } } }\n',
      '__proto__: can’t be a name',
    ],
    ['lists within lists by the thousand', `name: ${'['.repeat(20_000)}`, 'is nested too deeply'],
    ['no fields at all', 'just text\n', 'scenario.yaml'],
    ['a merge key of nothing', 'name: x\n<<: *base\n', '*base stands for nothing'],
  ])('with %s is an error with the place', async (_, text, message) => {
    const error = await failure(text);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(400);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('of more than 8 MB, and one that is a folder, are refused before they are read', async () => {
    expect((await failure(`name: x\n# ${'x'.repeat(9 << 20)}`)).message).toContain('it has more than 8 MB');
    await expect(readScenario(dir)).rejects.toThrow('it is a folder');
  });

  it('may use aliases', async () => {
    const error = await failure('name: &n x\nseed: *n\n');
    expect(error.message).toContain('scenario.yaml: regions: ');
  });
});
