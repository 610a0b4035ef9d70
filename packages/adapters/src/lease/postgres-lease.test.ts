import { leaseConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { postgresForTests } from '../fixtures.js';
import { createWallClock } from '../wall-clock.js';
import { createPostgresLease } from './postgres-lease.js';

const clock = createWallClock();
const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const database = await postgresForTests();
describe.skipIf(database === undefined)('a lease in PostgreSQL (skipped where no server can be had)', () => {
  const ttlMs = 900;
  let made = 0;
  for (const check of leaseConformance(() => {
    const name = `lease-${made++}`;
    return {
      ask: (holder, own) => createPostgresLease({ url: database!.url, name, holder, clock: own, ttlMs }),
      clock,
      ttlMs,
      pass,
    };
  }))
    it(check.name, check.run, 30_000);

  it('is not held while the database does not answer, which is said', async () => {
    const told: string[] = [];
    const keeper = createPostgresLease({
      url: 'postgres://me:secret@127.0.0.1:1/none',
      name: 'x',
      holder: 'a',
      clock,
      ttlMs: 300,
      onError: (what) => told.push(what),
    });
    while (told.length < 2) await pass(20);
    expect(keeper.lease).toMatchObject({ held: false, fence: undefined });
    expect(told[0]).toMatch(/^lease x: the database does not answer/);
    expect(told.join()).not.toContain('secret');
    await keeper.close();
    await keeper.close();
  });

  it('is for a while above 0, has a name and a holder', () => {
    const options = { url: 'postgres://x/y', name: 'n', holder: 'h', clock };
    for (const ttlMs of [0, -1, NaN, Infinity])
      expect(() => createPostgresLease({ ...options, ttlMs })).toThrow('ttlMs: must be above 0');
    expect(() => createPostgresLease({ ...options, name: '' })).toThrow('name: must not be empty');
    expect(() => createPostgresLease({ ...options, holder: '' })).toThrow('holder: must not be empty');
  });
});
