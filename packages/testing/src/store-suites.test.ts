import { type Clock, type Lease, SageServeError, type StateStore } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import type { ConformanceCase } from './conformance-case.js';
import { leaseConformance, stateStoreConformance } from './store-suites.js';
import { createVirtualClock } from './virtual-clock.js';

async function failures(suite: readonly ConformanceCase[]): Promise<string[]> {
  const messages: string[] = [];
  for (const check of suite)
    await Promise.resolve(check.run()).catch((error: unknown) => void messages.push((error as Error).message));
  return messages;
}

describe('the suite of state stores', () => {
  /** A store on a shared place; what it gets wrong is said. */
  const storeOf = (wrong: { readonly fence?: boolean; readonly forgets?: boolean; readonly keys?: boolean }) => {
    let place = new Map<string, { text: string; fence: number }>();
    const at = (key: string) => (wrong.keys === true ? 'one' : key);
    const store = (): StateStore => ({
      load: (key) => place.get(at(key))?.text,
      async save(key, text, options) {
        const fence = options?.fence ?? -Infinity;
        const newest = place.get(at(key))?.fence ?? -Infinity;
        if (options?.fence !== undefined && fence < newest && wrong.fence !== true)
          throw new SageServeError('ERR_FENCED', 'older');
        place.set(at(key), { text, fence: Math.max(fence, newest) });
      },
    });
    return stateStoreConformance(
      () => ((place = new Map()), store()),
      () => (wrong.forgets === true ? ((place = new Map()), store()) : store()),
    );
  };

  it('accepts one that keeps its contract, and finds what does not', async () => {
    expect(await failures(storeOf({}))).toEqual([]);
    expect(await failures(storeOf({ fence: true }))).toEqual([
      'the next process took an older fence',
      'took a text under an older fence',
    ]);
    expect(await failures(storeOf({ forgets: true }))).toEqual(['what was saved is not there for the next process']);
    expect((await failures(storeOf({ keys: true }))).length).toBeGreaterThan(0);
  });
});

describe('the suite of leases', () => {
  /**
   * Leases in this process. What it gets wrong: `greedy` never lets go, `stuck` keeps its fence.
   */
  const leases = (wrong: { readonly greedy?: boolean; readonly stuck?: boolean } = {}) =>
    leaseConformance(() => {
      const clock = createVirtualClock();
      const ttlMs = 3_000;
      let holder: object | undefined;
      let untilMs = -Infinity;
      let fences = 0;
      const ask = (_name: string, own: Clock) => {
        const me = {};
        const ended = new AbortController();
        let fence: number | undefined;
        const take = (): void => {
          if (holder !== me && untilMs > own.nowMs()) return;
          if (holder !== me && (wrong.stuck !== true || fences === 0)) fences++;
          fence = holder === me ? fence : fences;
          holder = me;
          untilMs = own.nowMs() + ttlMs;
        };
        const keep = async (): Promise<void> => {
          while (!ended.signal.aborted) {
            take();
            await own.sleepUntilMs(own.nowMs() + ttlMs / 3, ended.signal).catch(() => undefined);
          }
        };
        void keep();
        const lease: Lease = {
          get held() {
            if (wrong.greedy === true && fence !== undefined) return true;
            return holder === me && own.nowMs() < untilMs && !ended.signal.aborted;
          },
          get fence() {
            return fence;
          },
        };
        return {
          lease,
          async close() {
            ended.abort();
            if (holder === me) untilMs = -Infinity;
          },
        };
      };
      return { ask, clock, ttlMs, pass: (ms) => clock.advanceMs(ms) };
    });

  it('accepts one that keeps its contract, and finds what does not', async () => {
    expect(await failures(leases())).toEqual([]);
    expect(await failures(leases({ greedy: true }))).toEqual([
      'is held after it was given back',
      'is held by two, of whom one has stopped',
    ]);
    expect((await failures(leases({ stuck: true }))).length).toBe(2);
  });
});
