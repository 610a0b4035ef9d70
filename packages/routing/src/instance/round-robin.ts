import type { InstanceRouter } from '@sageserve/core';

/** Takes the ready instances of each pool in turn. */
export function createRoundRobinRouter(): InstanceRouter {
  const turns = new Map<string, number>();
  return {
    name: 'round-robin',
    route(_request, pool) {
      const count = pool.count;
      const turn = turns.get(pool.key) ?? 0;
      for (let step = 0; step < count; step++) {
        const i = (turn + step) % count;
        if (!pool.isReady(i)) continue;
        turns.set(pool.key, i + 1);
        return i;
      }
      return -1;
    },
  };
}
