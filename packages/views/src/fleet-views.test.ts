import { modelId, regionId, WORKLOAD_TIERS } from '@sageserve/core';
import {
  endpointLoadViewConformance,
  fakeRequest,
  instancePoolViewConformance,
  regionPoolViewConformance,
} from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFleetViews } from './fleet-views.js';

const EAST = regionId('eastus');
const WEST = regionId('westus');
const LARGE = modelId('large');
const SMALL = modelId('small');

/** Two models in two regions, of which the small one is apart for what may wait. */
function fleet(staleAfterMs?: number) {
  const views = createFleetViews({
    regions: [EAST, WEST],
    networkRttMs: [
      [0, 60],
      [60, 0],
    ],
    ...(staleAfterMs === undefined ? {} : { staleAfterMs }),
  });
  const pools = [EAST, WEST].flatMap((region) => [
    { key: `${region}/large`, modelId: LARGE, regionId: region, tiers: WORKLOAD_TIERS },
    { key: `${region}/small`, modelId: SMALL, regionId: region, tiers: WORKLOAD_TIERS.slice(0, 2) },
  ]);
  views.setPools([...pools, { key: 'east-batch', modelId: SMALL, regionId: EAST, tiers: ['non-interactive'] }], 0);
  for (const { key } of pools)
    views.setInstances(
      key,
      [0, 1].map((n) => ({ instanceId: `${key}/${n}`, isReady: true, kvCapacityTokens: 1_000 })),
      0,
    );
  return views;
}
const reading = (kvCacheUtilization?: number, outstandingTokens?: number, queuedRequests?: number) => ({
  kvCacheUtilization,
  outstandingTokens,
  queuedRequests,
});
const large = (fields = {}) => fakeRequest({ modelId: LARGE, ...fields });

