import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import * as here from './errors.js';

const { ConfigError, messageOf, PolicyContractError, SageServeError, TraceFormatError } = here;

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** Another copy of the module, as a plug-in with its own installation of the package has one. */
async function copy(): Promise<typeof here> {
  const folder = await mkdtemp(join(tmpdir(), 'sageserve-copy-'));
  folders.push(folder);
  const source = await readFile(new URL('errors.ts', import.meta.url), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await writeFile(join(folder, 'errors.mjs'), outputText);
  return (await import(pathToFileURL(join(folder, 'errors.mjs')).href)) as typeof here;
}

describe('an error of any kind', () => {
  it('is none of SageServe’s where it can’t be looked at', () => {
    const odd = new Proxy(new Error('e'), {
      get() {
        throw new Error('look');
      },
    });
    expect(odd instanceof SageServeError).toBe(false);
  });
});

describe('errors', () => {
  it('are known across two copies of the package, each for what it is and for what is above it', async () => {
    const other = await copy();
    expect(other.ConfigError).not.toBe(ConfigError);
    const theirs = new other.ConfigError('seed', 'must be a number');
    expect([
      theirs instanceof ConfigError,
      theirs instanceof SageServeError,
      theirs instanceof TraceFormatError,
      theirs instanceof Error,
    ]).toEqual([true, true, false, true]);
    const ours = new PolicyContractError('router "x"', 'answered with 99', 'an index');
    expect([
      ours instanceof other.PolicyContractError,
      ours instanceof other.SageServeError,
      ours instanceof other.ConfigError,
    ]).toEqual([true, true, false]);
    expect(
      [new Error('x'), { code: 'ERR_CONFIG' }, null, undefined, 'x', 5].map(
        (value: unknown) => value instanceof SageServeError,
      ),
    ).toEqual(Array(6).fill(false));
  });

  it('of a class of somebody’s own below one of them are known by that class too', () => {
    class Mine extends ConfigError {}
    const mine = new Mine('a', 'b');
    expect([mine instanceof Mine, mine instanceof ConfigError, new ConfigError('a', 'b') instanceof Mine]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('say where a policy comes from, what it did and what it must do', () => {
    const error = new PolicyContractError('region router "mine"', 'answered with NaN', 'route() returns an index.', {
      origin: 'plugins[0] (./mine.mjs)',
    });
    expect(error).toMatchObject({
      code: 'ERR_POLICY_CONTRACT',
      message: 'region router "mine" of plugins[0] (./mine.mjs) answered with NaN',
      hint: 'route() returns an index.',
    });
    expect(new PolicyContractError('router "x"', 'failed', '').message).toBe('router "x" failed');
  });
});

describe('messageOf', () => {
  it('has words for whatever is thrown', () => {
    const unreadable = {
      toString: () => {
        throw new Error('no');
      },
    };
    expect(
      [new Error('why'), new RangeError(''), 'text', null, undefined, 5, unreadable, Object.create(null)].map(
        messageOf,
      ),
    ).toEqual([
      'why',
      'RangeError',
      'text',
      'null was thrown',
      'undefined was thrown',
      '5 was thrown',
      'something that can’t be put in words was thrown',
      'something that can’t be put in words was thrown',
    ]);
  });
});
