import { type BatchScheduler, PRIORITY_CLASS_MS, type WorkloadTier } from '@sageserve/core';

const RANK: Readonly<Record<WorkloadTier, number>> = {
  'interactive-fast': 0,
  'interactive-normal': PRIORITY_CLASS_MS,
  'non-interactive': 2 * PRIORITY_CLASS_MS,
};

/**
 * Priority first: interactive fast, interactive normal, non-interactive; first come, first served
 * within each.
 */
export function createPfScheduler(): BatchScheduler {
  return { name: 'pf', priority: (request) => RANK[request.tier] + request.arrivedAtMs };
}
