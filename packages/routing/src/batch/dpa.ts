import { type BatchScheduler, ConfigError } from '@sageserve/core';

export interface DpaSchedulerOptions {
  /**
   * Share (0–1) of the way to its deadline after which a non-interactive request ranks with
   * interactive ones. The paper promotes at 10 h of 24 (default), its artifact at 0.8.
   */
  readonly promotionShare?: number;
}

/**
 * Deadline- and priority-aware: non-interactive requests wait behind interactive work until their
 * promotion point, then rank with it. The moment of promotion serves as the key. Before it, every
 * interactive request that waits has an earlier key, so that no re-sorting is needed as time
 * passes.
 */
export function createDpaScheduler(options: DpaSchedulerOptions = {}): BatchScheduler {
  const share = options.promotionShare ?? 10 / 24;
  if (!(share >= 0 && share <= 1)) throw new ConfigError('promotionShare', `must be from 0 to 1, not ${share}`);
  return {
    name: 'dpa',
    priority: (request) =>
      request.tier === 'non-interactive'
        ? request.arrivedAtMs + share * Math.max(0, request.deadlineAtMs - request.arrivedAtMs)
        : request.arrivedAtMs,
  };
}
