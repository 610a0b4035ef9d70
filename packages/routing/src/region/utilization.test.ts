import { fakeRegionPool, fakeRequest, regionRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createUtilizationRouter } from './utilization.js';

describe('createUtilizationRouter', () => {
  for (const check of regionRouterConformance(() => createUtilizationRouter())) it(check.name, check.run);

  const route = (utilizations: (number | undefined)[], threshold?: number) =>
    createUtilizationRouter(threshold === undefined ? {} : { threshold }).route(
      fakeRequest(),
      fakeRegionPool(utilizations.map((kvCacheUtilization) => ({ kvCacheUtilization }))),
      0,
    );

  it('takes the first region under the threshold, in order of preference', () => {
    expect(route([0.69, 0.1])).toBe(0);
    expect(route([0.7, 0.69, 0.1])).toBe(1);
    expect(route([0.6, 0.4], 0.5)).toBe(1);
  });

  it('takes the least utilised where none is, the first on a tie, and regions without ready instances last', () => {
    expect(route([0.9, 0.8, 0.8])).toBe(1);
    expect(route([undefined, 0.99])).toBe(1);
    expect(route([undefined, undefined])).toBe(0);
  });

  it('refuses a threshold that is no share', () => {
    expect(() => createUtilizationRouter({ threshold: 7 })).toThrow('threshold: must be above 0 and at most 1, not 7');
  });
});
