import { batchSchedulerConformance, fakeRequest } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createFcfsScheduler } from './fcfs.js';

describe('createFcfsScheduler', () => {
  for (const check of batchSchedulerConformance(() => createFcfsScheduler())) it(check.name, check.run);

  it('ranks by arrival, whatever the tier', () => {
    const { priority } = createFcfsScheduler();
    expect(priority(fakeRequest({ tier: 'non-interactive', arrivedAtMs: 5 }), 5)).toBeLessThan(
      priority(fakeRequest({ tier: 'interactive-fast', arrivedAtMs: 6 }), 6),
    );
  });
});
