import type { OverflowPolicy } from '@sageserve/core';

/** Every request stays in the pool that serves its tier. */
export function createNoOverflow(): OverflowPolicy {
  return { name: 'none', overflows: () => false };
}
