import type { BatchScheduler, WorkloadTier } from '@sageserve/core';

/**
 * Far above any time in milliseconds, and small enough that adding one keeps microseconds exact.
 */
const TIER_STEP = 1e12;
const RANK: Readonly<Record<WorkloadTier, number>> = {
  'interactive-fast': 0,
  'interactive-normal': TIER_STEP,
  'non-interactive': 2 * TIER_STEP,
};

/**
 * Priority first: interactive fast, interactive normal, non-interactive; first come, first served
 * within each.
 */
export function createPfScheduler(): BatchScheduler {
  return { name: 'pf', priority: (request) => RANK[request.tier] + request.arrivedAtMs };
}
