import { MissingDependencyError } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { queueLibraries } from './queue-libraries.js';

const absent = (name: string): Promise<never> =>
  Promise.reject(
    Object.assign(new Error(`Cannot find package '${name}' imported from here`), { code: 'ERR_MODULE_NOT_FOUND' }),
  );

describe('queueLibraries', () => {
  it('loads both where they are installed', async () => {
    const { pg, graphile } = await queueLibraries();
    expect(pg.Pool).toBeTypeOf('function');
    expect(graphile.makeWorkerUtils).toBeTypeOf('function');
  });

  it.each(['pg', 'graphile-worker'])('says how to install both where %s is not there', async (missing) => {
    const error: unknown = await queueLibraries((name) => (name === missing ? absent(name) : import(name))).catch(
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(MissingDependencyError);
    expect(error).toMatchObject({
      message: 'a queue of runs needs the package pg graphile-worker, which is not installed',
      hint: 'npm install pg graphile-worker',
    });
  });

  it('leaves other failures as they are', async () => {
    const broken = new Error('its code is broken');
    await expect(queueLibraries(() => Promise.reject(broken))).rejects.toBe(broken);
  });
});
