import { type AcquisitionPolicy, modelId, PolicyContractError, skuId, type VictimPolicy } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { resolveConfig, type SimulationConfig } from './config.js';
import { linearPerformance, testConfig } from './fixtures.js';
import { Fleet } from './fleet.js';
import type { InstanceEngine } from './instance-engine.js';
import { createTopology } from './topology.js';

const MINUTE = 60_000;
const SLOTS = 64;
/** Endpoints in their order: region × model × SKU. */
const [R0_M_SLOW, R0_M_FAST, R0_N_SLOW, , R1_M_SLOW] = [0, 1, 2, 3, 4];

/**
 * Two regions, models and SKUs; an endpoint has three instances and may have eight of sixteen GPUs
 * of its kind, of two GPUs each.
 */
function config(fields: Partial<SimulationConfig['endpoints'][number]> = {}, gpus = 32): SimulationConfig {
  const base = testConfig({ regions: 2 });
  const models = ['m', 'n'].map(modelId);
  const skus = ['slow', 'fast'].map((name, k) => ({
    ...base.skus[0],
    skuId: skuId(name),
    reclaimMs: (1 + k) * MINUTE,
    redeployMs: (10 + k) * MINUTE,
    newVmMs: (40 + k) * MINUTE,
  }));
  return {
    ...base,
    models,
    skus,
    endpoints: base.regions.flatMap((region) =>
      models.flatMap((model) =>
        skus.map((sku) => ({
          ...base.endpoints[0],
          region,
          model,
          sku: sku.skuId,
          gpusPerInstance: 2,
          initialInstances: 3,
          minInstances: 0,
          maxInstances: 8,
          ...fields,
        })),
      ),
    ),
    gpuCapacity: [
      [gpus, gpus],
      [gpus, gpus],
    ],
  };
}

/** A fleet whose instances are busy with what the test says. */
function fleetOf(given = config()) {
  const outstandingTokens = new Float64Array(SLOTS);
  const requests = new Map<number, number[]>();
  const pools = new Map<number, number>();
  const engine = {
    outstandingTokens,
    install: () => undefined,
    setPool: (instance: number, pool: number) => void pools.set(instance, pool),
    kvCapacity: () => linearPerformance().kvCapacityTokens,
    kvTokens: (instance: number) => 10 * outstandingTokens[instance],
    runningRequests: (instance: number) => requests.get(instance)?.length ?? 0,
    isIdle: (instance: number) => outstandingTokens[instance] === 0,
    takeAll(instance: number) {
      outstandingTokens[instance] = 0;
      return requests.get(instance) ?? [];
    },
  };
  const resolved = resolveConfig(given);
  const topology = createTopology(resolved);
  const fleet = new Fleet(resolved, topology, engine as unknown as InstanceEngine, SLOTS);
  const of = (endpoint: number) =>
    fleet.members[topology.poolOfEndpoint[endpoint]].filter((i) => fleet.endpointOf[i] === endpoint);
  return {
    fleet,
    of,
    pools,
    /** Gives an instance work. */
    work(instance: number, tokens: number, slots: number[] = []) {
      if (outstandingTokens[instance] === 0 && tokens > 0) fleet.onBusy(instance, 0);
      outstandingTokens[instance] = tokens;
      requests.set(instance, slots);
    },
    /** It has done all of it. */
    rest(instance: number, nowMs: number) {
      outstandingTokens[instance] = 0;
      fleet.onIdle(instance, nowMs);
    },
    to(endpoint: number, targetInstances: number, nowMs = 0) {
      const gained = fleet.apply(endpoint, { targetInstances }, nowMs);
      fleet.audit();
      return gained;
    },
    /** Whatever becomes ready by then does. */
    until(nowMs: number) {
      const ready: number[] = [];
      for (let atMs = fleet.becomingReady.peekKey(); atMs <= nowMs; atMs = fleet.becomingReady.peekKey()) {
        const instance = fleet.becomingReady.peek();
        fleet.finishProvisioning(instance, atMs);
        ready.push(instance);
      }
      fleet.audit();
      return ready;
    },
  };
}

const held = ({ fleet }: ReturnType<typeof fleetOf>, e: number) => [
  fleet.ready[e],
  fleet.provisioning[e],
  fleet.draining[e],
];
const spot = ({ fleet }: ReturnType<typeof fleetOf>, region: number, sku: number) =>
  [0, 1].map((model) => fleet.spotInstances(region, sku).get(model) ?? 0);

