import type { InstanceRouter } from '@sageserve/core';
import { anyReady } from './any-ready.js';

/**
 * The ready instance with the lowest KV-cache utilisation; ties go to the fewest outstanding
 * tokens, then to the first.
 */
export function createLeastKvRouter(): InstanceRouter {
  return {
    name: 'least-kv',
    route(request, pool) {
      let best = -1;
      let bestUtilization = Infinity;
      let bestTokens = Infinity;
      const count = pool.count;
      for (let i = 0; i < count; i++) {
        if (!pool.isReady(i)) continue;
        const utilization = pool.kvCacheUtilization(i) ?? Infinity;
        const tokens = pool.outstandingTokens(i) ?? Infinity;
        if (utilization < bestUtilization || (utilization === bestUtilization && tokens < bestTokens)) {
          best = i;
          bestUtilization = utilization;
          bestTokens = tokens;
        }
      }
      return best === -1 ? anyReady(request, pool) : best;
    },
  };
}
