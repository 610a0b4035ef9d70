import { createVirtualClock } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createPostgresStateStore } from './state/postgres-state.js';
import type { Queryable } from './postgres.js';
import { createPostgresLease } from './lease/postgres-lease.js';

const TTL = 900;

interface Query {
  readonly atMs: number;
  readonly what: 'setup' | 'take' | 'give back' | 'load';
  /** The fence that it was asked with, or to be given back. */
  readonly fence: unknown;
  readonly answer: (fence?: number) => void;
}

/** A pool that answers what it is told to, and never the rest; without a deadline of its own. */
function pool(answers: (query: Query, nth: number) => void) {
  const clock = createVirtualClock();
  const queries: Query[] = [];
  const place: Queryable = {
    query: (text, values) =>
      new Promise((resolve) => {
        const what = /create table/.test(text)
          ? 'setup'
          : /^\s*insert/.test(text)
            ? 'take'
            : /^\s*update/.test(text)
              ? 'give back'
              : 'load';
        const answer = (fence?: number): void =>
          resolve({ rows: fence === undefined ? [] : [{ fence: String(fence), text: String(fence) }] });
        const query = {
          atMs: clock.nowMs(),
          what,
          fence: what === 'give back' ? values[2] : values[3],
          answer,
        } as const;
        queries.push(query);
        answers(query, queries.filter((one) => one.what === what).length);
      }),
  };
  const told: string[] = [];
  const ask = () =>
    createPostgresLease({ pool: place, name: 'x', holder: 'a', clock, ttlMs: TTL, onError: (what) => told.push(what) });
  return { clock, place, queries, told, ask, times: () => queries.map(({ what, atMs }) => `${what} ${atMs}`) };
}

describe('a lease whose renewal is never answered', () => {
  it('is held to its end, to the millisecond, and no longer', async () => {
    const { ask, clock } = pool((query, nth) => {
      if (query.what === 'setup' || nth === 1) query.answer(7);
    });
    const { lease } = ask();
    await clock.advanceMs(0);
    expect(lease).toMatchObject({ held: true, fence: 7 });
    await clock.advanceMs(TTL - 1);
    expect(lease.held).toBe(true);
    await clock.advanceMs(1);
    expect(lease.held).toBe(false);
  });

  it('is asked for again in time, and not lost', async () => {
    const { ask, clock, told, times } = pool((query, nth) => {
      if (query.what === 'setup' || nth !== 2) query.answer(7);
    });
    const { lease } = ask();
    for (let t = 0; t < 3 * TTL; t += 50) {
      await clock.advanceMs(50);
      expect(lease.held).toBe(true);
    }
    expect(times().slice(0, 5)).toEqual(['setup 0', 'take 0', 'take 300', 'take 600', 'take 900']);
    expect(told).toEqual(['lease x: the database does not answer: there was no answer within 0.3 s']);
  });

  it('is had again under the fence of the answer that came, not of one that was given up', async () => {
    let late: Query | undefined;
    const { ask, clock, queries } = pool((query, nth) => {
      if (query.what === 'setup' || nth === 1) query.answer(7);
      else if (nth === 2) late = query;
      else if (query.atMs >= 2 * TTL) query.answer(9);
    });
    const { lease } = ask();
    await clock.advanceMs(2 * TTL - 1);
    expect(lease).toMatchObject({ held: false, fence: 7 });
    await clock.advanceMs(1);
    expect(lease).toMatchObject({ held: true, fence: 9 });
    late!.answer(8);
    await clock.advanceMs(1);
    expect(lease).toMatchObject({ held: true, fence: 9 });
    // What is not held is waited for as long as its answer could count.
    expect(queries.filter(({ what }) => what === 'take').map(({ atMs }) => atMs)).toEqual([0, 300, 600, 900, 1_800]);
  });

  it('is had where its table was asked for in vain first', async () => {
    const { ask, clock, times } = pool((query, nth) => {
      if (nth > 1 || query.what !== 'setup') query.answer(3);
    });
    const { lease } = ask();
    await clock.advanceMs(TTL - 1);
    expect(lease.held).toBe(false);
    await clock.advanceMs(1);
    expect(lease).toMatchObject({ held: true, fence: 3 });
    expect(times()).toEqual(['setup 0', 'setup 900', 'take 900']);
  });

  it('closes, though nothing answers, and gives back what it holds', async () => {
    const { ask, clock, queries } = pool((query, nth) => {
      if (query.what === 'setup' || (query.what === 'take' && nth === 1)) query.answer(7);
    });
    const keeper = ask();
    await clock.advanceMs(300);
    let isClosed = false;
    const closing = keeper.close().then(() => (isClosed = true));
    expect(keeper.lease.held).toBe(false);
    await clock.advanceMs(299);
    expect(queries.some(({ what }) => what === 'give back')).toBe(false);
    await clock.advanceMs(1);
    expect(queries.at(-1)).toMatchObject({ what: 'give back', fence: 7 });
    expect(isClosed).toBe(false);
    await clock.advanceMs(300);
    await closing;
  });
});

describe('state whose table was asked for in vain', () => {
  it('is asked for again with the next question', async () => {
    const { place } = pool((query, nth) => {
      if (nth > 1 || query.what !== 'setup') query.answer(3);
    });
    const store = createPostgresStateStore({ pool: place });
    const limit = new AbortController();
    const loading = store.load('a', { signal: limit.signal });
    limit.abort(new Error('there was no answer within 3 s'));
    await expect(loading).rejects.toThrow('the database does not answer: there was no answer within 3 s');
    expect(await store.load('a')).toBe('3');
  });
});
