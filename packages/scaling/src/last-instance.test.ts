import {
  type EndpointSnapshot,
  type FleetSnapshot,
  modelId,
  PlacementGrid,
  regionId,
  type ScalingPolicy,
  skuId,
} from '@sageserve/core';
import { fakeEndpoint, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { changes, fakePlan } from './fixtures.js';
import { boundedByWork, isAbandoned, isLastForBacklog } from './last-instance.js';

/** Endpoints of one pool on two SKUs; more fields by position. */
function pair(...fields: readonly Partial<EndpointSnapshot>[]): EndpointSnapshot[] {
  return fields.map((own, i) => {
    const id = skuId(`sku-${i}`);
    return fakeEndpoint({
      endpointId: `r/m/${id}` as never,
      skuId: id,
      minInstances: 0,
      readyInstances: 0,
      queuedRequests: 0,
      runningRequests: 0,
      ...own,
    });
  });
}

describe('a count of an endpoint', () => {
  it('is never none while its pool has work and it is the last', () => {
    const of = (fields: Partial<EndpointSnapshot>, count = 0) => {
      const endpoint = fakeEndpoint({ minInstances: 0, ...fields });
      return boundedByWork(count, endpoint, fakeFleet([endpoint]));
    };
    expect([
      of({}),
      of({ queuedRequests: 1 }),
      of({ runningRequests: 1 }),
      of({ queuedRequests: 1, runningRequests: -1 }),
    ]).toEqual([0, 1, 1, 0]);
    expect([
      of({ queuedRequests: undefined, runningRequests: undefined }),
      of({ queuedRequests: undefined, runningRequests: 2 }),
      of({ queuedRequests: 2, runningRequests: undefined }),
    ]).toEqual([0, 1, 1]);
    expect([
      of({ runningRequests: 1, maxInstances: 0 }),
      of({ runningRequests: 1 }, 4),
      of({ minInstances: 2 }),
      of({}, 99),
    ]).toEqual([0, 4, 2, 10]);
  });

  const kept = (endpoints: readonly EndpointSnapshot[], fleet: FleetSnapshot = fakeFleet(endpoints)) =>
    endpoints.map((one) => boundedByWork(0, one, fleet));
  const work = { runningRequests: 3 };
  it('is none where another of its pool keeps one: the one with the most, or the highest minimum, or the first', () => {
    expect(kept(pair({ ...work, readyInstances: 1 }, { ...work, readyInstances: 2 }))).toEqual([0, 1]);
    expect(kept(pair({ ...work, readyInstances: 2 }, { ...work, readyInstances: 1 }))).toEqual([1, 0]);
    expect(kept(pair(work, { ...work, provisioningInstances: 1 }))).toEqual([0, 1]);
    expect(kept(pair({ ...work, provisioningInstances: 5 }, { ...work, readyInstances: 1 }))).toEqual([0, 1]);
    expect(kept(pair({ ...work, readyInstances: 1 }, { ...work, readyInstances: 1, minInstances: 1 }))).toEqual([0, 1]);
    expect(kept(pair(work, work))).toEqual([1, 0]);
    expect(kept(pair({ ...work, maxInstances: 0 }, work))).toEqual([0, 1]);
    expect(kept(pair(work, work, work))).toEqual([1, 0, 0]);
  });

  it('does not count on another region, model or pool, nor on GPUs that are gone', () => {
    for (const other of [{ regionId: regionId('x') }, { modelId: modelId('x') }, { pool: 'x' }])
      expect(kept(pair(work, { ...work, ...other, readyInstances: 9 }))).toEqual([1, 1]);
    const endpoints = pair(work, work);
    const { regionId: region, modelId: _ } = endpoints[0]!;
    const capacity = endpoints.map(({ skuId: sku }, i) => ({
      regionId: region,
      skuId: sku,
      gpuCapacity: i * 8,
      gpusInUse: 0,
      spotInstances: new Map(),
    }));
    expect(kept(endpoints, { ...fakeFleet(endpoints), capacity })).toEqual([0, 1]);
  });
});

describe('of the endpoints of a pool', () => {
  const waits = { queuedRequests: 2, gpusPerInstance: 4 };
  const cell = (
    endpoint: EndpointSnapshot,
    gpusInUse: number,
    spot: [EndpointSnapshot['modelId'], number][] = [],
    gpuCapacity = 8,
  ) => ({
    regionId: endpoint.regionId,
    skuId: endpoint.skuId,
    gpuCapacity,
    gpusInUse,
    spotInstances: new Map(spot),
  });
  const first = (
    endpoints: EndpointSnapshot[],
    capacity: ReturnType<typeof cell>[],
    wanted?: (endpoint: EndpointSnapshot) => number,
  ) => endpoints.map((one) => isAbandoned(one, { ...fakeFleet(endpoints), capacity }, wanted)).indexOf(true);

  it('the one gets an instance for which there are GPUs, free or as spot', () => {
    const endpoints = pair(waits, waits);
    const [a, b] = [endpoints[0]!, endpoints[1]!];
    expect(first(endpoints, [cell(a, 0), cell(b, 0)])).toBe(0);
    expect(first(endpoints, [cell(a, 5), cell(b, 0)])).toBe(1);
    expect(first(endpoints, [cell(a, 4), cell(b, 0)])).toBe(0);
    expect(first(endpoints, [cell(a, 8, [[a.modelId, 1]]), cell(b, 0)])).toBe(0);
    expect(first(endpoints, [cell(a, 8, [[modelId('unknown'), 9]]), cell(b, 0)])).toBe(1);
    expect(first(endpoints, [cell(a, -8, [], 0), cell(b, 0)])).toBe(1);
    expect(first(endpoints, [cell(a, 8), cell(b, 8)])).toBe(0);
    expect(first(endpoints, [{ ...cell(a, 8), regionId: regionId('x') }, cell(b, 0)])).toBe(0);
    // What is on its way comes, whatever room is left.
    const [coming, other] = pair({ ...waits, provisioningInstances: 1 }, waits);
    expect(first([coming!, other!], [cell(coming!, 8), cell(other!, 0)])).toBe(-1);
    // A model takes as many GPUs as it does on that SKU.
    const [two, four] = pair({ ...waits, gpusPerInstance: 2 }, waits);
    expect(first([two!, four!], [cell(two!, 8), cell(four!, 8, [[four!.modelId, 1]])])).toBe(1);
  });

  it('the one keeps or gets it that the policy wants there', () => {
    const endpoints = pair(waits, waits);
    const second = ({ skuId: sku }: EndpointSnapshot) => (sku === 'sku-1' ? 1 : 0);
    expect(first(endpoints, [], second)).toBe(1);
    expect(first(endpoints, [cell(endpoints[0]!, 0), cell(endpoints[1]!, 8)], second)).toBe(0);
    const ready = pair({ runningRequests: 1, readyInstances: 3 }, { runningRequests: 1, readyInstances: 1 });
    expect(ready.map((one) => boundedByWork(0, one, fakeFleet(ready), second))).toEqual([0, 1]);
    expect(ready.map((one) => boundedByWork(0, one, fakeFleet(ready)))).toEqual([1, 0]);
  });
});

describe('a pool that has nothing and gets nothing', () => {
  it('is given one instance, not one of each SKU', () => {
    const abandoned = (...fields: readonly Partial<EndpointSnapshot>[]) => {
      const endpoints = pair(...fields);
      return endpoints.map((one) => isAbandoned(one, fakeFleet(endpoints)));
    };
    const waits = { queuedRequests: 2 };
    expect(abandoned(waits, waits)).toEqual([true, false]);
    expect(abandoned(waits, { ...waits, readyInstances: 1 })).toEqual([false, false]);
    expect(abandoned({ ...waits, provisioningInstances: 1 }, waits)).toEqual([false, false]);
    expect(abandoned({}, {})).toEqual([false, false]);
  });
});

describe('the last instance of a model', () => {
  it('is kept for what is held back', () => {
    const endpoints = [
      ...pair({ regionId: regionId('a'), readyInstances: 1 }),
      ...pair({ regionId: regionId('b'), readyInstances: 1 }).map((one) => ({ ...one, endpointId: 'other' as never })),
    ];
    const backlog = (requests: number, id = endpoints[0]!.modelId) => [
      { modelId: id, requests, promptTokens: requests, earliestDeadlineAtMs: 1e9, due: [], arrivedTokensPerS: 0 },
    ];
    const last = (held: FleetSnapshot['backlog'], of = endpoints) =>
      of.map((one) => isLastForBacklog(one, { ...fakeFleet(of), ...(held === undefined ? {} : { backlog: held }) }));
    expect(last(backlog(1))).toEqual([true, false]);
    expect(last(backlog(0))).toEqual([false, false]);
    expect(last(undefined)).toEqual([false, false]);
    expect(last(backlog(1, modelId('x')))).toEqual([false, false]);
    expect(
      last(
        backlog(1),
        endpoints.map((one, i) => (i === 0 ? { ...one, tiers: ['interactive-fast' as const] } : one)),
      ),
    ).toEqual([false, true]);
    expect(
      last(
        backlog(1),
        endpoints.map((one, i) => (i === 0 ? { ...one, readyInstances: 0 } : one)),
      ),
    ).toEqual([false, true]);
    const stranger = { ...pair({ modelId: modelId('x'), readyInstances: 9 })[0]!, endpointId: 'another' as never };
    expect(last(backlog(1), [...endpoints, stranger])).toEqual([true, false, false]);
    const idle = { kvCacheUtilization: 0.01 };
    const reactive = (held: number) =>
      changes
        .reactive()
        .decide({ ...fakeFleet(endpoints.map((one) => ({ ...one, ...idle }))), backlog: backlog(held) }, undefined, 0)
        .map(({ endpointId, targetInstances }) => [endpointId, targetInstances]);
    expect(reactive(1)).toEqual([['other', 0]]);
    expect(reactive(0)).toHaveLength(2);
  });
});

describe('the last instance of a pool', () => {
  const busy = {
    ...pair({ readyInstances: 1, runningRequests: 3, kvCacheUtilization: 0.05, demandTokensPerS: 1 })[0]!,
    endpointId: fakeEndpoint().endpointId,
    skuId: fakeEndpoint().skuId,
  };
  const late = { doubtAfterMs: 0, cooldownMs: 0 };
  it.each<readonly [string, () => ScalingPolicy]>([
    ['lt-ua', () => changes.ltUa(late)],
    ['lt-u', () => changes.ltU({ cooldownMs: 0 })],
    ['reactive', () => changes.reactive({ cooldownMs: 0 })],
  ])('stays while requests run or wait, whatever demand is: %s', (_, create) => {
    const fleet = (endpoint: EndpointSnapshot) => ({
      ...fakeFleet([endpoint]),
      demand: [{ modelId: endpoint.modelId, regionId: endpoint.regionId, interactiveTokensPerS: 1 }],
    });
    const decided = (endpoint: EndpointSnapshot) => create().decide(fleet(endpoint), fakePlan(0), 50 * 60_000);
    expect(decided(busy)).toEqual([]);
    expect(decided({ ...busy, runningRequests: 0, queuedRequests: 2 })).toEqual([]);
    expect(decided({ ...busy, runningRequests: 0, demandTokensPerS: 0, tiers: ['interactive-fast'] })).toMatchObject([
      { targetInstances: 0 },
    ]);
    expect(decided({ ...busy, readyInstances: 2, tiers: ['interactive-fast'] })).toMatchObject([
      { targetInstances: 1 },
    ]);
  });

  it('of reactive stays while requests have come within a minute, though none is there at the moment', () => {
    const target = (demandTokensPerS: number | undefined) =>
      changes.reactive().decide(fakeFleet([{ ...busy, runningRequests: 0, demandTokensPerS }]), undefined, 0)[0]
        ?.targetInstances;
    expect([target(5), target(0), target(undefined)]).toEqual([undefined, 0, 0]);
  });
});

describe('of two SKUs of which the plan wants the second', () => {
  const [m, r] = [fakeEndpoint().modelId, fakeEndpoint().regionId];
  const target = new PlacementGrid(1, 1, 2, Float64Array.of(0, 1));
  const plan = fakePlan(0, {
    skus: [skuId('sku-0'), skuId('sku-1')],
    target,
    schedule: Array.from({ length: 12 }, () => target),
    tokensPerSPerInstance: new PlacementGrid(1, 1, 2, Float64Array.of(1e6, 1e6)),
  });
  const seen = { modelId: m, regionId: r, readyInstances: 1, runningRequests: 2, kvCacheUtilization: 0.1 };
  it.each<readonly [string, () => ScalingPolicy]>([
    ['lt-i', () => changes.ltI()],
    ['lt-u', () => changes.ltU({ cooldownMs: 0 })],
    ['oracle', () => changes.oracle()],
    ['sage', () => changes.sage({ everyMs: 0, settleMs: 0, holdDelays: 0, marginMs: 0, assumedDelayMs: 0 })],
  ])('the first goes, though there is work, and the second stays: %s', (_, create) => {
    const decided = create().decide(fakeFleet(pair(seen, seen)), plan, 60_000);
    expect(decided.map(({ endpointId, targetInstances }) => [endpointId, targetInstances])).toEqual([['r/m/sku-0', 0]]);
    // One that the plan does not know is left alone, and is nobody's keeper for that.
    expect(() => create().decide(fakeFleet(pair(seen, seen, seen)), plan, 60_000)).not.toThrow();
    expect(() =>
      create().decide(fakeFleet(pair(seen, { ...seen, skuId: skuId('sku-9') })), plan, 60_000),
    ).not.toThrow();
  });
});

describe('two SKUs of one pool', () => {
  // What a pool does is told of each of its endpoints.
  const seen = { runningRequests: 2, queuedRequests: 0, kvCacheUtilization: 0.1 };
  it.each<readonly [string, () => ScalingPolicy, string]>([
    ['lt-i', () => changes.ltI(), 'the plan says 0, held to 1'],
    ['oracle', () => changes.oracle(), '0 are needed in the time that comes, held to 1'],
    ['reactive', () => changes.reactive({ cooldownMs: 0 }), ''],
    ['lt-u', () => changes.ltU({ cooldownMs: 0 }), ''],
  ])('do not both go while there is work, nor does one come and go: %s', (name, create, words) => {
    const policy = create();
    const ready = [3, 1];
    let moves = 0;
    for (let tick = 0; tick < 60; tick++) {
      const decisions = policy.decide(
        fakeFleet(pair(...ready.map((readyInstances) => ({ ...seen, readyInstances }))), tick * 1_000),
        name === 'reactive'
          ? undefined
          : fakePlan(0, { skus: [skuId('sku-0'), skuId('sku-1')], target: new PlacementGrid(1, 1, 2) }),
        tick * 1_000,
      );
      for (const { endpointId, targetInstances, reason } of decisions) {
        const i = Number(endpointId.at(-1));
        if (ready[i] !== targetInstances) moves++;
        ready[i] = targetInstances;
        if (targetInstances === 1 && words !== '') expect(reason).toContain(words);
      }
      expect(ready[0]! + ready[1]!).toBeGreaterThan(0);
    }
    expect(ready[0]! + ready[1]!).toBe(1);
    expect(moves).toBeLessThan(5);
  });
});