describe('what is given up', () => {
  it('is what is not ready yet before anything that is, the newest first', () => {
    const world = fleetOf();
    world.to(R0_M_SLOW, 4, 0);
    world.to(R0_M_SLOW, 5, 5 * MINUTE);
    world.to(R0_M_SLOW, 6, 10 * MINUTE);
    world.to(R0_M_SLOW, 4, 11 * MINUTE);
    expect(held(world, R0_M_SLOW)).toEqual([3, 1, 0]);
    // The oldest is kept, and is there when it was to be.
    expect(world.until(40 * MINUTE)).toHaveLength(1);
    expect(held(world, R0_M_SLOW)).toEqual([4, 0, 0]);
    expect(world.fleet.actions).toMatchObject({ cancelled: 2, scaleIn: 1, scaleOut: 3 });
    expect(world.fleet.gpusInUse(0, 0)).toBe(2 * (4 + 3));
  });

  it('is the ready instance with the least work, which drains; an idle one is donated at once', () => {
    const world = fleetOf();
    const [a, b, c] = world.of(R0_M_SLOW) as [number, number, number];
    world.work(a, 300);
    world.work(b, 100);
    world.work(c, 200);
    world.to(R0_M_SLOW, 2);
    expect(world.of(R0_M_SLOW)).toEqual([a, c]);
    expect(held(world, R0_M_SLOW)).toEqual([2, 0, 1]);
    expect(world.pools.get(b)).toBe(-1);
    expect(spot(world, 0, 0)).toEqual([0, 0]);
    world.rest(b, MINUTE);
    expect(spot(world, 0, 0)).toEqual([1, 0]);
    world.rest(c, MINUTE);
    world.to(R0_M_SLOW, 1, MINUTE);
    expect(world.of(R0_M_SLOW)).toEqual([a]);
    expect(spot(world, 0, 0)).toEqual([2, 0]);
    // Nobody else's.
    expect([held(world, R0_M_FAST), held(world, R0_N_SLOW), held(world, R1_M_SLOW)]).toEqual([
      [3, 0, 0],
      [3, 0, 0],
      [3, 0, 0],
    ]);
  });

  it('is the lowest slot where two have the same', () => {
    const world = fleetOf();
    const [a, b, c] = world.of(R0_M_SLOW) as [number, number, number];
    for (const one of [a, b, c]) world.work(one, 100);
    world.to(R0_M_SLOW, 2);
    expect(world.of(R0_M_SLOW)).toEqual([a, b, c].filter((one) => one !== Math.min(a, b, c)));
  });

  it('gives back weights that a redeployment was to replace, and the GPUs of a VM that was to come', () => {
    const world = fleetOf(config({}, 14));
    // Twelve GPUs of fourteen are held; the other model gives one instance away.
    world.to(R0_N_SLOW, 2);
    expect(spot(world, 0, 0)).toEqual([0, 1]);
    world.to(R0_M_SLOW, 4);
    expect(spot(world, 0, 0)).toEqual([0, 0]);
    world.to(R0_M_SLOW, 5);
    expect(world.fleet.actions.acquiredByWay).toMatchObject({ redeploy: 1, 'new-vm': 1 });
    expect(world.fleet.gpusInUse(0, 0)).toBe(14);
    world.to(R0_M_SLOW, 4, MINUTE);
    expect(world.fleet.gpusInUse(0, 0)).toBe(12);
    expect(spot(world, 0, 0)).toEqual([0, 0]);
    world.to(R0_M_SLOW, 3, MINUTE);
    expect(spot(world, 0, 0)).toEqual([0, 1]);
    expect(world.fleet.gpusInUse(0, 0)).toBe(12);
  });

  it('is held to the endpoint’s bounds', () => {
    const world = fleetOf(config({ minInstances: 2, maxInstances: 4 }));
    world.to(R0_M_SLOW, 0);
    expect(held(world, R0_M_SLOW)).toEqual([2, 0, 0]);
    world.to(R0_M_SLOW, 99);
    expect(held(world, R0_M_SLOW)).toEqual([2, 2, 0]);
    expect(world.fleet.actions.refused).toBe(0);
  });
});

