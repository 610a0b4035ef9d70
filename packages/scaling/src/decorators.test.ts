import type { ScalingPolicy } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { withBounds, withCooldown } from './decorators.js';
import { createReactiveScaling } from './reactive.js';
import { createStaticScaling } from './static.js';

const always = (targetInstances: number): ScalingPolicy => ({
  name: 'always',
  decide: (fleet) => fleet.endpoints.map((e) => ({ endpointId: e.endpointId, targetInstances, reason: 'because' })),
});
const fleet = fakeFleet([fakeEndpoint({ readyInstances: 4 })]);

describe('withCooldown', () => {
  for (const check of scalingPolicyConformance(() =>
    withCooldown(createReactiveScaling({ cooldownMs: 0 }), { cooldownMs: 60_000 }),
  ))
    it(check.name, check.run);

  it('leaves an endpoint alone after a change, and only then', () => {
    const policy = withCooldown(always(6), { cooldownMs: 1_000 });
    expect([0, 500, 999, 1_000].map((at) => policy.decide(fleet, undefined, at).length)).toEqual([1, 0, 0, 1]);
    const idle = withCooldown(always(4), { cooldownMs: 1_000 });
    expect([0, 500].map((at) => idle.decide(fleet, undefined, at).length)).toEqual([1, 1]);
    // What is decided for an endpoint that is not there is for whoever carries it out to refuse.
    const blind = withCooldown(
      { name: 'blind', decide: () => always(6).decide(fleet, undefined, 0) },
      { cooldownMs: 1_000 },
    );
    expect([0, 500].map((at) => blind.decide(fakeFleet([]), undefined, at).length)).toEqual([1, 1]);
  });
});

describe('withBounds', () => {
  for (const check of scalingPolicyConformance(() => withBounds(createReactiveScaling(), { maxInstances: 5 })))
    it(check.name, check.run);

  it('holds targets to its own and to the endpoint’s bounds, and says so', () => {
    expect(withBounds(always(9), { maxInstances: 5 }).decide(fleet, undefined, 0)[0]).toMatchObject({
      targetInstances: 5,
      reason: 'because; held to 2–5',
    });
    expect(withBounds(always(0), {}).decide(fleet, undefined, 0)[0]?.targetInstances).toBe(2);
    expect(withBounds(always(4), { minInstances: 3 }).decide(fleet, undefined, 0)[0]).toMatchObject({
      targetInstances: 4,
      reason: 'because',
    });
    expect(() => withBounds(always(1), { minInstances: 5, maxInstances: 2 })).toThrow('minInstances');
  });

  it('makes no move of what is content with what is held, whatever the bounds', () => {
    const holding = (fields: Parameters<typeof fakeEndpoint>[0]) =>
      fakeFleet([fakeEndpoint({ minInstances: 0, maxInstances: 100, ...fields })]);
    const many = holding({ readyInstances: 17, provisioningInstances: 3, kvCacheUtilization: undefined });
    expect(withBounds(always(20), { maxInstances: 4 }).decide(many, undefined, 0)).toEqual([]);
    expect(withBounds(always(20), { minInstances: 30 }).decide(many, undefined, 0)).toEqual([]);
    expect(withBounds(always(20), { maxInstances: 20 }).decide(many, undefined, 0)).toHaveLength(1);
    expect(withBounds(createStaticScaling(), { maxInstances: 4 }).decide(many, undefined, 0)).toEqual([]);
    const busy = holding({ readyInstances: 20, kvCacheUtilization: 0.69 });
    expect(withBounds(createReactiveScaling(), { maxInstances: 4 }).decide(busy, undefined, 0)).toEqual([]);
    // What it asks for is held to the bounds, whichever way it goes.
    for (const target of [19, 21])
      expect(withBounds(always(target), { maxInstances: 4 }).decide(many, undefined, 0)).toMatchObject([
        { targetInstances: 4 },
      ]);
    // Where nothing is counted it can't be told what is held.
    const uncounted = holding({ readyInstances: undefined });
    expect(withBounds(always(20), { maxInstances: 4 }).decide(uncounted, undefined, 0)).toHaveLength(1);
  });
});
