import type { InstanceRouter } from '@sageserve/core';
import { anyReady } from './any-ready.js';

/**
 * Join the shortest queue, counted in tokens: the ready instance with the fewest outstanding
 * tokens, first on a tie.
 * Instances of which nothing is known come last.
 */
export function createLeastOutstandingTokensRouter(): InstanceRouter {
  return {
    name: 'least-outstanding-tokens',
    route(request, pool) {
      let best = -1;
      let bestTokens = Infinity;
      const count = pool.count;
      for (let i = 0; i < count; i++) {
        const tokens = pool.outstandingTokens(i);
        if (tokens !== undefined && tokens < bestTokens && pool.isReady(i)) {
          best = i;
          bestTokens = tokens;
        }
      }
      return best === -1 ? anyReady(request, pool) : best;
    },
  };
}