describe('what is taken', () => {
  it('is the busiest of what drains first, at once and for nothing', () => {
    const world = fleetOf();
    const [a, b, c] = world.of(R0_M_SLOW) as [number, number, number];
    world.work(a, 300);
    world.work(b, 500);
    world.work(c, 100);
    world.to(R0_M_SLOW, 0);
    expect(held(world, R0_M_SLOW)).toEqual([0, 0, 3]);
    expect(world.to(R0_M_SLOW, 1, MINUTE)).toBe(1);
    expect(world.of(R0_M_SLOW)).toEqual([b]);
    expect(world.to(R0_M_SLOW, 2, MINUTE)).toBe(1);
    expect(world.of(R0_M_SLOW)).toEqual([b, a]);
    expect(world.fleet.actions).toMatchObject({ resumed: 2, scaleOut: 2, acquiredByWay: { 'new-vm': 0, reclaim: 0 } });
    expect(world.pools.get(b)).toBe(world.pools.get(a));
  });

  it('is then spot of the same model, of the model with the most to spare, and a new VM, each in its own time', () => {
    const world = fleetOf(config({ maxInstances: 8 }, 16));
    world.to(R0_M_SLOW, 2);
    world.to(R0_N_SLOW, 1);
    expect(spot(world, 0, 0)).toEqual([1, 2]);
    expect(world.to(R0_M_SLOW, 6, 0)).toBe(0);
    expect(world.fleet.actions.acquiredByWay).toEqual({ initial: 24, reclaim: 1, redeploy: 2, 'new-vm': 1 });
    expect(spot(world, 0, 0)).toEqual([0, 0]);
    expect(world.until(MINUTE)).toHaveLength(1);
    expect(world.until(10 * MINUTE - 1)).toHaveLength(0);
    expect(world.until(10 * MINUTE)).toHaveLength(2);
    expect(world.until(40 * MINUTE - 1)).toHaveLength(0);
    expect(world.until(40 * MINUTE)).toHaveLength(1);
    // The other SKU has its own times.
    world.to(R0_M_FAST, 4, 0);
    expect(world.until(41 * MINUTE - 1)).toHaveLength(0);
    expect(world.until(41 * MINUTE)).toHaveLength(1);
  });

  it('is of the model with the most to spare, not of the first', () => {
    const base = config({}, 64);
    const other = modelId('o');
    const world = fleetOf({
      ...base,
      models: [...base.models, other],
      endpoints: [...base.endpoints, { ...base.endpoints[0], model: other, initialInstances: 0 }],
    });
    world.to(R0_M_SLOW, 2);
    world.to(R0_N_SLOW, 1);
    world.to(8, 1);
    expect(spot(world, 0, 0)).toEqual([1, 1]);
    world.to(8, 2);
    expect(spot(world, 0, 0)).toEqual([0, 1]);
  });

  it('never comes from another region or SKU', () => {
    const world = fleetOf();
    world.to(R0_M_FAST, 0);
    world.to(R1_M_SLOW, 0);
    world.to(R0_M_SLOW, 4);
    expect(world.fleet.actions.acquiredByWay).toMatchObject({ reclaim: 0, redeploy: 0, 'new-vm': 1 });
    expect([spot(world, 0, 1), spot(world, 1, 0)]).toEqual([
      [3, 0],
      [3, 0],
    ]);
  });

  it('turns spot instances of another size out where a new VM needs their GPUs, and no more of them than it must', () => {
    const base = config({}, 12);
    const big = { ...base.endpoints[R0_N_SLOW], gpusPerInstance: 4, initialInstances: 0 };
    const world = fleetOf({ ...base, endpoints: base.endpoints.map((one, e) => (e === R0_N_SLOW ? big : one)) });
    world.to(R0_M_SLOW, 0);
    expect([world.fleet.gpusInUse(0, 0), spot(world, 0, 0)]).toEqual([6, [3, 0]]);
    world.to(R0_N_SLOW, 1);
    expect([world.fleet.gpusInUse(0, 0), spot(world, 0, 0)]).toEqual([10, [3, 0]]);
    world.to(R0_N_SLOW, 2);
    expect([world.fleet.gpusInUse(0, 0), spot(world, 0, 0)]).toEqual([12, [2, 0]]);
    world.to(R0_N_SLOW, 4);
    expect([world.fleet.gpusInUse(0, 0), spot(world, 0, 0), world.fleet.actions.refused]).toEqual([12, [0, 0], 1]);
    // What is refused leaves what is spot where it is.
    const full = fleetOf({
      ...base,
      endpoints: base.endpoints.map((one, e) => (e === R0_N_SLOW ? { ...big, gpusPerInstance: 8 } : one)),
    });
    full.to(R0_M_SLOW, 2);
    full.to(R0_N_SLOW, 2);
    expect([spot(full, 0, 0), full.fleet.actions.refused, held(full, R0_N_SLOW)]).toEqual([[0, 0], 1, [0, 1, 0]]);
  });

  it('keeps apart what is donated on different numbers of GPUs, also of one model, and turns out what is still there', () => {
    const base = config({}, 20);
    const wide = { ...base.endpoints[R0_M_SLOW], pool: 'wide', gpusPerInstance: 4, initialInstances: 1 };
    const world = fleetOf({ ...base, endpoints: [...base.endpoints, wide] });
    world.to(R0_M_SLOW, 2);
    world.to(8, 0);
    expect(spot(world, 0, 0)).toEqual([2, 0]);
    // An instance of two GPUs is had back as one, and then none is left of that size: a new VM
    // turns the wide one out.
    world.to(R0_M_SLOW, 3);
    expect([spot(world, 0, 0), world.fleet.gpusInUse(0, 0)]).toEqual([[1, 0], 16]);
    world.to(R0_N_SLOW, 8);
    expect([spot(world, 0, 0), world.fleet.gpusInUse(0, 0), world.fleet.actions.acquiredByWay.redeploy]).toEqual([
      [0, 0],
      20,
      0,
    ]);
  });

  it('may be an instance that an endpoint begins with as spot', () => {
    const world = fleetOf(config({ initialSpotInstances: 2 }));
    expect(spot(world, 0, 0)).toEqual([2, 2]);
    expect(world.fleet.gpusInUse(0, 0)).toBe(2 * (3 + 2) * 2);
    world.to(R0_M_SLOW, 5);
    expect(world.fleet.actions.acquiredByWay).toMatchObject({ reclaim: 2, 'new-vm': 0 });
  });
});

