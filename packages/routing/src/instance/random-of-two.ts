import type { InstancePoolView, InstanceRouter, Rng } from '@sageserve/core';

export interface RandomOfTwoRouterOptions {
  readonly rng: Rng;
}

/**
 * Draws two ready instances and takes the one with fewer outstanding tokens (Mitzenmacher, "The
 * power of two choices", 2001).
 */
export function createRandomOfTwoRouter(options: RandomOfTwoRouterOptions): InstanceRouter {
  const { rng } = options;
  return {
    name: 'random-of-two',
    route(_request, pool) {
      const count = pool.count;
      const first = nextReady(pool, Math.floor(rng.next() * count));
      if (first === -1) return -1;
      const second = nextReady(pool, Math.floor(rng.next() * count));
      // One of which nothing is known is taken where the other is not known either.
      return (pool.outstandingTokens(second) ?? Infinity) < (pool.outstandingTokens(first) ?? Infinity)
        ? second
        : first;
    },
  };
}

function nextReady(pool: InstancePoolView, from: number): number {
  const count = pool.count;
  for (let step = 0; step < count; step++) {
    const i = (from + step) % count;
    if (pool.isReady(i)) return i;
  }
  return -1;
}
