import { PlacementGrid } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { changes, fakePlan } from './fixtures.js';
import { createOracleScaling } from './oracle.js';

describe('createOracleScaling', () => {
  for (const check of scalingPolicyConformance(() => createOracleScaling())) it(check.name, check.run);

  const schedule = [4, 4, 8, 3].map((n) => new PlacementGrid(1, 1, 1, Float64Array.of(n)));
  const target = (minute: number, provisioningDelayMs?: number) =>
    changes
      .oracle()
      .decide(
        fakeFleet([fakeEndpoint({ readyInstances: 4, provisioningDelayMs })]),
        fakePlan(4, { schedule }),
        minute * 60_000,
      )[0]?.targetInstances;

  it('asks for a window’s instances ahead of it, by its lead or the measured delay, and lets go when it ends', () => {
    expect(target(17)).toBeUndefined();
    expect(target(18)).toBe(8);
    expect(target(12, 10 * 60_000)).toBe(8);
    expect(target(29)).toBe(8);
    expect(target(30)).toBe(3);
  });

  it('keeps the fleet as it began without a plan, and asks for what was lost', () => {
    const oracle = changes.oracle();
    expect(
      oracle.decide(fakeFleet([fakeEndpoint({ readyInstances: 4, kvCacheUtilization: 0.99 })]), undefined, 0),
    ).toEqual([]);
    expect(oracle.decide(fakeFleet([fakeEndpoint({ readyInstances: 1 })]), undefined, 60_000)).toMatchObject([
      { targetInstances: 4, reason: '1 are left of 4' },
    ]);
    const { demand: _, ...undated } = fakePlan(9, { schedule });
    expect(oracle.decide(fakeFleet([fakeEndpoint({ readyInstances: 4 })]), undated, 120_000)).toEqual([]);
  });

  it('may be told what decides then', () => {
    const other = changes.oracle({
      withoutPlan: {
        name: 'other',
        decide: (fleet) => [{ endpointId: fleet.endpoints[0]!.endpointId, targetInstances: 7, reason: 'x' }],
      },
    });
    expect(other.decide(fakeFleet([fakeEndpoint({ readyInstances: 4 })]), undefined, 0)).toMatchObject([
      { targetInstances: 7 },
    ]);
  });
});
