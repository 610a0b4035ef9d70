import { WORKLOAD_TIERS } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createSiloedScaling, SILOED_POOLS } from './siloed.js';
import { changes } from './fixtures.js';

describe('createSiloedScaling', () => {
  for (const check of scalingPolicyConformance(() => createSiloedScaling())) it(check.name, check.run);

  it('scales each silo on its own utilisation', () => {
    const fleet = fakeFleet([
      fakeEndpoint({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.8 }),
      fakeEndpoint({ pool: 'batch', readyInstances: 4, kvCacheUtilization: 0.1 }),
    ]);
    expect(
      changes
        .siloed()
        .decide(fleet, undefined, 0)
        .map((d) => d.targetInstances),
    ).toEqual([5, 3]);
  });

  it('lays out pools that serve every tier exactly once', () => {
    expect(SILOED_POOLS.flatMap((pool) => pool.tiers).sort()).toEqual([...WORKLOAD_TIERS].sort());
    expect(SILOED_POOLS.reduce((sum, pool) => sum + pool.share, 0)).toBeCloseTo(1);
  });
});
