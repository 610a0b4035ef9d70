import type { ScalingPolicy } from '@sageserve/core';

/** Never changes anything: the fleet stays as it was built. */
export function createStaticScaling(): ScalingPolicy {
  return { name: 'static', decide: () => [] };
}
