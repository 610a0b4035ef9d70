import type { InstanceIndex, RegionId, RegionIndex } from './ids.js';
import type { Policy } from './policy.js';
import type { RequestView } from './request.js';
import type { Stateful } from './state.js';

/**
 * The regions as one request sees them. Borrowed, columnar, valid during the call only; every
 * method is O(1) and free of allocation.
 */
export interface RegionPoolView {
  /** How many regions there are. Indices run from 0 to count − 1. */
  readonly count: number;
  /**
   * Name of region `r`: what a router keeps from one call to the next, since indices do not last.
   */
  regionId(r: RegionIndex): RegionId;
  /** Whether region `r` has an endpoint for the request's model and tier, ready or not. */
  hosts(r: RegionIndex): boolean;
  /**
   * Whether the request's residency set lets it run in region `r`. A router must never return a
   * region where this is false.
   */
  allowed(r: RegionIndex): boolean;
  /**
   * How many regions the request's order of preference has: those that its residency set allows.
   */
  readonly preferenceCount: number;
  /**
   * The k-th region in the request's order of preference: its own list where it brought one,
   * otherwise its origin first and the rest by network distance.
   */
  preferred(k: number): RegionIndex;
  /**
   * Instances of region `r` that take the request's model and tier; `undefined` where that is not
   * known.
   */
  readyInstances(r: RegionIndex): number | undefined;
  /**
   * KV-cache tokens in use ÷ capacity over the ready instances, 0–1. `undefined` where nothing is
   * ready or nothing is known.
   */
  kvCacheUtilization(r: RegionIndex): number | undefined;
  /**
   * Prompt tokens assigned to the region and not yet prefilled; `undefined` where that is not
   * known.
   */
  queuedTokens(r: RegionIndex): number | undefined;
  /**
   * How old the figures of region `r` are (ms): 0 where they are of this moment, `Infinity` where
   * nothing was ever read.
   */
  ageMs(r: RegionIndex): number;
  /** Round trip between two regions (ms), 0 or more. */
  networkRttMs(from: RegionIndex, to: RegionIndex): number;
}

/**
 * The instances that may take a request within the chosen region. Borrowed like
 * {@link RegionPoolView}.
 */
export interface InstancePoolView {
  /** Names the pool; the same from one call to the next, unlike its indices. */
  readonly key: string;
  /** How many there are. Indices run from 0 to count − 1. */
  readonly count: number;
  /** Name of instance `i`: what a router keeps from one call to the next. */
  instanceId(i: InstanceIndex): string;
  /** Whether instance `i` takes new requests: provisioning and draining ones do not. */
  isReady(i: InstanceIndex): boolean;
  /**
   * Whether instance `i` could ever hold `tokens` in its KV cache; true where its size is not
   * known.
   */
  fits(i: InstanceIndex, tokens: number): boolean;
  /** KV-cache tokens in use ÷ capacity, 0–1; `undefined` where that is not known. */
  kvCacheUtilization(i: InstanceIndex): number | undefined;
  /** Requests that wait in the instance's own queue; `undefined` where that is not known. */
  queuedRequests(i: InstanceIndex): number | undefined;
  /**
   * Prompt tokens assigned and not yet prefilled, plus one for each request assigned and not yet
   * completed; `undefined` where that is not known. A host that sends the requests itself counts
   * what it sent since the last reading.
   */
  outstandingTokens(i: InstanceIndex): number | undefined;
  /**
   * How old the figures of instance `i` are (ms): 0 of this moment, `Infinity` where nothing was
   * read.
   */
  ageMs(i: InstanceIndex): number;
}

/**
 * Chooses a region for a request, in milliseconds.
 *
 * Contract: synchronous; never throws because of load; returns a region for which both `allowed`
 * and `hosts` hold, or −1 where no such region exists (the request is then rejected and counted as
 * a miss); keeps no reference to its arguments; reads no clock.
 */
export interface RegionRouter extends Policy, Partial<Stateful> {
  /**
   * A region for `request` at `nowMs`, the host's time (ms), or −1 for none. Both views are
   * borrowed.
   */
  route(request: RequestView, regions: RegionPoolView, nowMs: number): RegionIndex;
}

/**
 * Chooses an instance within a region.
 *
 * Contract: as {@link RegionRouter}, except that it returns an index for which `isReady` holds, or
 * −1 to let the request wait in the endpoint's queue (the host asks again when an instance becomes
 * ready or finishes work).
 */
export interface InstanceRouter extends Policy, Partial<Stateful> {
  /**
   * An instance for `request` at `nowMs`, the host's time (ms), or −1 for none now. Both views are
   * borrowed.
   */
  route(request: RequestView, pool: InstancePoolView, nowMs: number): InstanceIndex;
}
