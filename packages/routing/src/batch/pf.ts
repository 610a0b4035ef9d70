import { type BatchScheduler, PRIORITY_CLASS_MS } from '@sageserve/core';

/**
 * Priority first: interactive fast, interactive normal, non-interactive; first come, first served
 * within each.
 */
export function createPfScheduler(): BatchScheduler {
  return {
    name: 'pf',
    priority({ tier, arrivedAtMs }) {
      if (tier === 'interactive-fast') return arrivedAtMs;
      return arrivedAtMs + (tier === 'interactive-normal' ? PRIORITY_CLASS_MS : 2 * PRIORITY_CLASS_MS);
    },
  };
}
