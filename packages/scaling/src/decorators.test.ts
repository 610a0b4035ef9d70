import type { ScalingPolicy } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { withBounds, withCooldown } from './decorators.js';
import { createReactiveScaling } from './reactive.js';

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
});
