import { type WorkloadTier } from '@sageserve/core';
import { batchSchedulerConformance, fakeRequest } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createPfScheduler } from './pf.js';

describe('createPfScheduler', () => {
  for (const check of batchSchedulerConformance(() => createPfScheduler())) it(check.name, check.run);

  it('ranks by tier, then by arrival, a year into a run too', () => {
    const { priority } = createPfScheduler();
    const year = 365 * 86_400_000;
    const key = (tier: WorkloadTier, arrivedAtMs: number) => priority(fakeRequest({ tier, arrivedAtMs }), arrivedAtMs);
    expect(key('interactive-fast', year)).toBeLessThan(key('interactive-normal', 0));
    expect(key('interactive-normal', year)).toBeLessThan(key('non-interactive', 0));
    expect(key('non-interactive', year)).toBeLessThan(key('non-interactive', year + 0.001));
  });
});
