import { fakeInstancePool, fakeRequest, instanceRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createRoundRobinRouter } from './round-robin.js';

describe('createRoundRobinRouter', () => {
  for (const check of instanceRouterConformance(() => createRoundRobinRouter())) it(check.name, check.run);

  it('takes ready instances in turn', () => {
    const router = createRoundRobinRouter();
    const pool = fakeInstancePool([{}, { isReady: false }, {}]);
    expect(Array.from({ length: 5 }, () => router.route(fakeRequest(), pool, 0))).toEqual([0, 2, 0, 2, 0]);
  });

  it('keeps a turn for each pool: two that are asked in alternation use all their instances', () => {
    const router = createRoundRobinRouter();
    const pools = ['a', 'b'].map((key) => ({ ...fakeInstancePool([{}, {}]), key }));
    expect(Array.from({ length: 6 }, (_, i) => router.route(fakeRequest(), pools[i % 2]!, 0))).toEqual([
      0, 0, 1, 1, 0, 0,
    ]);
  });
});
