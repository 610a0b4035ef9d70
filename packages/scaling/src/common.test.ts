import {
  type EndpointSnapshot,
  modelId,
  PlacementGrid,
  type PlacementPlan,
  regionId,
  type ScalingPolicy,
  skuId,
} from '@sageserve/core';
import { fakeEndpoint, fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { withBounds, withCooldown } from './decorators.js';
import { changes, fakePlan } from './fixtures.js';
import { cellOf, isUnknown, observedTokensPerS, plannedCount, windowAt } from './planned.js';

const MINUTE = 60_000;
const ALL: readonly (readonly [string, () => ScalingPolicy])[] = [
  ['reactive', changes.reactive],
  ['siloed', changes.siloed],
  ['chiron-like', changes.chiron],
  ['lt-i', changes.ltI],
  ['lt-u', changes.ltU],
  ['lt-ua', changes.ltUa],
  ['oracle', changes.oracle],
  ['sage', changes.sage],
];
const decide = (policy: ScalingPolicy, endpoint: EndpointSnapshot, plan?: PlacementPlan, nowMs = 0) =>
  policy.decide(fakeFleet([endpoint], nowMs), plan, nowMs)[0]?.targetInstances;

describe('an endpoint that has nothing and gets nothing', () => {
  const empty = { minInstances: 0, readyInstances: 0, provisioningInstances: 0, kvCacheUtilization: undefined };
  it.each(ALL)('is given one where requests wait, whatever the plan says: %s', (_, create) => {
    const target = (fields: Partial<EndpointSnapshot>) =>
      decide(create(), fakeEndpoint({ ...empty, ...fields }), fakePlan(0));
    expect(target({ queuedRequests: 1 })).toBe(1);
    expect(target({ queuedRequests: 0 })).toBeUndefined();
    expect(target({ queuedRequests: undefined })).toBeUndefined();
    expect(target({ queuedRequests: 1, maxInstances: 0 })).toBeUndefined();
    expect(target({ queuedRequests: 1, provisioningInstances: 1 })).toBeUndefined();
  });

  it.each(ALL)('is given its minimum: %s', (_, create) => {
    expect(decide(create(), fakeEndpoint({ ...empty, minInstances: 3 }), fakePlan(3))).toBe(3);
    expect(
      decide(create(), fakeEndpoint({ ...empty, minInstances: 3, provisioningInstances: 3 }), fakePlan(3)),
    ).toBeUndefined();
  });
});

describe('what a plan says of an endpoint', () => {
  it('is nothing where it names another model, region or SKU, and each strategy leaves that alone', () => {
    const plan = fakePlan(9);
    const others = [
      fakeEndpoint({ modelId: modelId('x') }),
      fakeEndpoint({ regionId: regionId('x') }),
      fakeEndpoint({ skuId: skuId('x') }),
    ];
    for (const other of others) {
      expect(cellOf(plan, other)).toBeUndefined();
      expect(plannedCount(plan, other)).toBeUndefined();
      for (const create of [changes.ltI, changes.ltU, changes.ltUa, changes.oracle, changes.sage])
        expect(create().decide(fakeFleet([{ ...other, kvCacheUtilization: 0.95 }]), plan, 50 * MINUTE)).toEqual([]);
    }
    expect(plannedCount(plan, fakeEndpoint())).toBe(9);
    expect(plannedCount(undefined, fakeEndpoint())).toBeUndefined();
  });

  it('is of the window in which a time lies, held to the first and the last', () => {
    const { demand } = fakePlan(1, { validFromMs: 0 });
    const at = (minutes: number) => windowAt({ ...demand!, startMs: 60 * MINUTE }, minutes * MINUTE);
    expect([0, 60, 69.9, 70, 169.9, 170, 179.9, 180, 1_000].map(at)).toEqual([0, 0, 0, 1, 10, 11, 11, 11, 11]);
  });

  it('is unknown of an endpoint that has instances and no reading', () => {
    expect(isUnknown(fakeEndpoint({ readyInstances: 1, kvCacheUtilization: undefined }))).toBe(true);
    expect(isUnknown(fakeEndpoint({ readyInstances: 1, kvCacheUtilization: 0 }))).toBe(false);
    expect(isUnknown(fakeEndpoint({ readyInstances: 0, kvCacheUtilization: undefined }))).toBe(false);
  });

  it('stands beside the demand of the endpoint’s own model and region', () => {
    const endpoints = fakeEndpoints();
    const demand = endpoints
      .filter((_, i) => i % 2 === 0)
      .map(({ modelId: m, regionId: r }, i) => ({ modelId: m, regionId: r, interactiveTokensPerS: 10 + i }));
    const fleet = { ...fakeFleet(endpoints), demand };
    expect(endpoints.map((endpoint) => observedTokensPerS(fleet, endpoint))).toEqual([10, 10, 11, 11, 12, 12, 13, 13]);
    expect(observedTokensPerS(fleet, fakeEndpoint({ modelId: modelId('x') }))).toBeUndefined();
    expect(observedTokensPerS(fakeFleet(endpoints), endpoints[0]!)).toBeUndefined();
  });
});

describe('thresholds', () => {
  it('of reactive and lt-u are passed, not met', () => {
    const at = (
      policy: ScalingPolicy,
      kvCacheUtilization: number | undefined,
      fields: Partial<EndpointSnapshot> = {},
      plan = 6,
    ) => decide(policy, fakeEndpoint({ readyInstances: 6, kvCacheUtilization, ...fields }), fakePlan(plan));
    for (const create of [changes.reactive, changes.siloed]) {
      expect([
        at(create(), 0.7),
        at(create(), 0.71),
        at(create(), 0.3),
        at(create(), 0.29),
        at(create(), undefined),
      ]).toEqual([undefined, 7, undefined, 5, undefined]);
      expect([at(create(), 0.71, { maxInstances: 6 }), at(create(), 0.29, { minInstances: 6 })]).toEqual([
        undefined,
        undefined,
      ]);
      // What is on its way counts.
      expect([
        at(create(), 0.71, { provisioningInstances: 3 }),
        at(create(), 0.71, { provisioningInstances: 4 }),
      ]).toEqual([10, undefined]);
    }
    expect([
      at(changes.ltU(), 0.7, {}, 8),
      at(changes.ltU(), 0.71, {}, 8),
      at(changes.ltU(), 0.9),
      at(changes.ltU(), 0.91),
    ]).toEqual([undefined, 7, undefined, 7]);
    expect([
      at(changes.ltU(), 0.3, {}, 4),
      at(changes.ltU(), 0.29, {}, 4),
      at(changes.ltU(), undefined, {}, 4),
    ]).toEqual([undefined, 5, undefined]);
    expect([at(changes.ltU(), 0.71, { maxInstances: 6 }, 8), at(changes.ltU(), 0.29, { minInstances: 6 }, 4)]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('of lt-ua need what was seen, a forecast, and its age', () => {
    const endpoint = fakeEndpoint({ readyInstances: 4, kvCacheUtilization: 0.8 });
    const late = (
      fields: Partial<PlacementPlan>,
      observed: number | undefined,
      minute = 45,
      kvCacheUtilization = 0.8,
    ) =>
      changes.ltUa().decide(
        {
          ...fakeFleet([{ ...endpoint, kvCacheUtilization }], minute * MINUTE),
          demand: [{ modelId: endpoint.modelId, regionId: endpoint.regionId, interactiveTokensPerS: observed }],
        },
        fakePlan(4, fields),
        minute * MINUTE,
      )[0]?.targetInstances;
    expect([late({}, 9_000), late({}, undefined), late({ demand: undefined as never }, 9_000)]).toEqual([
      5,
      undefined,
      undefined,
    ]);
    expect([
      late({}, 9_000, 40),
      late({}, 9_000, 39.99),
      late({ validFromMs: 10 * MINUTE }, 9_000, 49),
      late({ validFromMs: 10 * MINUTE }, 9_000, 50),
    ]).toEqual([5, undefined, undefined, 5]);
    const none = fakePlan(4).demand!;
    const zero = { ...none, expectedTokensPerS: none.expectedTokensPerS.map(() => new PlacementGrid(1, 1, 1)) };
    expect([late({ demand: zero }, 9_000), late({ demand: zero }, 0, 45, 0.1)]).toEqual([undefined, undefined]);
  });
});

describe('a cooldown', () => {
  it('is of each endpoint by itself, and begins with a change alone', () => {
    const [a, b] = fakeEndpoints(({ k }) => ({ readyInstances: 4 + k }));
    const targets = new Map([
      [a!.endpointId, 5],
      [b!.endpointId, 5],
    ]);
    const policy = withCooldown(
      {
        name: 'x',
        decide: () =>
          [...targets].map(([endpointId, targetInstances]) => ({ endpointId, targetInstances, reason: 'x' })),
      },
      { cooldownMs: 1_000 },
    );
    const asked = (nowMs: number) =>
      policy
        .decide(fakeFleet([a!, b!]), undefined, nowMs)
        .map(({ endpointId }) => (endpointId === a!.endpointId ? 'a' : 'b'));
    // A decision that changes nothing is no change.
    expect([asked(0), asked(1), asked(999), asked(1_000)]).toEqual([['a', 'b'], ['b'], ['b'], ['a', 'b']]);
    targets.set(b!.endpointId, 6);
    expect([asked(3_000), asked(3_500), asked(4_000)]).toEqual([['a', 'b'], [], ['a', 'b']]);
  });

  it.each([
    ['reactive', changes.reactive, 15_000],
    ['lt-u', changes.ltU, 15_000],
    ['chiron-like', changes.chiron, 60_000],
  ] as const)('of %s is as long as it says, and may be none', (_, create, cooldownMs) => {
    const busy = fakeEndpoint({ readyInstances: 4, kvCacheUtilization: 0.8 });
    const times = (policy: ScalingPolicy) =>
      [0, 1, cooldownMs - 1, cooldownMs].map((nowMs) => decide(policy, busy, fakePlan(8), nowMs));
    expect(times(create())).toEqual([5, undefined, undefined, 5]);
    expect(times(create({ cooldownMs: 0 }))).toEqual([5, 5, 5, 5]);
  });
});

describe('bounds', () => {
  it('of a decorator hold for whatever is decided, about endpoints that are not seen too', () => {
    const endpoint = fakeEndpoint({ minInstances: 2, maxInstances: 10 });
    const ask = (target: number, options: object, endpointId = endpoint.endpointId) =>
      withBounds({ name: 'x', decide: () => [{ endpointId, targetInstances: target, reason: 'x' }] }, options).decide(
        fakeFleet([endpoint]),
        undefined,
        0,
      )[0]!;
    expect([ask(1, {}), ask(99, {}), ask(5, {})].map((one) => one.targetInstances)).toEqual([2, 10, 5]);
    expect(
      [ask(1, { minInstances: 4 }), ask(9, { maxInstances: 6 }), ask(9, { maxInstances: 1 })].map(
        (one) => one.targetInstances,
      ),
    ).toEqual([4, 6, 2]);
    expect(
      [ask(0, {}, 'ghost' as never), ask(99, {}, 'ghost' as never), ask(99, { maxInstances: 6 }, 'ghost' as never)].map(
        (one) => one.targetInstances,
      ),
    ).toEqual([0, 99, 6]);
    expect(ask(99, {}).reason).toBe('x; held to 2–10');
  });
});

describe('static', () => {
  it('asks for what was there first, when some of it is gone, and for nothing else', () => {
    const policy = changes.static();
    const [a, b] = fakeEndpoints();
    const at = (readyA: number, readyB: number, provisioningA = 0, bounds: Partial<EndpointSnapshot> = {}) =>
      policy
        .decide(
          fakeFleet([
            { ...a!, ...bounds, readyInstances: readyA, provisioningInstances: provisioningA },
            { ...b!, readyInstances: readyB },
          ]),
          undefined,
          0,
        )
        .map(({ endpointId, targetInstances }) => [endpointId === a!.endpointId ? 'a' : 'b', targetInstances]);
    expect(at(4, 3, 1)).toEqual([]);
    expect(at(2, 3)).toEqual([['a', 5]]);
    expect(at(2, 0, 3)).toEqual([['b', 3]]);
    expect(at(7, 9)).toEqual([]);
    expect(at(1, 3, 0, { maxInstances: 4 })).toEqual([['a', 4]]);
    expect(at(1, 3, 0, { minInstances: 6 })).toEqual([['a', 6]]);
  });
});

describe('without a plan', () => {
  it.each([
    ['lt-i', changes.ltI],
    ['lt-u', changes.ltU],
    ['lt-ua', changes.ltUa],
    ['sage', changes.sage],
  ] as const)('%s is reactive, or what it is given', (_, create) => {
    const busy = fakeEndpoint({ readyInstances: 4, kvCacheUtilization: 0.8 });
    expect(decide(create(), busy)).toBe(5);
    const own: ScalingPolicy = {
      name: 'own',
      decide: (fleet) => [{ endpointId: fleet.endpoints[0]!.endpointId, targetInstances: 9, reason: 'x' }],
    };
    expect(decide(create({ withoutPlan: own }), busy)).toBe(9);
  });

  it('oracle changes nothing', () => {
    expect(decide(changes.oracle(), fakeEndpoint())).toBeUndefined();
    const { demand: _, ...blind } = fakePlan(7);
    expect(decide(changes.oracle(), fakeEndpoint(), blind)).toBeUndefined();
  });
});

describe('oracle', () => {
  it('asks for the most that is needed within its lead, or the delay that was measured, and lets go after', () => {
    const counts = [4, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4];
    const schedule = counts.map((n) => new PlacementGrid(1, 1, 1, Float64Array.of(n)));
    const at = (minutes: number, fields: Partial<EndpointSnapshot> = {}, leadMs?: number) =>
      decide(
        changes.oracle(leadMs === undefined ? {} : { leadMs }),
        fakeEndpoint({ readyInstances: 6, ...fields }),
        fakePlan(4, { schedule }),
        minutes * MINUTE,
      );
    expect([at(7.9), at(8), at(19.9), at(20)]).toEqual([4, 8, 8, 4]);
    expect([
      at(4, { provisioningDelayMs: 6 * MINUTE }),
      at(3.9, { provisioningDelayMs: 6 * MINUTE }),
      at(9, { provisioningDelayMs: 1 }),
    ]).toEqual([8, 4, 8]);
    expect([at(9.9, {}, 0), at(10, {}, 0), at(119, {}), at(999, {})]).toEqual([4, 8, 4, 4]);
    expect([at(0, { readyInstances: 4 }), at(0, { kvCacheUtilization: undefined })]).toEqual([undefined, undefined]);
  });
});
