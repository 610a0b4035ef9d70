import { fakeRegionPool, fakeRequest, regionRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createLeastUtilizedRouter } from './least-utilized.js';

describe('createLeastUtilizedRouter', () => {
  for (const check of regionRouterConformance(() => createLeastUtilizedRouter())) it(check.name, check.run);

  it('takes the least utilised region, the preferred one on a tie', () => {
    const route = (utilizations: (number | undefined)[]) =>
      createLeastUtilizedRouter().route(
        fakeRequest(),
        fakeRegionPool(utilizations.map((kvCacheUtilization) => ({ kvCacheUtilization }))),
        0,
      );
    expect(route([0.5, 0.2, 0.3])).toBe(1);
    expect(route([0.2, 0.2])).toBe(0);
    expect(route([undefined, 0.95])).toBe(1);
  });
});
