import type { InstanceIndex, InstancePoolView, RequestView } from '@sageserve/core';

/**
 * A ready instance where nothing is known of any: requests spread over them by their ids, so that
 * not all go to the first. −1 where none is ready.
 */
export function anyReady(request: RequestView, pool: InstancePoolView): InstanceIndex {
  const count = pool.count;
  for (let step = 0; step < count; step++) {
    const i = (request.requestId + step) % count;
    if (pool.isReady(i)) return i;
  }
  return -1;
}
