import type { InstanceRouter } from '@sageserve/core';

/** Takes the ready instances in turn. One instance of this router serves one host; its turn is shared by all pools that it is asked about. */
export function createRoundRobinRouter(): InstanceRouter {
  let turn = 0;
  return {
    name: 'round-robin',
    route(_request, pool) {
      const count = pool.count;
      for (let step = 0; step < count; step++) {
        const i = (turn + step) % count;
        if (!pool.isReady(i)) continue;
        turn = i + 1;
        return i;
      }
      return -1;
    },
  };
}
