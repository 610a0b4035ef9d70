import type { ModelId } from './ids.js';
import type { RequestView } from './request.js';

/** What an instance's next iteration still has room for. Borrowed. */
export interface BatchBudget {
  /** Requests that may still join the batch. */
  readonly batchSlots: number;
  /** Prompt tokens that the iteration may still take. */
  readonly batchTokens: number;
  /** KV-cache tokens that are free. */
  readonly kvTokens: number;
  /** Requests that run now. */
  readonly runningRequests: number;
}

/**
 * Orders the queue of one instance.
 *
 * Contract: `priority` is asked once, when the request joins the queue, and returns a finite key:
 * the smallest is served first, ties in order of joining. `admit`, where present, may hold back a
 * request that would fit; it must say yes when nothing runs (`runningRequests` is 0), so that
 * nothing waits for ever.
 */
export interface BatchScheduler {
  readonly name: string;
  priority(request: RequestView, nowMs: number): number;
  admit?(request: RequestView, budget: BatchBudget): boolean;
}

/** The non-interactive requests of one model that are held back. Borrowed. */
export interface HeldQueueView {
  readonly count: number;
  /** Deadline of the most urgent one, `Infinity` where none is held. */
  readonly earliestDeadlineAtMs: number;
  /** How many have a deadline at or before `atMs`. */
  countDueBy(atMs: number): number;
}

/** One endpoint's load as seen by a release policy. Borrowed. */
export interface EndpointLoadView {
  readonly modelId: ModelId;
  readonly readyInstances: number;
  /** KV-cache tokens in use ÷ capacity over ready instances; `undefined` where nothing is ready. */
  readonly kvCacheUtilization: number | undefined;
  /** Prompt tokens assigned and not yet prefilled. */
  readonly queuedTokens: number;
}

/**
 * Says how many held non-interactive requests to let go to an endpoint now, in deadline order.
 *
 * Contract: a whole number ≥ 0 (the host takes no more than are held); whatever the load, a request
 * whose slack has run out is let go, so that nothing starves. The host asks when a request joins
 * the queue, when the endpoint finishes one, and at least once a minute.
 */
export interface ReleasePolicy {
  readonly name: string;
  release(held: HeldQueueView, pool: EndpointLoadView, nowMs: number): number;
}
