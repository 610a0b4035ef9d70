import type { InstanceIndex, RegionId, RegionIndex } from './ids.js';
import type { RequestView } from './request.js';

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
  readyInstances(r: RegionIndex): number;
  /**
   * KV-cache tokens in use ÷ capacity over the ready instances, 0–1. `undefined` where nothing is
   * ready or nothing is known.
   */
  kvCacheUtilization(r: RegionIndex): number | undefined;
  /** Prompt tokens assigned to the region and not yet prefilled. */
  queuedTokens(r: RegionIndex): number;
  /** Round trip between two regions in milliseconds. */
  networkRttMs(from: RegionIndex, to: RegionIndex): number;
}

/**
 * The instances that may take a request within the chosen region. Borrowed like
 * {@link RegionPoolView}.
 */
export interface InstancePoolView {
  /** Names the pool; the same from one call to the next, unlike its indices. */
  readonly key: string;
  readonly count: number;
  /** Whether instance `i` takes new requests: provisioning and draining ones do not. */
  isReady(i: InstanceIndex): boolean;
  /** KV-cache tokens in use ÷ capacity, 0–1. */
  kvCacheUtilization(i: InstanceIndex): number;
  /** Requests that wait in the instance's own queue. */
  queuedRequests(i: InstanceIndex): number;
  /**
   * Prompt tokens assigned and not yet prefilled, plus one for each request assigned and not yet
   * completed.
   */
  outstandingTokens(i: InstanceIndex): number;
}

/**
 * Chooses a region for a request, in milliseconds.
 *
 * Contract: synchronous; never throws because of load; returns a region for which both `allowed`
 * and `hosts` hold, or −1 where no such region exists (the request is then rejected and counted as
 * a miss); keeps no reference to its arguments; reads no clock.
 */
export interface RegionRouter {
  readonly name: string;
  route(request: RequestView, regions: RegionPoolView, nowMs: number): RegionIndex;
}

/**
 * Chooses an instance within a region.
 *
 * Contract: as {@link RegionRouter}, except that it returns an index for which `isReady` holds, or
 * −1 to let the request wait in the endpoint's queue (the host asks again when an instance becomes
 * ready or finishes work).
 */
export interface InstanceRouter {
  readonly name: string;
  route(request: RequestView, pool: InstancePoolView, nowMs: number): InstanceIndex;
}
