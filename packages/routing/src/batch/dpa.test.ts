import { batchSchedulerConformance, fakeRequest } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createDpaScheduler } from './dpa.js';

describe('createDpaScheduler', () => {
  for (const check of batchSchedulerConformance(() => createDpaScheduler())) it(check.name, check.run);

  it(
    'keeps non-interactive work behind what has arrived until its promotion point, then in front of what comes ' +
      'later',
    () => {
      const { priority } = createDpaScheduler({ promotionShare: 0.5 });
      const batch = priority(fakeRequest({ tier: 'non-interactive', arrivedAtMs: 0, deadlineAtMs: 1_000 }), 0);
      const interactive = (arrivedAtMs: number) => priority(fakeRequest({ arrivedAtMs }), arrivedAtMs);
      expect(interactive(499)).toBeLessThan(batch);
      expect(interactive(501)).toBeGreaterThan(batch);
    },
  );

  it('promotes after ten hours of twenty-four by default, as the paper does', () => {
    const day = 86_400_000;
    expect(
      createDpaScheduler().priority(fakeRequest({ tier: 'non-interactive', arrivedAtMs: 0, deadlineAtMs: day }), 0),
    ).toBeCloseTo(10 * 3_600_000, 3);
    expect(() => createDpaScheduler({ promotionShare: 2 })).toThrow('promotionShare');
  });
});
