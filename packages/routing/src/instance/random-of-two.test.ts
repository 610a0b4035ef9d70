import { createRng } from '@sageserve/core';
import { fakeInstancePool, fakeRequest, instanceRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createRandomOfTwoRouter } from './random-of-two.js';

describe('createRandomOfTwoRouter', () => {
  for (const check of instanceRouterConformance(() => createRandomOfTwoRouter({ rng: createRng(5) })))
    it(check.name, check.run);

  it('prefers the shorter queue of two, and repeats itself from the same seed', () => {
    const pool = fakeInstancePool([{ outstandingTokens: 100 }, { outstandingTokens: 1 }, { outstandingTokens: 50 }]);
    const draw = () => {
      const router = createRandomOfTwoRouter({ rng: createRng(3) });
      return Array.from({ length: 3_000 }, () => router.route(fakeRequest(), pool, 0));
    };
    const choices = draw();
    const share = (i: number) => choices.filter((c) => c === i).length / choices.length;
    // Two draws with replacement: the best of three wins 5/9, the middle 3/9, the worst 1/9.
    expect(share(1)).toBeCloseTo(5 / 9, 1);
    expect(share(0)).toBeCloseTo(1 / 9, 1);
    expect(draw()).toEqual(choices);
  });
});
