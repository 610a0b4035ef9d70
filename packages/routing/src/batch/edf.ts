import type { BatchScheduler } from '@sageserve/core';

/**
 * Earliest deadline first. An interactive request's deadline is its time-to-first-token objective
 * unless the trace gives another.
 */
export function createEdfScheduler(): BatchScheduler {
  return { name: 'edf', priority: (request) => request.deadlineAtMs };
}
