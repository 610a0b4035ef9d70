import { ConfigError, createRng } from '@sageserve/core';
import { fakeInstancePool, fakeRegionPool, fakeRequest } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createDpaScheduler } from './batch/dpa.js';
import { createLeastKvRouter } from './instance/least-kv.js';
import { createUtilizationOverflow } from './overflow/utilization.js';
import { createPlannedRouter } from './region/planned.js';
import { createUtilizationRouter } from './region/utilization.js';
import { createWeightedRouter } from './region/weighted.js';

describe('options of routers and schedulers', () => {
  it.each([
    [
      'dpa',
      'promotionShare',
      (promotionShare: number) => createDpaScheduler({ promotionShare }),
      [0, 1],
      [-0.01, 1.01, NaN],
    ],
    [
      'utilization',
      'threshold',
      (threshold: number) => createUtilizationRouter({ threshold }),
      [0.01, 1],
      [0, -1, 1.01, NaN],
    ],
    [
      'overflow',
      'threshold',
      (threshold: number) => createUtilizationOverflow({ threshold }),
      [0, 1],
      [-0.01, 1.01, NaN],
    ],
    [
      'planned',
      'threshold',
      (threshold: number) =>
        createPlannedRouter({
          threshold,
          plan: () => undefined,
          otherwise: createUtilizationRouter(),
          rng: createRng(1),
        }),
      [0.01, 1],
      [0, -1, 1.01, NaN],
    ],
  ] as const)('%s: %s', (_, name, create, fine, wrong) => {
    for (const value of fine) expect(() => create(value), `${name} ${value}`).not.toThrow();
    for (const value of wrong) expect(() => create(value), `${name} ${value}`).toThrow(ConfigError);
  });

  it('weighted needs a function, and leaves out regions whose weight is none', () => {
    expect(() => createWeightedRouter({ weight: 3 as never, rng: createRng(1) })).toThrow(
      'weight: must be a function of a request and a region',
    );
    const router = createWeightedRouter({
      weight: (_request, r) => [0, 1, -5, NaN][r]!,
      rng: { ...createRng(1), next: () => 0 },
    });
    const pool = fakeRegionPool([{}, {}, {}, {}]);
    expect(Array.from({ length: 50 }, () => router.route(fakeRequest(), pool, 0))).toEqual(Array(50).fill(1));
  });

  it('dpa counts the way to a deadline from the arrival', () => {
    const { priority } = createDpaScheduler({ promotionShare: 0.5 });
    const deferred = (arrivedAtMs: number, deadlineAtMs: number) =>
      priority(fakeRequest({ tier: 'non-interactive', arrivedAtMs, deadlineAtMs }), 0);
    expect([deferred(1_000, 3_000), deferred(1_000, 500)]).toEqual([2_000, 1_000]);
  });
});

describe('least-kv', () => {
  it('takes the least utilised, then that with the fewest tokens, then the first, in whatever order they stand', () => {
    const route = (...instances: [number, number][]) =>
      createLeastKvRouter().route(
        fakeRequest(),
        fakeInstancePool(
          instances.map(([kvCacheUtilization, outstandingTokens]) => ({ kvCacheUtilization, outstandingTokens })),
        ),
        0,
      );
    expect([
      route([0.4, 900], [0.5, 0]),
      route([0.5, 0], [0.4, 900]),
      route([0.4, 5], [0.4, 10]),
      route([0.4, 10], [0.4, 5]),
      route([0.4, 5], [0.4, 5]),
    ]).toEqual([0, 1, 0, 1, 0]);
  });
});
