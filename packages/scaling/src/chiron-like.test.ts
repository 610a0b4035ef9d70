import type { BacklogSnapshot } from '@sageserve/core';
import { fakeEndpoint, fakeEndpoints, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { CHIRON_POOLS, createChironLikeScaling } from './chiron-like.js';
import { changes } from './fixtures.js';

describe('createChironLikeScaling', () => {
  for (const check of scalingPolicyConformance(() => createChironLikeScaling())) it(check.name, check.run);

  const target = (fields: Parameters<typeof fakeEndpoint>[0], backlog?: Partial<BacklogSnapshot>) => {
    const endpoint = fakeEndpoint(fields);
    const queue = {
      modelId: endpoint.modelId,
      requests: 0,
      promptTokens: 0,
      earliestDeadlineAtMs: Infinity,
      due: [],
      arrivedTokensPerS: 0,
      ...backlog,
    };
    return changes.chiron().decide({ ...fakeFleet([endpoint]), backlog: [queue] }, undefined, 0)[0]?.targetInstances;
  };

  it('scales interactive pools on the share that is busy', () => {
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.61 })).toBe(5);
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.5 })).toBeUndefined();
    // Three quarters of the instances would be busy to 0.39 each.
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.29 })).toBe(3);
    expect(target({ pool: 'interactive', readyInstances: 4, kvCacheUtilization: 0.31 })).toBeUndefined();
  });

  it('scales the batch pool on how long its backlog takes against its deadline', () => {
    const batch = {
      pool: 'batch',
      tiers: ['non-interactive'] as const,
      readyInstances: 2,
      minInstances: 1,
      kvCacheUtilization: 0.4,
    };
    const hour = 3_600_000;
    // Four instances' work for the five hours that are half of the time left.
    expect(target(batch, { requests: 1, promptTokens: 4 * 3_000 * 5 * 3_600, earliestDeadlineAtMs: 10 * hour })).toBe(
      3,
    );
    expect(
      target(batch, { requests: 1, promptTokens: 2 * 3_000 * 5 * 3_600, earliestDeadlineAtMs: 10 * hour }),
    ).toBeUndefined();
    expect(target(batch)).toBe(1);
    expect(target({ ...batch, kvCacheUtilization: 0.9 })).toBeUndefined();
  });

  it('takes thresholds to be passed, and its bounds to hold', () => {
    const pool = { pool: 'interactive', readyInstances: 4, minInstances: 2, maxInstances: 10 };
    expect([
      target({ ...pool, kvCacheUtilization: 0.6 }),
      target({ ...pool, kvCacheUtilization: 0.9, maxInstances: 4 }),
      target({ ...pool, kvCacheUtilization: 0.1, minInstances: 4 }),
    ]).toEqual([undefined, undefined, undefined]);
    expect([target({ ...pool, kvCacheUtilization: undefined }), target({ ...pool, readyInstances: 1 })]).toEqual([
      undefined,
      2,
    ]);
    const reason = (kvCacheUtilization: number) =>
      changes.chiron().decide(fakeFleet([fakeEndpoint({ ...pool, kvCacheUtilization })]), undefined, 0)[0]?.reason;
    expect(reason(0.75)).toBe('75 % of the interactive pool is busy, above 60 %');
    expect(reason(0.604)).toBe('60.4 % of the interactive pool is busy, above 60 %');
    expect(reason(0.25)).toBe('25 % of the interactive pool is busy: one less leaves it under 40 %');
  });

  it('shares a model’s backlog among its batch pools, each of which has its own queue beside that', () => {
    const hour = 3_600_000;
    const batch = fakeEndpoints(({ m, r, k }) => ({
      pool: k === 0 ? 'batch' : 'mixed',
      tiers: ['non-interactive'],
      readyInstances: 5,
      minInstances: 1,
      maxInstances: 30,
      kvCacheUtilization: 0,
      queuedTokens: m === 0 && r === 1 && k === 0 ? 3_000 * 3_600 * 4 : 0,
    }));
    const one = batch.filter(({ pool }) => pool === 'batch');
    const queue = (m: number, fields: Partial<BacklogSnapshot>) => ({
      modelId: one[2 * m]!.modelId,
      requests: 0,
      promptTokens: 0,
      earliestDeadlineAtMs: Infinity,
      due: [],
      arrivedTokensPerS: 0,
      ...fields,
    });
    const targets = (backlog: readonly BacklogSnapshot[], nowMs = 0, endpoints = batch) => {
      const decisions = changes.chiron().decide({ ...fakeFleet(endpoints, nowMs), backlog }, undefined, nowMs);
      return one.map(
        ({ endpointId }) => decisions.find((decision) => decision.endpointId === endpointId)?.targetInstances,
      );
    };
    // Twenty-four instance-hours in two pools, in the two hours that are half of four: six each,
    // and four hours more in one of them.
    const backlog = [
      queue(0, { requests: 9, promptTokens: 24 * 3_000 * 3_600, earliestDeadlineAtMs: 14 * hour }),
      queue(1, {}),
    ];
    expect(targets(backlog, 10 * hour)).toEqual([6, 6, 4, 4]);
    const reasons = changes
      .chiron()
      .decide({ ...fakeFleet(batch, 10 * hour), backlog }, undefined, 10 * hour)
      .map((decision) => decision.reason);
    expect([reasons[0], reasons[2]]).toEqual(
      ['129,600,000', '172,800,000'].map((tokens) => `a backlog of ${tokens} tokens is to be served in 2.0 h`),
    );
    const need = (promptTokens: number, earliestDeadlineAtMs: number, requests = 9) =>
      targets(
        [queue(0, { requests, promptTokens: 2 * promptTokens, earliestDeadlineAtMs }), queue(1, {})],
        0,
        batch.map((endpoint) => ({ ...endpoint, queuedTokens: 0, readyInstances: 10 })),
      )[0];
    // What is due in less than an hour, or has been let go, has half an hour: ten instances carry
    // five instance-hours.
    expect([
      need(5 * 3_000 * 3_600, 1),
      need(5 * 3_000 * 3_600, hour),
      need(5.1 * 3_000 * 3_600, hour),
      need(5 * 3_000 * 3_600, 1e12, 0),
    ]).toEqual([undefined, undefined, 11, undefined]);
    expect(need(0, 1)).toBe(9);
    // Of a model without a backlog nothing is known.
    expect(
      changes
        .chiron()
        .decide({ ...fakeFleet(batch), backlog: [queue(0, {})] }, undefined, 0)
        .map(({ endpointId }) => endpointId.includes('model-b')),
    ).not.toContain(true);
    expect(changes.chiron().decide(fakeFleet(batch), undefined, 0)).toEqual([]);
  });

  it('lays out pools of which interactive and batch have the mixed one to fall back on', () => {
    expect(CHIRON_POOLS.reduce((sum, pool) => sum + pool.share, 0)).toBeCloseTo(1);
    expect(CHIRON_POOLS.filter((pool) => pool.tiers.includes('non-interactive')).map((pool) => pool.pool)).toEqual([
      'batch',
      'mixed',
    ]);
  });
});
