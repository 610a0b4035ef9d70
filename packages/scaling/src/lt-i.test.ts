import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { changes, fakePlan } from './fixtures.js';
import { createLtImmediateScaling } from './lt-i.js';

describe('createLtImmediateScaling', () => {
  for (const check of scalingPolicyConformance(() => createLtImmediateScaling())) it(check.name, check.run);

  const decide = (fields: Parameters<typeof fakeEndpoint>[0], target: number | undefined) =>
    changes.ltI().decide(fakeFleet([fakeEndpoint(fields)]), target === undefined ? undefined : fakePlan(target), 0);

  it('applies the whole plan at once, within bounds, whatever the utilisation', () => {
    expect(decide({ readyInstances: 4, kvCacheUtilization: 0.1 }, 9)).toMatchObject([
      { targetInstances: 9, reason: 'the plan says 9' },
    ]);
    expect(decide({ readyInstances: 9, kvCacheUtilization: 0.9 }, 3)[0]?.targetInstances).toBe(3);
    expect(decide({ readyInstances: 4 }, 99)[0]?.targetInstances).toBe(10);
    expect(decide({ readyInstances: 4 }, 0)[0]?.targetInstances).toBe(2);
    expect(decide({ readyInstances: 3, provisioningInstances: 1 }, 4)).toEqual([]);
  });

  it('does not scale in blindly, and is reactive without a plan', () => {
    expect(decide({ readyInstances: 4, kvCacheUtilization: undefined }, 2)).toEqual([]);
    expect(decide({ readyInstances: 4, kvCacheUtilization: 0.8 }, undefined)[0]?.targetInstances).toBe(5);
  });
});
