import { batchSchedulerConformance, fakeRequest } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createEdfScheduler } from './edf.js';

describe('createEdfScheduler', () => {
  for (const check of batchSchedulerConformance(() => createEdfScheduler())) it(check.name, check.run);

  it('ranks by deadline, whatever the arrival', () => {
    const { priority } = createEdfScheduler();
    expect(priority(fakeRequest({ arrivedAtMs: 9, deadlineAtMs: 100 }), 9)).toBeLessThan(
      priority(fakeRequest({ arrivedAtMs: 1, deadlineAtMs: 200 }), 9),
    );
  });
});
