import type { ModelId, RegionId } from './ids.js';
import type { Policy } from './policy.js';
import type { RequestView } from './request.js';
import type { Stateful } from './state.js';

/**
 * Orders the queue of one instance.
 *
 * Contract: `priority` is asked once, when the request joins the queue, and returns a finite key:
 * the smallest is served first, ties in order of joining. A key is a time in the host's
 * milliseconds, plus {@link PRIORITY_CLASS_MS} for each class that goes before; that is what
 * engines with bounded priorities are told of it (`boundedPriority`).
 */
export interface BatchScheduler extends Policy, Partial<Stateful> {
  /** The key of `request`, which is borrowed, as it joins at `nowMs`, the host's time (ms). */
  priority(request: RequestView, nowMs: number): number;
}

/**
 * What a class of requests that waits for another adds to its keys: far above any time in
 * milliseconds.
 */
export const PRIORITY_CLASS_MS = 1e12;

/** The non-interactive requests of one model that are held back. Borrowed. */
export interface HeldQueueView {
  /** How many are held, 0 or more. */
  readonly count: number;
  /** Deadline of the most urgent one, in the host's time (ms); `Infinity` where none is held. */
  readonly earliestDeadlineAtMs: number;
  /** How many have a deadline at or before `atMs`, in the host's time. */
  countDueBy(atMs: number): number;
}

/**
 * The load of the instances of one model in one region that share their work, as seen by a release
 * or an overflow policy. Borrowed.
 */
export interface EndpointLoadView {
  /** Names the pool, as `InstancePoolView.key` does. */
  readonly key: string;
  /** The model that it serves. */
  readonly modelId: ModelId;
  /** The region that the pool is in. */
  readonly regionId: RegionId;
  /** Instances that take requests; `undefined` where that is not known. */
  readonly readyInstances: number | undefined;
  /**
   * KV-cache tokens in use ÷ capacity over ready instances, 0–1; `undefined` where nothing is
   * ready or nothing is known.
   */
  readonly kvCacheUtilization: number | undefined;
  /** Prompt tokens assigned and not yet prefilled; `undefined` where that is not known. */
  readonly queuedTokens: number | undefined;
  /**
   * How old these figures are (ms): 0 where they are of this moment, `Infinity` where nothing was
   * read.
   */
  readonly ageMs: number;
  /**
   * Requests that were released here since the figures were read, which may not show in them yet.
   */
  readonly releasedSinceReading: number;
}

/**
 * Says how many held non-interactive requests to let go to an endpoint now, in deadline order.
 *
 * Contract: a whole number ≥ 0 (the host takes no more than are held); whatever the load, a
 * request whose slack has run out is let go, so that nothing starves; from one reading that does
 * not change a bounded number is let go beside those, however often is asked. The host asks when a
 * request joins the queue, when the endpoint finishes one, and at least once a minute.
 */
export interface ReleasePolicy extends Policy, Partial<Stateful> {
  /** How many to let go at `nowMs`, the host's time (ms). Both views are borrowed. */
  release(held: HeldQueueView, pool: EndpointLoadView, nowMs: number): number;
}
