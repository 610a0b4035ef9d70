import { PlacementGrid } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { fakePlan } from './fixtures.js';
import { createOracleScaling } from './oracle.js';

describe('createOracleScaling', () => {
  for (const check of scalingPolicyConformance(() => createOracleScaling())) it(check.name, check.run);

  const schedule = [4, 4, 8, 3].map((n) => new PlacementGrid(1, 1, 1, Float64Array.of(n)));
  const target = (minute: number, provisioningDelayMs?: number) =>
    createOracleScaling().decide(fakeFleet([fakeEndpoint({ readyInstances: 4, provisioningDelayMs })]), fakePlan(4, { schedule }), minute * 60_000)[0]
      ?.targetInstances;

  it('asks for a window’s instances ahead of it, by its lead or the measured delay, and lets go when it ends', () => {
    expect(target(17)).toBeUndefined();
    expect(target(18)).toBe(8);
    expect(target(12, 10 * 60_000)).toBe(8);
    expect(target(29)).toBe(8);
    expect(target(30)).toBe(3);
  });

  it('changes nothing without a plan', () => {
    expect(createOracleScaling().decide(fakeFleet([fakeEndpoint({ kvCacheUtilization: 0.99 })]), undefined, 0)).toEqual([]);
  });
});