describe('policies of one’s own', () => {
  const withPolicies = (policies: Partial<SimulationConfig['policies']>, given = config()): SimulationConfig => ({
    ...given,
    policies: { ...given.policies, ...policies },
  });
  const victim = (choose: VictimPolicy['choose']) => withPolicies({ victim: { name: 'mine', choose } });
  const acquisition = (choose: AcquisitionPolicy['choose'], given = config()) =>
    withPolicies({ acquisition: { name: 'mine', choose } }, given);
  /** A way of this kind where there is one, otherwise none. */
  const only =
    (kind: string): AcquisitionPolicy['choose'] =>
    (options) => {
      for (let o = 0; o < options.count; o++) if (options.kind(o) === kind) return o;
      return -1;
    };

  it('say who drains: the most loaded, also while another is still to come', () => {
    const world = fleetOf(
      victim((candidates) => {
        let most = 0;
        for (let i = 1; i < candidates.count; i++)
          if (candidates.outstandingTokens(i)! > candidates.outstandingTokens(most)!) most = i;
        return most;
      }),
    );
    const [a, b, c] = world.of(R0_M_SLOW) as [number, number, number];
    world.work(a, 300);
    world.work(b, 100);
    world.work(c, 200);
    world.to(R0_M_SLOW, 4);
    world.to(R0_M_SLOW, 2);
    expect(world.of(R0_M_SLOW)).toEqual([b]);
    expect([held(world, R0_M_SLOW), world.fleet.actions.cancelled]).toEqual([[1, 1, 2], 0]);
  });

  it('are shown each candidate as it is, once, the ready ones before those to come', () => {
    const seen: unknown[][] = [];
    const world = fleetOf(
      victim((candidates) => {
        seen.push([candidates.endpointId]);
        for (let i = 0; i < candidates.count; i++)
          seen.push([
            candidates.instanceId(i),
            candidates.state(i),
            candidates.outstandingTokens(i),
            candidates.runningRequests(i),
            candidates.kvCacheUtilization(i),
            candidates.sinceRequestedMs(i),
            candidates.untilReadyMs(i),
            candidates.ageMs(i),
          ]);
        return candidates.count - 1;
      }),
    );
    const [a, b, c] = world.of(R0_M_SLOW) as [number, number, number];
    world.work(b, 500, [1, 2]);
    world.to(R0_M_SLOW, 4, MINUTE);
    world.until(41 * MINUTE);
    world.to(R0_M_SLOW, 5, 43 * MINUTE);
    const [d] = world.of(R0_M_SLOW).filter((i) => ![a, b, c].includes(i));
    world.to(R0_M_SLOW, 3, 45 * MINUTE);
    const idle = (i: number, since: number | undefined) => [`r0/m/shared/${i}`, 'ready', 0, 0, 0, since, 0, 0];
    const first = [
      ['r0/m/slow'],
      idle(a, undefined),
      [`r0/m/shared/${b}`, 'ready', 500, 2, 5_000 / linearPerformance().kvCapacityTokens, undefined, 0, 0],
      idle(c, undefined),
      idle(d, 44 * MINUTE),
    ];
    expect(seen.slice(0, 6)).toEqual([
      ...first,
      [expect.any(String), 'provisioning', 0, 0, undefined, 2 * MINUTE, 38 * MINUTE, 0],
    ]);
    expect(seen.slice(6)).toEqual(first);
    expect([held(world, R0_M_SLOW), world.of(R0_M_SLOW)]).toEqual([
      [3, 0, 0],
      [a, b, c],
    ]);
  });

  it('say in which way an instance is had: new VMs before what is donated, and in its place', () => {
    const world = fleetOf(acquisition(only('new-vm'), config({}, 14)));
    world.to(R0_M_SLOW, 1);
    world.to(R0_N_SLOW, 2);
    expect(spot(world, 0, 0)).toEqual([2, 1]);
    world.to(R0_M_SLOW, 4);
    expect(world.fleet.actions.acquiredByWay).toEqual({ initial: 24, reclaim: 0, redeploy: 0, 'new-vm': 3 });
    // One had room; two turned out what was there.
    expect([spot(world, 0, 0), world.fleet.gpusInUse(0, 0)]).toEqual([[0, 1], 14]);
    expect(world.until(40 * MINUTE)).toHaveLength(3);
  });

  it('may take nothing rather than what there is: that is refused, and asked anew with the next decision', () => {
    let asked = 0;
    const world = fleetOf(acquisition((options, nowMs) => (asked++, only('reclaim')(options, nowMs))));
    world.to(R0_M_SLOW, 2);
    expect(world.to(R0_M_SLOW, 6)).toBe(0);
    expect([held(world, R0_M_SLOW), asked, world.fleet.actions.refused]).toEqual([[2, 1, 0], 2, 3]);
    expect([world.fleet.tookNone(R0_M_SLOW), world.fleet.tookNone(R0_M_FAST)]).toEqual([true, false]);
    world.to(R0_M_SLOW, 6);
    expect([asked, world.fleet.actions.refused]).toEqual([3, 6]);
    world.to(R0_M_SLOW, 3);
    expect(world.fleet.tookNone(R0_M_SLOW)).toBe(false);
  });

  it('are shown every way there is, and are not asked where there is none', () => {
    const seen: unknown[] = [];
    const world = fleetOf(
      acquisition(
        (options) => {
          seen.push([options.endpointId, options.modelId]);
          for (let o = 0; o < options.count; o++)
            seen.push([
              options.kind(o),
              options.source(o),
              options.weightsOf(o),
              options.available(o),
              options.expectedDelayMs(o),
              options.usdPerHour(o),
            ]);
          return 0;
        },
        config({}, 20),
      ),
    );
    const [a, b] = world.of(R0_M_SLOW) as [number, number];
    world.work(a, 10);
    world.work(b, 20);
    world.to(R0_M_SLOW, 0);
    world.to(R0_N_SLOW, 1);
    world.to(R0_M_SLOW, 1);
    expect(seen).toEqual([
      ['r0/m/slow', 'm'],
      ['resume', 'r0/slow', 'm', 2, 0, 2],
      ['reclaim', 'r0/slow', 'm', 1, MINUTE, 2],
      ['redeploy', 'r0/slow', 'n', 2, 10 * MINUTE, 2],
      ['new-vm', 'r0/slow', undefined, 7, 40 * MINUTE, 2],
    ]);
    expect([held(world, R0_M_SLOW), world.of(R0_M_SLOW)]).toEqual([[1, 0, 1], [b]]);
    seen.length = 0;
    world.fleet.loseRegion(0, MINUTE);
    world.to(R0_M_SLOW, 2, MINUTE);
    expect([seen, world.fleet.tookNone(R0_M_SLOW)]).toEqual([[], false]);
  });

  it('that leave what drains where it is keep within what the endpoint may hold', () => {
    const world = fleetOf(acquisition((options) => options.count - 1, config({ maxInstances: 4 }, 64)));
    for (const one of world.of(R0_M_SLOW)) world.work(one, 100);
    world.to(R0_M_SLOW, 0);
    world.to(R0_M_SLOW, 1);
    expect(held(world, R0_M_SLOW)).toEqual([0, 1, 3]);
    // No room for another beside those three: they are all that is offered.
    expect(world.to(R0_M_SLOW, 4)).toBe(3);
    expect([held(world, R0_M_SLOW), world.fleet.actions.refused]).toEqual([[3, 1, 0], 0]);
  });

  it.each([NaN, 99, -2, 0.5, '0', undefined, Promise.resolve(0)])(
    'are told by name where they answer with %s',
    (answer) => {
      const choose = (() => answer) as unknown as VictimPolicy['choose'] & AcquisitionPolicy['choose'];
      const given = fleetOf(victim(choose));
      expect(() => given.to(R0_M_SLOW, 2)).toThrow(PolicyContractError);
      expect(() => given.to(R0_M_SLOW, 2)).toThrow(/^victim policy "mine" answered with .* has 3 to choose from$/);
      const had = fleetOf(acquisition(choose));
      expect(() => had.to(R0_M_SLOW, 4)).toThrow(PolicyContractError);
      expect(() => had.to(R0_M_SLOW, 4)).toThrow(/^acquisition policy "mine" answered with .* has 1 to choose from$/);
    },
  );

  it('are needed', () => {
    for (const [field, noun] of [
      ['victim', 'victim policy'],
      ['acquisition', 'acquisition policy'],
    ] as const)
      expect(() => fleetOf(withPolicies({ [field]: undefined }))).toThrow(
        `${noun} without a name has no method choose()`,
      );
  });
});

