import type { EndpointId, InstanceIndex } from './ids.js';
import type { Policy } from './policy.js';
import type { Stateful } from './state.js';

/** What an instance that may be given up is doing: it is still to come, or takes requests. */
export type VictimState = 'provisioning' | 'ready';

/**
 * The instances of one endpoint that may be given up. Borrowed, columnar, valid during the call
 * only; every method is O(1) and free of allocation. What is not known is `undefined`, never 0.
 *
 * Those that are ready come first, in an order of the host's own; then those that are provisioning,
 * in the order in which they were asked for. Draining ones are none: they are given up already.
 */
export interface VictimView {
  /** Whose instances they are. */
  readonly endpointId: EndpointId;
  /** How many there are, 1 or more. Indices run from 0 to count − 1. */
  readonly count: number;
  /**
   * Name of instance `i`, as `InstancePoolView.instanceId` has it: what lasts, unlike its index.
   */
  instanceId(i: InstanceIndex): string;
  /** Whether instance `i` takes requests, or is asked for and not ready yet. */
  state(i: InstanceIndex): VictimState;
  /**
   * Prompt tokens assigned and not yet prefilled, plus one for each request assigned and not yet
   * completed.
   */
  outstandingTokens(i: InstanceIndex): number | undefined;
  /** Requests that it has begun and not ended: what draining it waits for. */
  runningRequests(i: InstanceIndex): number | undefined;
  /** KV-cache tokens in use ÷ capacity, 0–1; `undefined` of one that is not ready, too. */
  kvCacheUtilization(i: InstanceIndex): number | undefined;
  /** How long ago it was asked for (ms); `undefined` too of one that was there before the host. */
  sinceRequestedMs(i: InstanceIndex): number | undefined;
  /** How long until it is expected to be ready (ms, 0 or more); 0 of one that is ready or late. */
  untilReadyMs(i: InstanceIndex): number | undefined;
  /**
   * How old the figures of instance `i` are (ms): 0 of this moment, `Infinity` where nothing was
   * read.
   */
  ageMs(i: InstanceIndex): number;
}

/**
 * Chooses which instance an endpoint gives up when it is scaled in; how many it gives up is the
 * scaling policy's. A provisioning one is cancelled, a ready one drains: it takes nothing new, and
 * goes when it has ended what it has.
 *
 * Contract: synchronous; never throws because of load; returns the index of a candidate, also where
 * nothing is known of any of them; keeps no reference to its argument; reads no clock. It is asked
 * anew for each instance, without those that it chose before, and what it chose may not come to
 * pass: a live host may have it said as a cost of deletion, and be overruled. A policy with a
 * memory has `save` and `restore`.
 */
export interface VictimPolicy extends Policy, Partial<Stateful> {
  /** `nowMs` is the host's time and never goes back. */
  choose(candidates: VictimView, nowMs: number): InstanceIndex;
}
