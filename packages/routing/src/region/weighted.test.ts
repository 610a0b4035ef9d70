import { createRng } from '@sageserve/core';
import { fakeRegionPool, fakeRequest, regionRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createWeightedRouter } from './weighted.js';

describe('createWeightedRouter', () => {
  for (const check of regionRouterConformance(() =>
    createWeightedRouter({ weight: (_request, r) => r + 1, rng: createRng(7) }),
  ))
    it(check.name, check.run);

  it('sends shares in proportion to the weights of the regions that may serve', () => {
    const router = createWeightedRouter({ weight: (_request, r) => [1, 3, 6][r] ?? 0, rng: createRng(1) });
    const counts = [0, 0, 0];
    for (let i = 0; i < 20_000; i++)
      counts[router.route(fakeRequest(), fakeRegionPool([{}, {}, { allowed: false }]), i)]!++;
    expect(counts[2]).toBe(0);
    expect(counts[1]! / counts[0]!).toBeGreaterThan(2.8);
    expect(counts[1]! / counts[0]!).toBeLessThan(3.2);
  });

  it('falls back on the order of preference where every weight is 0', () => {
    expect(
      createWeightedRouter({ weight: () => 0, rng: createRng(1) }).route(
        fakeRequest(),
        fakeRegionPool([{ hosts: false }, {}, {}]),
        0,
      ),
    ).toBe(1);
  });
});