describe('the delay that was measured', () => {
  it('is the longest of the last eight, of its own endpoint', () => {
    const world = fleetOf(config({ maxInstances: 20 }, 64));
    expect(world.fleet.measuredDelayMs(R0_M_SLOW)).toBeUndefined();
    world.to(R0_M_SLOW, 4, 0);
    world.until(40 * MINUTE);
    expect(world.fleet.measuredDelayMs(R0_M_SLOW)).toBe(40 * MINUTE);
    expect(world.fleet.measuredDelayMs(R0_N_SLOW)).toBeUndefined();
    let nowMs = 100 * MINUTE;
    for (let n = 1; n <= 8; n++) {
      world.to(R0_M_SLOW, 3, nowMs);
      world.to(R0_M_SLOW, 4, nowMs);
      world.until((nowMs += 5 * MINUTE));
      expect(world.fleet.measuredDelayMs(R0_M_SLOW)).toBe(n < 8 ? 40 * MINUTE : MINUTE);
    }
  });
});

describe('an eviction', () => {
  it('puts the instances with the least work on notice, which drain and are gone for good', () => {
    const world = fleetOf();
    const [a, b, c] = world.of(R0_M_SLOW) as [number, number, number];
    const [d, e, f] = world.of(R0_N_SLOW) as [number, number, number];
    for (const [i, one] of [a, b, c, d, e, f].entries()) world.work(one, 600 - 100 * i);
    const idle = world.of(R1_M_SLOW)[0];
    expect(world.fleet.notice(0, 0, 2, 0)).toEqual([f, e]);
    expect([world.fleet.awaitsEviction(f), world.fleet.awaitsEviction(d), world.fleet.awaitsEviction(idle)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([held(world, R0_M_SLOW), held(world, R0_N_SLOW), held(world, R0_M_FAST)]).toEqual([
      [3, 0, 0],
      [1, 0, 2],
      [3, 0, 0],
    ]);
    // It is not put back to work, nor donated when it has none left: its GPUs go back to the cloud.
    world.to(R0_N_SLOW, 2);
    expect(world.fleet.actions).toMatchObject({ resumed: 0, acquiredByWay: { 'new-vm': 1 } });
    const before = world.fleet.gpusInUse(0, 0);
    world.rest(f, MINUTE);
    expect(spot(world, 0, 0)).toEqual([0, 0]);
    expect(world.fleet.gpusInUse(0, 0)).toBe(before - 2);
    expect(world.fleet.actions.lost).toBe(1);
    // One that is still busy at the end loses what it has.
    world.work(e, 50, [7, 8]);
    expect(world.fleet.lose(e, 2 * MINUTE)).toEqual([7, 8]);
    world.fleet.audit();
    expect(world.fleet.awaitsEviction(e)).toBe(false);
  });

  it('is of what is ready, not of what drains or is on its way', () => {
    const world = fleetOf();
    for (const one of world.of(R0_M_SLOW)) world.work(one, 10);
    for (const one of world.of(R0_N_SLOW)) world.work(one, 500);
    world.to(R0_M_SLOW, 1);
    world.to(R0_N_SLOW, 4);
    expect(world.fleet.notice(0, 0, 99, 0)).toHaveLength(1 + 3);
    world.fleet.audit();
    expect([held(world, R0_M_SLOW), held(world, R0_N_SLOW)]).toEqual([
      [0, 0, 3],
      [0, 1, 3],
    ]);
  });

  it('of an idle instance ends no work', () => {
    const world = fleetOf();
    world.fleet.lose(world.of(R0_M_SLOW)[0], MINUTE);
    expect(world.fleet.heldTime(R0_M_SLOW, 9 * MINUTE)).toMatchObject({ busyMs: 0, readyMs: (2 * 9 + 1) * MINUTE });
  });

  it('takes an idle one at once', () => {
    const world = fleetOf();
    world.fleet.notice(0, 0, 1, 0);
    world.fleet.audit();
    expect(world.fleet.ready[R0_M_SLOW] + world.fleet.ready[R0_N_SLOW]).toBe(5);
    expect([world.fleet.draining[R0_M_SLOW], world.fleet.actions.lost, world.fleet.gpusInUse(0, 0)]).toEqual([
      0, 1, 10,
    ]);
  });

  it('takes so many spot instances and no more', () => {
    const world = fleetOf(config({ initialSpotInstances: 2 }));
    world.fleet.loseSpot(0, 0, 3, 0);
    world.fleet.audit();
    expect(spot(world, 0, 0)).toEqual([0, 1]);
    expect([world.fleet.actions.lost, world.fleet.gpusInUse(0, 0), world.fleet.gpusInUse(0, 1)]).toEqual([3, 14, 20]);
  });
});

describe('what is done', () => {
  it('is counted once, and not where nothing is to be done', () => {
    const world = fleetOf();
    world.to(R0_M_SLOW, 3);
    expect(world.fleet.actions).toMatchObject({ scaleIn: 0, scaleOut: 0 });
    world.to(R0_M_SLOW, 1);
    world.to(R0_M_SLOW, 3);
    expect(world.fleet.actions).toMatchObject({
      scaleIn: 1,
      scaleOut: 1,
      resumed: 0,
      cancelled: 0,
      refused: 0,
      lost: 0,
    });
  });

  it('in the last region and of the last SKU is done there', () => {
    const world = fleetOf();
    const busy = world.of(7);
    for (const one of [...world.of(5), ...busy]) world.work(one, 100 - one);
    expect(world.fleet.notice(1, 1, 2, 0)).toEqual([...world.of(5), ...busy].sort((a, b) => b - a).slice(0, 2));
    expect([world.fleet.gpusInUse(1, 1), world.fleet.gpusInUse(1, 0), world.fleet.gpusInUse(0, 1)]).toEqual([
      12, 12, 12,
    ]);
    world.to(5, 0);
    world.to(4, 8);
    expect([world.fleet.gpusInUse(1, 0), world.fleet.gpusInUse(0, 1)]).toEqual([22, 12]);
    // Where two have the same work the lower slot goes first.
    const even = fleetOf();
    for (const one of [...even.of(R0_M_SLOW), ...even.of(R0_N_SLOW)]) even.work(one, 5);
    const [first, second] = [...even.of(R0_M_SLOW), ...even.of(R0_N_SLOW)].sort((a, b) => a - b);
    expect(even.fleet.notice(0, 0, 2, 0)).toEqual([first, second]);
  });
});

describe('an outage', () => {
  it(
    'takes all of its region, whatever it is doing, and nothing of the other; nothing starts there until the last ' +
      'one is over',
    () => {
      const world = fleetOf(config({ initialSpotInstances: 1 }));
      const [a, b] = world.of(R0_M_SLOW) as [number, number, number];
      world.work(a, 10, [1]);
      world.work(b, 20, [2, 3]);
      world.to(R0_M_SLOW, 1);
      world.to(R0_M_FAST, 5);
      const other = [4, 5, 6, 7].map((e) => held(world, e));
      expect(world.fleet.loseRegion(0, MINUTE).sort()).toEqual([1, 2, 3]);
      world.fleet.audit();
      expect([0, 1, 2, 3].map((e) => held(world, e))).toEqual(Array(4).fill([0, 0, 0]));
      expect([4, 5, 6, 7].map((e) => held(world, e))).toEqual(other);
      expect([world.fleet.gpusInUse(0, 0), world.fleet.gpusInUse(0, 1), spot(world, 0, 0), spot(world, 1, 0)]).toEqual([
        0,
        0,
        [0, 0],
        [1, 1],
      ]);
      expect([world.fleet.isDown(0), world.fleet.isDown(1)]).toEqual([true, false]);
      world.fleet.loseRegion(0, MINUTE);
      world.fleet.restoreRegion(0);
      world.to(R0_M_SLOW, 2, MINUTE);
      expect([world.fleet.isDown(0), held(world, R0_M_SLOW), world.fleet.actions.refused]).toEqual([
        true,
        [0, 0, 0],
        2,
      ]);
      world.fleet.restoreRegion(0);
      world.to(R0_M_SLOW, 2, MINUTE);
      expect([world.fleet.isDown(0), held(world, R0_M_SLOW)]).toEqual([false, [0, 2, 0]]);
      expect(world.until(100 * MINUTE)).toHaveLength(2);
    },
  );
});

describe('time that is held', () => {
  // Of the first endpoint and of one in the middle, in the other region and of the other SKU.
  it.each([
    [R0_M_SLOW, 0, 0],
    [5, 1, 1],
  ])('is counted as ready, draining, busy, provisioning by way, and spot (endpoint %i)', (e, region, sku) => {
    const world = fleetOf();
    const [a] = world.of(e) as [number];
    for (const one of world.of(e)) world.work(one, 1_000 - one);
    const all = world.of(e);
    world.to(e, 2, 10 * MINUTE);
    const drained = all.find((i) => !world.of(e).includes(i))!;
    world.rest(drained, 15 * MINUTE);
    world.to(e, 3, 20 * MINUTE);
    world.until(20 * MINUTE + (1 + sku) * MINUTE);
    expect(world.fleet.heldTime(e, 30 * MINUTE)).toEqual({
      gpusPerInstance: 2,
      usdPerGpuHour: 1,
      readyMs: (2 * 30 + 10 + 9 - sku) * MINUTE,
      drainingMs: 5 * MINUTE,
      busyMs: (2 * 30 + 15) * MINUTE,
      provisioningMs: [0, (1 + sku) * MINUTE, 0, 0],
    });
    expect(world.fleet.spotGpuMs(region, sku, 30 * MINUTE)).toBe(2 * 5 * MINUTE);
    expect(world.fleet.spotGpuMs(1 - region, sku, 30 * MINUTE)).toBe(0);
    expect(world.fleet.spotGpuMs(region, 1 - sku, 30 * MINUTE)).toBe(0);
    expect(world.fleet.poolKvCapacity[world.pools.get(a)!]).toBe(3 * linearPerformance().kvCapacityTokens * 2);
  });

  it.each([
    [R0_M_SLOW, 0, 0],
    [5, 1, 1],
  ])('ends with what is lost, whatever that was doing, and with what is given up (endpoint %i)', (e, region, sku) => {
    const world = fleetOf();
    const [a, b, c] = world.of(e) as [number, number, number];
    world.work(a, 10);
    world.work(b, 20);
    world.to(e, 2, 10 * MINUTE);
    world.work(a, 30);
    // One drains, one is busy, and one comes new in two ways of which one is given up.
    world.to(e, 1, 20 * MINUTE);
    expect(held(world, e)).toEqual([1, 0, 1]);
    world.fleet.loseSpot(region, sku, 9, 20 * MINUTE);
    world.to(e, 2, 20 * MINUTE);
    expect(held(world, e)).toEqual([2, 0, 0]);
    world.to(e, 4, 25 * MINUTE);
    world.to(e, 3, 30 * MINUTE);
    world.fleet.loseRegion(region, 35 * MINUTE);
    world.fleet.audit();
    const { readyMs, drainingMs, busyMs, provisioningMs } = world.fleet.heldTime(e, 90 * MINUTE);
    expect([readyMs, drainingMs, busyMs, provisioningMs].flat().map((ms) => ms / MINUTE)).toEqual([
      2 * 35 + 10,
      0,
      2 * 35,
      0,
      0,
      0,
      10 + 5,
    ]);
    expect(world.fleet.heldTime(e, 200 * MINUTE)).toEqual(world.fleet.heldTime(e, 90 * MINUTE));
    expect(c).toBeGreaterThanOrEqual(0);
    // What was draining when it was lost.
    const other = fleetOf();
    const [d] = other.of(e) as [number];
    for (const one of other.of(e)) other.work(one, 10 + one);
    other.to(e, 2, 10 * MINUTE);
    other.fleet.lose(d, 20 * MINUTE);
    other.fleet.audit();
    expect(other.fleet.heldTime(e, 90 * MINUTE)).toMatchObject({
      readyMs: (2 * 90 + 10) * MINUTE,
      drainingMs: 10 * MINUTE,
      busyMs: (2 * 90 + 20) * MINUTE,
    });
  });
});

describe('an audit', () => {
  it('finds instances, GPUs and slots that do not add up', () => {
    const broken = (change: (world: ReturnType<typeof fleetOf>) => void) => {
      const world = fleetOf();
      world.to(R0_M_SLOW, 4);
      world.fleet.audit();
      change(world);
      return () => world.fleet.audit();
    };
    expect(
      broken(({ fleet }) => {
        fleet.ready[6]++;
      }),
    ).toThrow('endpoint 6 counts its instances wrongly');
    expect(
      broken(({ fleet }) => {
        fleet.provisioning[0]--;
      }),
    ).toThrow('endpoint 0 counts its instances wrongly');
    expect(
      broken(({ fleet }) => {
        fleet.draining[3]++;
      }),
    ).toThrow('endpoint 3 counts its instances wrongly');
    expect(
      broken(({ fleet }) => {
        fleet.state[fleet.members[0][0]] = 0;
      }),
    ).toThrow('instance slots were lost');
    expect(
      broken(({ fleet, of }) => {
        fleet.endpointOf[of(R1_M_SLOW)[0]] = 5;
      }),
    ).toThrow('counts its instances wrongly');
    // An instance too many of a full region, and one that holds GPUs which nobody counts.
    const moved = broken(({ fleet, of }) => {
      fleet.endpointOf[of(R1_M_SLOW)[0]] = 6;
      fleet.ready[R1_M_SLOW]--;
      fleet.ready[6]++;
    });
    expect(moved).not.toThrow();
    const elsewhere = broken(({ fleet, of }) => {
      fleet.endpointOf[of(R1_M_SLOW)[0]] = 5;
      fleet.ready[R1_M_SLOW]--;
      fleet.ready[5]++;
    });
    expect(elsewhere).toThrow('GPUs of r1 do not add up: 10 against 12');
    // Capacity that is no longer there.
    for (const [region, sku] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const shrunk = config();
      const world = fleetOf(shrunk);
      (shrunk.gpuCapacity as number[][])[region][sku] = 11;
      expect(() => world.fleet.audit()).toThrow(`r${region} holds 12 GPUs, above its capacity`);
    }
  });

  it('is needed by nobody who asks for more than there are slots: that is refused', () => {
    const world = fleetOf(config({ maxInstances: 100 }, 10_000));
    expect(() => world.to(R0_M_SLOW, 100)).toThrow('more instances than the endpoints may have');
  });
});
