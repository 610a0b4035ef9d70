import { fakeHeldQueue, fakeLoad, releasePolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createUtilizationRelease } from './utilization.js';

describe('createUtilizationRelease', () => {
  for (const check of releasePolicyConformance(() => createUtilizationRelease())) it(check.name, check.run);

  const hour = 3_600_000;
  const release = (kvCacheUtilization: number | undefined, deadlines = [24 * hour, 24 * hour, 24 * hour]) =>
    createUtilizationRelease().release(fakeHeldQueue(deadlines), fakeLoad({ kvCacheUtilization }), 0);

  it('lets one go under 0.6 and two under 0.5', () => {
    expect([0.49, 0.5, 0.59, 0.6, 0.9].map((u) => release(u))).toEqual([2, 1, 1, 0, 0]);
    expect(release(0.1, [24 * hour])).toBe(1);
    expect(release(undefined)).toBe(0);
  });

  it('lets go whatever has under an hour left, all of it', () => {
    expect(release(0.95, [hour / 2, hour, hour + 1])).toBe(2);
  });

  it('refuses thresholds the wrong way round', () => {
    expect(() => createUtilizationRelease({ oneUnder: 0.5, twoUnder: 0.6 })).toThrow(
      'twoUnder: must be from 0 to oneUnder (0.5), not 0.6',
    );
  });
});
