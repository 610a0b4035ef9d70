import type { BatchScheduler } from '@sageserve/core';

/** First come, first served. */
export function createFcfsScheduler(): BatchScheduler {
  return { name: 'fcfs', priority: (request) => request.arrivedAtMs };
}
