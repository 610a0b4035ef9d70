import type { ScalingPolicy, Stateful } from '@sageserve/core';

/**
 * The memory of a policy that has none but that of the one it asks; nothing where that has none
 * either.
 */
export function memoryOf({ save, restore }: ScalingPolicy): Partial<Stateful> {
  return save === undefined || restore === undefined ? {} : { save, restore };
}
