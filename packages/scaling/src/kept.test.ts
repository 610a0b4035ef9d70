import { type EndpointSnapshot, isCounted, type ScalingPolicy } from '@sageserve/core';
import { fakeEndpoint, fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createChironLikeScaling } from './chiron-like.js';
import { withBounds, withCooldown } from './decorators.js';
import { fakePlan } from './fixtures.js';
import { keeping } from './kept.js';
import { createLtImmediateScaling } from './lt-i.js';
import { createLtUtilizationScaling } from './lt-u.js';
import { createLtUtilizationAwareScaling } from './lt-ua.js';
import { createOracleScaling } from './oracle.js';
import { createReactiveScaling } from './reactive.js';
import { createSageScaling } from './sage.js';
import { createSiloedScaling } from './siloed.js';
import { createStaticScaling } from './static.js';

const PLANNED: readonly (readonly [string, () => ScalingPolicy])[] = [
  ['lt-i', createLtImmediateScaling],
  ['lt-u', createLtUtilizationScaling],
  ['lt-ua', createLtUtilizationAwareScaling],
  ['oracle', createOracleScaling],
  ['sage', createSageScaling],
];
const BY_USE: readonly (readonly [string, () => ScalingPolicy])[] = [
  ['reactive', createReactiveScaling],
  ['siloed', createSiloedScaling],
  ['chiron-like', createChironLikeScaling],
];
const ALL = [...BY_USE, ...PLANNED];

/** What is said of one endpoint with four instances, of which one is on its way. */
function said(
  policy: ScalingPolicy,
  fields: Partial<EndpointSnapshot>,
  planned: number | undefined,
  nowMs: number,
): number | undefined {
  const endpoint = fakeEndpoint({ readyInstances: 3, provisioningInstances: 1, initialInstances: 5, ...fields });
  const plan = planned === undefined ? undefined : fakePlan(planned);
  const decisions = policy.decide(fakeFleet([endpoint], nowMs), plan, nowMs);
  expect(decisions.length).toBeLessThanOrEqual(1);
  expect(decisions[0]?.reason ?? 'x').not.toBe('');
  return decisions[0]?.targetInstances;
}

