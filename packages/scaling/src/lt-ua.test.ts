import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { changes, fakePlan } from './fixtures.js';
import { createLtUtilizationAwareScaling } from './lt-ua.js';

describe('createLtUtilizationAwareScaling', () => {
  for (const check of scalingPolicyConformance(() => createLtUtilizationAwareScaling())) it(check.name, check.run);

  const target = (minute: number, seen: number, kvCacheUtilization: number, plan = 4) => {
    const endpoint = fakeEndpoint({ readyInstances: 4, kvCacheUtilization });
    const { modelId, regionId } = endpoint;
    const fleet = {
      ...fakeFleet([endpoint], minute * 60_000),
      demand: [{ modelId, regionId, interactiveTokensPerS: seen }],
    };
    return changes.ltUa().decide(fleet, fakePlan(plan), minute * 60_000)[0];
  };

  it('passes the plan late in the hour when demand is five times its forecast', () => {
    expect(target(45, 5_000, 0.8)).toMatchObject({
      targetInstances: 5,
      reason: 'utilisation 0.80 is above 0.7; the plan says 4, and demand is 5.00 times its forecast',
    });
    expect(target(45, 4_900, 0.8)).toBeUndefined();
    expect(target(39, 9_000, 0.8)).toBeUndefined();
  });

  it('shrinks below it when demand is half of its forecast or less', () => {
    expect(target(45, 500, 0.2)?.targetInstances).toBe(3);
    expect(target(45, 600, 0.2)).toBeUndefined();
    expect(target(39, 100, 0.2)).toBeUndefined();
  });

  it('is LT-U otherwise', () => {
    expect(target(10, 1_000, 0.8, 6)?.targetInstances).toBe(5);
    expect(target(45, 1_000, 0.95)?.targetInstances).toBe(5);
    expect(() => changes.ltUa({ growFrom: 0.5 })).toThrow('growFrom: must be 1 or more, not 0.5');
  });
});