describe('views of a fleet', () => {
  const read = () => {
    const views = fleet();
    views.read('eastus/large/0', reading(0.5, 100, 1), 0);
    return views;
  };
  for (const check of [
    ...regionPoolViewConformance(() => fleet().regionsFor(large(), 5)),
    ...regionPoolViewConformance(() => read().regionsFor(large(), 5, new Set([1]))),
    ...instancePoolViewConformance(() => read().instancesOf('eastus/large', 5)),
    ...endpointLoadViewConformance(() => read().loadOf('eastus/large', 5)),
    ...endpointLoadViewConformance(() => fleet().loadOf('east-batch', 5)),
  ])
    it(check.name, check.run);

  it('say what was read and what was sent since, and how old that is', () => {
    const views = fleet();
    views.read('eastus/large/0', reading(0.5, 100, 3), 1_000);
    const pool = views.instancesOf('eastus/large', 1_250);
    const seen = () => [pool.kvCacheUtilization(0), pool.outstandingTokens(0), pool.queuedRequests(0), pool.ageMs(0)];
    expect([pool.key, pool.count, pool.instanceId(0), pool.isReady(0)]).toEqual([
      'eastus/large',
      2,
      'eastus/large/0',
      true,
    ]);
    expect(seen()).toEqual([0.5, 100, 3, 250]);
    const lease = views.begin('eastus/large/0', 99, 1_300);
    expect([...seen(), views.inFlight]).toEqual([0.6, 200, 3, 250, 1]);
    expect([views.end(lease, 1_400), views.end(lease, 1_400), ...seen()]).toEqual([true, false, 0.5, 100, 3, 250]);
    expect([pool.kvCacheUtilization(1), pool.outstandingTokens(1), pool.ageMs(1)]).toEqual([undefined, 0, Infinity]);
    expect([pool.fits(0, 1_000), pool.fits(0, 1_001)]).toEqual([true, false]);
  });

  it('know of an instance that is dark what was sent from here, and nothing else', () => {
    const views = fleet(10_000);
    views.read('eastus/large/0', reading(0.5, 100), 0);
    views.begin('eastus/large/0', 49, 5_000);
    let pool = views.instancesOf('eastus/large', 10_000);
    expect([pool.kvCacheUtilization(0), pool.outstandingTokens(0)]).toEqual([0.55, 150]);
    pool = views.instancesOf('eastus/large', 10_001);
    expect([pool.kvCacheUtilization(0), pool.outstandingTokens(0), pool.ageMs(0)]).toEqual([undefined, 50, 10_001]);
    const regions = views.regionsFor(large(), 10_001);
    expect([regions.kvCacheUtilization(0), regions.readyInstances(0), regions.queuedTokens(0)]).toEqual([
      undefined,
      2,
      50,
    ]);
    // A late reading that says what was before does not take the place of a newer one.
    views.read('eastus/large/0', reading(0.9, 900), 9_000);
    views.read('eastus/large/0', reading(0.1, 1), 8_000);
    expect(views.instancesOf('eastus/large', 10_001).kvCacheUtilization(0)).toBe(0.9);
  });

  it('send each tier to its pool, home first, and only where a request may go', () => {
    const views = fleet();
    const regions = views.regionsFor(large({ originRegion: 1 }), 0);
    expect([regions.preferred(0), regions.preferred(1), regions.preferenceCount]).toEqual([1, 0, 2]);
    expect(regions.regionId(1)).toBe(WEST);
    const kept = views.regionsFor(large({ originRegion: 1 }), 0, new Set([0]));
    expect([kept.preferenceCount, kept.preferred(0), kept.allowed(1), kept.allowed(0)]).toEqual([1, 0, false, true]);
    const niw = fakeRequest({ modelId: SMALL, tier: 'non-interactive' });
    expect([views.poolFor(niw, 0), views.poolFor(niw, 1)]).toEqual(['east-batch', undefined]);
    const seen = views.regionsFor(niw, 0);
    expect([seen.hosts(0), seen.hosts(1), seen.readyInstances(1), seen.ageMs(1)]).toEqual([true, false, 0, Infinity]);
    expect(views.poolFor(fakeRequest({ modelId: modelId('none') }), 0)).toBeUndefined();
  });

  it('weigh instances by their size, and count what they do not know alike', () => {
    const views = fleet();
    views.setInstances(
      'eastus/large',
      [
        { instanceId: 'eastus/large/0', isReady: true, kvCapacityTokens: 3_000 },
        { instanceId: 'b', isReady: true, kvCapacityTokens: 1_000 },
        { instanceId: 'c', isReady: false, kvCapacityTokens: 1_000 },
      ],
      0,
    );
    views.read('eastus/large/0', reading(0.2), 0);
    views.read('b', reading(1), 0);
    views.read('c', reading(1), 0);
    expect(views.loadOf('eastus/large', 0)).toMatchObject({ kvCacheUtilization: 0.4, readyInstances: 2, ageMs: 0 });
    views.setInstances(
      'eastus/large',
      ['eastus/large/0', 'b'].map((instanceId) => ({ instanceId, isReady: true, kvCapacityTokens: undefined })),
      0,
    );
    expect(views.loadOf('eastus/large', 0).kvCacheUtilization).toBeCloseTo(0.6, 12);
  });

  it('count what was released until all that is ready was read again', () => {
    const views = fleet();
    views.released('eastus/large', 3);
    expect(views.loadOf('eastus/large', 0).releasedSinceReading).toBe(3);
    views.read('eastus/large/0', reading(0.1), 1);
    expect(views.loadOf('eastus/large', 1).releasedSinceReading).toBe(3);
    views.read('eastus/large/1', reading(0.1), 1);
    expect(views.loadOf('eastus/large', 1).releasedSinceReading).toBe(0);
    expect(views.loadOf('westus/large', 1).releasedSinceReading).toBe(0);
  });

  it('say of a pool of which some is dark that its load is not known, and route by the rest', () => {
    const views = fleet(10_000);
    views.read('eastus/large/0', reading(0.95, 1), 0);
    views.read('eastus/large/1', reading(0.05, 1), 50_000);
    expect(views.loadOf('eastus/large', 50_000).kvCacheUtilization).toBeUndefined();
    expect(views.regionsFor(large(), 50_000).kvCacheUtilization(0)).toBe(0.05);
    views.begin('eastus/large/0', NaN, 50_000);
    expect(views.instancesOf('eastus/large', 50_000).outstandingTokens(0)).toBe(1);
  });

  it('forget an instance that is gone, and what was sent to it; one of its name begins anew', () => {
    const views = fleet();
    views.read('eastus/large/0', reading(0.5, 70), 0);
    const lease = views.begin('eastus/large/0', 9, 1);
    views.setInstances('eastus/large', [], 2);
    expect([views.inFlight, views.end(lease, 3), views.read('eastus/large/0', reading(0.1), 3)]).toEqual([
      0,
      false,
      false,
    ]);
    expect(views.begin('eastus/large/0', 9, 3)).toBe(-1);
    expect(views.end(-1, 3)).toBe(false);
    views.setInstances('eastus/large', [{ instanceId: 'eastus/large/0', isReady: true, kvCapacityTokens: 10 }], 4);
    const pool = views.instancesOf('eastus/large', 4);
    expect([pool.outstandingTokens(0), pool.kvCacheUtilization(0), pool.ageMs(0)]).toEqual([0, undefined, Infinity]);
    views.begin('westus/large/0', 5, 5);
    views.setPools([{ key: 'eastus/large', modelId: LARGE, regionId: EAST, tiers: WORKLOAD_TIERS }], 6);
    expect([views.inFlight, views.instancesOf('eastus/large', 6).count]).toEqual([0, 1]);
    expect(() => views.instancesOf('westus/large', 6)).toThrow('poolKey: there is no pool westus/large');
  });

  it('give up what was sent too long ago', () => {
    const views = fleet();
    const old = views.begin('eastus/large/0', 9, 0);
    views.begin('eastus/large/0', 9, 100);
    expect([views.expire('eastus/large/0', 100, 200), views.inFlight, views.end(old, 300)]).toEqual([1, 1, false]);
    expect(views.expire('nowhere', 1, 1)).toBe(0);
  });

  it('refuse what does not fit together', () => {
    const spec = { modelId: LARGE, tiers: WORKLOAD_TIERS };
    const views = fleet();
    expect(() => createFleetViews({ regions: [EAST], networkRttMs: [] })).toThrow('networkRttMs: needs 1 rows');
    expect(() => createFleetViews({ regions: [], networkRttMs: [], staleAfterMs: 0 })).toThrow('staleAfterMs');
    expect(() => views.setPools([{ key: 'a', regionId: regionId('mars'), ...spec }], 0)).toThrow(
      'pools[0].regionId: unknown region "mars"',
    );
    const twice = { key: 'a', regionId: EAST, ...spec };
    expect(() => views.setPools([twice, twice], 0)).toThrow('pools[1].key: "a" names two pools');
    const one = { instanceId: 'eastus/large/0', isReady: true, kvCapacityTokens: 1 };
    expect(() => views.setInstances('westus/large', [one], 0)).toThrow('eastus/large/0 is in eastus/large already');
    expect(() => views.setInstances('eastus/large', [one, one], 0)).toThrow('eastus/large has one twice');
  });

  it('never say less than nothing, whatever is sent, ended and read in whatever order', () => {
    const event = fc.record({
      kind: fc.constantFrom('begin', 'end', 'read', 'expire'),
      instance: fc.constantFrom('eastus/large/0', 'eastus/large/1'),
      value: fc.nat(2_000),
      lateMs: fc.nat(50),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const views = fleet();
        const leases: number[] = [];
        for (const [at, { kind, instance, value, lateMs }] of events.entries()) {
          const nowMs = 10 * at;
          if (kind === 'begin') leases.push(views.begin(instance, value, nowMs));
          else if (kind === 'end') views.end(leases[value % Math.max(1, leases.length)] ?? -1, nowMs);
          else if (kind === 'expire') views.expire(instance, nowMs - lateMs, nowMs);
          else views.read(instance, reading(value / 2_000, value), nowMs - lateMs);
          for (const check of [
            ...regionPoolViewConformance(() => views.regionsFor(large(), nowMs)),
            ...instancePoolViewConformance(() => views.instancesOf('eastus/large', nowMs)),
            ...endpointLoadViewConformance(() => views.loadOf('eastus/large', nowMs)),
          ])
            void check.run();
        }
        for (const lease of leases) views.end(lease, 1e6);
        expect(views.inFlight).toBe(0);
      }),
    );
  });
});