describe('a policy that is content', () => {
  it.each(ALL)('says so after it asked for more, also while it rests: %s', (_, create) => {
    const policy = create();
    expect(said(policy, { kvCacheUtilization: 0.95 }, 5, 0)).toBe(5);
    expect(said(policy, { kvCacheUtilization: 0.5 }, 4, 15_000)).toBe(4);
  });

  it('says so when what an outage took is back, or there is more than that', () => {
    const policy = createStaticScaling();
    expect(said(policy, {}, undefined, 0)).toBe(5);
    expect(said(policy, { readyInstances: 4 }, undefined, 1)).toBe(5);
    expect(said(policy, { readyInstances: 6 }, undefined, 2)).toBe(7);
    expect(said(policy, { kvCacheUtilization: undefined, readyInstances: 4 }, undefined, 3)).toBe(5);
  });

  it.each(ALL)('says nothing of what it can’t know: %s', (_, create) => {
    expect(said(create(), { kvCacheUtilization: undefined }, 4, 0)).toBeUndefined();
    expect(said(create(), { readyInstances: undefined, kvCacheUtilization: 0.5 }, 4, 0)).toBeUndefined();
    const empty = { readyInstances: 0, provisioningInstances: 0, minInstances: 0, kvCacheUtilization: undefined };
    expect(said(create(), { ...empty, queuedRequests: undefined }, 0, 0)).toBeUndefined();
    expect(said(create(), { ...empty, queuedRequests: 0 }, 0, 0)).toBe(0);
  });

  it.each(PLANNED)('says nothing of what no plan speaks of: %s', (_, create) => {
    const other = { ...fakePlan(4), regions: ['elsewhere' as never] };
    const endpoint = fakeEndpoint({ readyInstances: 4, kvCacheUtilization: 0.5 });
    expect(create().decide(fakeFleet([endpoint]), other, 0)).toEqual([]);
  });

  it('is so where it can go no further, too', () => {
    const full = { kvCacheUtilization: 0.95, maxInstances: 4 };
    const least = { kvCacheUtilization: 0.05, minInstances: 4 };
    for (const [, create] of BY_USE)
      expect([said(create(), full, undefined, 0), said(create(), least, undefined, 0)]).toEqual([4, 4]);
    // More than there may be is no target.
    for (const [, create] of BY_USE)
      expect(said(create(), { kvCacheUtilization: 0.5, maxInstances: 3 }, undefined, 0)).toBeUndefined();
  });

  it('of sage is through a dip that is shorter than the way back, and silent between two weighings', () => {
    const policy = createSageScaling();
    expect(said(policy, { kvCacheUtilization: 0.5 }, 4, 0)).toBe(4);
    expect(said(policy, { kvCacheUtilization: 0.5 }, 4, 14_999)).toBeUndefined();
    // Four were needed a moment ago.
    expect(said(policy, { kvCacheUtilization: 0.5 }, 3, 15_000)).toBe(4);
  });

  it.each([...BY_USE, ['static', createStaticScaling] as const])(
    'says of each endpoint its own count, with the same object while that stays: %s',
    (_, create) => {
      const policy = create();
      const fleet = fakeFleet(
        fakeEndpoints(({ m, r, k }) => ({ readyInstances: 2 + m + 2 * r + 4 * k, kvCacheUtilization: 0.5 })),
      );
      const first = [...policy.decide(fleet, undefined, 0)];
      expect(first.map(({ endpointId, targetInstances }) => [endpointId, targetInstances])).toEqual(
        fleet.endpoints.map(({ endpointId, readyInstances }) => [endpointId, readyInstances]),
      );
      const second = policy.decide(fleet, undefined, 1_000);
      expect(second.every((decision, i) => decision === first[i])).toBe(true);
      const [one, ...rest] = fleet.endpoints;
      const third = policy.decide(fakeFleet([{ ...one!, provisioningInstances: 1 }, ...rest]), undefined, 2_000);
      expect([third[0]!.targetInstances, third[1] === first[1]]).toEqual([one!.readyInstances! + 1, true]);
    },
  );
});

describe('keeping', () => {
  it('holds to the bounds, both of which may be held', () => {
    const kept = keeping('x');
    const of = (minInstances: number, maxInstances: number) => {
      const endpoint = fakeEndpoint({ readyInstances: 3, provisioningInstances: 2, minInstances, maxInstances });
      return isCounted(endpoint) ? kept(endpoint)?.targetInstances : NaN;
    };
    expect([of(5, 9), of(1, 5), of(6, 9), of(1, 4)]).toEqual([5, 5, undefined, undefined]);
  });
});

describe('decorators', () => {
  const scripted = (target: (nowMs: number) => number): ScalingPolicy => ({
    name: 'scripted',
    decide: ({ endpoints }, _plan, nowMs) =>
      endpoints.map(({ endpointId }) => ({ endpointId, targetInstances: target(nowMs), reason: 'script' })),
  });

  it('pass on that what is held is wanted, and no rest begins with it', () => {
    // 4 are held. A change at 0 and rest until 1,000; at 500 what is held is wanted.
    const policy = withCooldown(
      scripted((nowMs) => (nowMs === 500 ? 4 : 6)),
      { cooldownMs: 1_000 },
    );
    const asked = [0, 400, 500, 999, 1_000].map((nowMs) => said(policy, {}, undefined, nowMs));
    expect(asked).toEqual([6, undefined, 4, undefined, 6]);
    const late = withCooldown(
      scripted((nowMs) => (nowMs < 500 ? 4 : 3)),
      { cooldownMs: 1_000 },
    );
    expect([0, 400, 500].map((nowMs) => said(late, {}, undefined, nowMs))).toEqual([4, 4, 3]);
    const bounds = withBounds(
      scripted(() => 4),
      { minInstances: 4, maxInstances: 4 },
    );
    expect(said(bounds, {}, undefined, 0)).toBe(4);
  });
});
