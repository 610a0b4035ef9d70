import type { InstancePoolView, RegionPoolView } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import type { ConformanceCase } from './conformance-case.js';
import { fakeInstancePool, fakeLoad, fakeRegionPool } from './fakes.js';
import { endpointLoadViewConformance, instancePoolViewConformance, regionPoolViewConformance } from './view-suites.js';

async function failures(suite: readonly ConformanceCase[]): Promise<number> {
  let failed = 0;
  for (const check of suite)
    try {
      await check.run();
    } catch {
      failed++;
    }
  return failed;
}

describe('suites of views', () => {
  it('accept fakes, of which little is known', async () => {
    const regions = () => fakeRegionPool([{}, { allowed: false }, { kvCacheUtilization: undefined, ageMs: Infinity }]);
    expect(await failures(regionPoolViewConformance(regions))).toBe(0);
    const pool = () => fakeInstancePool([{ kvCapacityTokens: 100 }, { outstandingTokens: undefined, ageMs: Infinity }]);
    expect(await failures(instancePoolViewConformance(pool))).toBe(0);
    expect(await failures(endpointLoadViewConformance(() => fakeLoad({ queuedTokens: undefined })))).toBe(0);
  });

  it('find figures that are none, ages below 0, names twice, and what fits more where it fits less', async () => {
    const region = (wrong: Partial<RegionPoolView>) => () => ({ ...fakeRegionPool([{}, {}]), ...wrong });
    for (const wrong of [
      { kvCacheUtilization: () => NaN },
      { queuedTokens: () => -1 },
      { ageMs: () => -1 },
      { preferred: () => 0 },
      { allowed: (r: number) => r === 0 },
      { networkRttMs: () => NaN },
    ] satisfies Partial<RegionPoolView>[])
      expect(await failures(regionPoolViewConformance(region(wrong))), Object.keys(wrong).join()).toBe(1);
    const pool = (wrong: Partial<InstancePoolView>) => () => ({ ...fakeInstancePool([{}, {}]), ...wrong });
    for (const wrong of [
      { key: '' },
      { instanceId: () => 'same' },
      { outstandingTokens: () => Infinity },
      { ageMs: () => NaN },
      { fits: (_: number, tokens: number) => tokens === 0 || tokens > 100 },
      { fits: () => false },
    ] satisfies Partial<InstancePoolView>[])
      expect(await failures(instancePoolViewConformance(pool(wrong))), Object.keys(wrong).join()).toBe(1);
    for (const wrong of [{ key: '' }, { releasedSinceReading: 0.5 }, { readyInstances: 0 }, { ageMs: -1 }])
      expect(await failures(endpointLoadViewConformance(() => fakeLoad(wrong))), Object.keys(wrong).join()).toBe(1);
  });
});
