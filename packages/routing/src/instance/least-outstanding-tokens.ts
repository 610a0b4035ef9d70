import type { InstanceRouter } from '@sageserve/core';

/**
 * Join the shortest queue, counted in tokens: the ready instance with the fewest outstanding
 * tokens, first on a tie.
 */
export function createLeastOutstandingTokensRouter(): InstanceRouter {
  return {
    name: 'least-outstanding-tokens',
    route(_request, pool) {
      let best = -1;
      let bestTokens = Infinity;
      const count = pool.count;
      for (let i = 0; i < count; i++) {
        const tokens = pool.outstandingTokens(i);
        if (tokens < bestTokens && pool.isReady(i)) {
          best = i;
          bestTokens = tokens;
        }
      }
      return best;
    },
  };
}
