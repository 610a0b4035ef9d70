import type { EndpointLoadView, InstancePoolView, RegionPoolView } from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';

/**
 * What every view of regions must do, whatever is known of them. `view` gives one that is set for a
 * request.
 */
export function regionPoolViewConformance(view: () => RegionPoolView): ConformanceCase[] {
  return [
    {
      name: 'names each region once, and prefers those that may serve, each once',
      run() {
        const regions = view();
        const ids = Array.from({ length: regions.count }, (_, r) => regions.regionId(r));
        expect(new Set(ids).size === ids.length && ids.every((id) => id.length > 0), `names regions ${ids.join(', ')}`);
        const order = Array.from({ length: regions.preferenceCount }, (_, k) => regions.preferred(k));
        expect(new Set(order).size === order.length, `prefers a region twice: ${order.join(', ')}`);
        for (const r of order) {
          expect(Number.isInteger(r) && r >= 0 && r < regions.count, `prefers region ${r} of ${regions.count}`);
          expect(regions.allowed(r), `prefers region ${r}, where the request may not go`);
        }
        const allowed = ids.filter((_, r) => regions.allowed(r)).length;
        expect(order.length === allowed, `prefers ${order.length} of ${allowed} regions where the request may go`);
      },
    },
    {
      name: 'gives figures that are numbers from 0 up or not known, each with an age',
      run() {
        const regions = view();
        for (let r = 0; r < regions.count; r++) {
          sound(`region ${r}`, {
            readyInstances: regions.readyInstances(r),
            kvCacheUtilization: regions.kvCacheUtilization(r),
            queuedTokens: regions.queuedTokens(r),
          });
          aged(`region ${r}`, regions.ageMs(r));
          for (let to = 0; to < regions.count; to++) {
            const rttMs = regions.networkRttMs(r, to);
            expect(rttMs >= 0 && rttMs < Infinity, `is ${rttMs} ms from region ${r} to ${to}`);
          }
        }
      },
    },
  ];
}

/** What every view of instances must do, whatever is known of them. */
export function instancePoolViewConformance(view: () => InstancePoolView): ConformanceCase[] {
  return [
    {
      name: 'has a key, and names each instance once',
      run() {
        const pool = view();
        expect(pool.key.length > 0, 'has no key');
        const ids = Array.from({ length: pool.count }, (_, i) => pool.instanceId(i));
        expect(new Set(ids).size === ids.length && ids.every((id) => id.length > 0), `names ${ids.join(', ')}`);
      },
    },
    {
      name: 'gives figures that are numbers from 0 up or not known, each with an age',
      run() {
        const pool = view();
        for (let i = 0; i < pool.count; i++) {
          sound(`instance ${i}`, {
            kvCacheUtilization: pool.kvCacheUtilization(i),
            queuedRequests: pool.queuedRequests(i),
            outstandingTokens: pool.outstandingTokens(i),
          });
          aged(`instance ${i}`, pool.ageMs(i));
          expect(typeof pool.isReady(i) === 'boolean', `instance ${i} is ready: ${String(pool.isReady(i))}`);
        }
      },
    },
    {
      name: 'fits less where it fits more, and nothing at all always',
      run() {
        const pool = view();
        for (let i = 0; i < pool.count; i++) {
          expect(pool.fits(i, 0), `instance ${i} does not fit a request without tokens`);
          let fits = true;
          for (let tokens = 1; tokens < 1e12; tokens *= 8) {
            const next = pool.fits(i, tokens);
            expect(fits || !next, `instance ${i} fits ${tokens} tokens, and not fewer`);
            fits = next;
          }
        }
      },
    },
  ];
}

/** What every view of a pool's load must do, whatever is known of it. */
export function endpointLoadViewConformance(view: () => EndpointLoadView): ConformanceCase[] {
  return [
    {
      name: 'says whose load it is, in figures from 0 up or not known, with an age and what was released since',
      run() {
        const {
          key,
          modelId,
          regionId,
          readyInstances,
          kvCacheUtilization,
          queuedTokens,
          ageMs,
          releasedSinceReading,
        } = view();
        for (const [what, name] of Object.entries({ key, modelId, regionId }))
          expect(typeof name === 'string' && name.length > 0, `has no ${what}`);
        sound('the pool', { readyInstances, kvCacheUtilization, queuedTokens });
        aged('the pool', ageMs);
        const isCount = Number.isInteger(releasedSinceReading) && releasedSinceReading >= 0;
        expect(isCount, `has released ${releasedSinceReading} since it was read`);
        expect(
          readyInstances !== 0 || kvCacheUtilization === undefined,
          'says how full instances are of which none is ready',
        );
      },
    },
  ];
}

function sound(what: string, figures: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(figures))
    expect(
      value === undefined || (value >= 0 && value < Infinity),
      `${what} has ${name} ${value}; unknown is undefined`,
    );
}

function aged(what: string, ageMs: number): void {
  expect(ageMs >= 0, `${what} has figures of age ${ageMs} ms`);
}
