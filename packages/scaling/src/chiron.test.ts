import type { BacklogSnapshot } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { CHIRON_POOLS, createChironScaling } from './chiron.js';

describe('createChironScaling', () => {
  for (const check of scalingPolicyConformance(() => createChironScaling())) it(check.name, check.run);

  const target = (fields: Parameters<typeof fakeEndpoint>[0], backlog?: Partial<BacklogSnapshot>) => {
    const endpoint = fakeEndpoint(fields);
    const queue = { modelId: endpoint.modelId, requests: 0, promptTokens: 0, earliestDeadlineAtMs: Infinity, due: [], arrivedTokensPerS: 0, ...backlog };
    return createChironScaling().decide({ ...fakeFleet([endpoint]), backlog: [queue] }, undefined, 0)[0]?.targetInstances;
  };

  it('scales interactive pools on the share that is busy', () => {
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.61 })).toBe(5);
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.5 })).toBeUndefined();
    // Three quarters of the instances would be busy to 0.39 each.
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.29 })).toBe(3);
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.31 })).toBeUndefined();
  });

  it('scales the batch pool on how long its backlog takes against its deadline', () => {
    const batch = { pool: 'batch', tiers: ['non-interactive'] as const, readyInstances: 2, minInstances: 1, kvCacheUtilization: 0.4 };
    const hour = 3_600_000;
    // Four instances' work for the five hours that are half of the time left.
    expect(target(batch, { requests: 1, promptTokens: 4 * 3_000 * 5 * 3_600, earliestDeadlineAtMs: 10 * hour })).toBe(3);
    expect(target(batch, { requests: 1, promptTokens: 2 * 3_000 * 5 * 3_600, earliestDeadlineAtMs: 10 * hour })).toBeUndefined();
    expect(target(batch)).toBe(1);
    expect(target({ ...batch, kvCacheUtilization: 0.9 })).toBeUndefined();
  });

  it('lays out pools of which interactive and batch have the mixed one to fall back on', () => {
    expect(CHIRON_POOLS.reduce((sum, pool) => sum + pool.share, 0)).toBeCloseTo(1);
    expect(CHIRON_POOLS.filter((pool) => pool.tiers.includes('non-interactive')).map((pool) => pool.pool)).toEqual(['batch', 'mixed']);
  });
});
