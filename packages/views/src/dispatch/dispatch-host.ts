import type {
  EndpointLoadView,
  HeldQueueView,
  InstanceIndex,
  InstancePoolView,
  InstanceRouter,
  OverflowPolicy,
  PolicyContractError,
  RegionIndex,
  RegionPoolView,
  RegionRouter,
  ReleasePolicy,
  RequestView,
} from '@sageserve/core';

/** The policies that say where a request goes, and when. */
export interface DispatchPolicies {
  readonly regionRouter: RegionRouter;
  readonly overflow: OverflowPolicy;
  readonly instanceRouter: InstanceRouter;
  readonly release: ReleasePolicy;
}

/**
 * Why a request is not served: no region may, or no instance of its pool could ever hold it.
 */
export type Rejection = 'no-region' | 'too-long';

/**
 * What stands under the steps of a {@link Dispatcher}: where requests are kept and what is seen of
 * the fleet. `R` names a request within its host and `P` a pool, the instances that share the work
 * of one model and some tiers in one region. Nothing here may wait: what takes time (a network, an
 * instance at work) is begun, and the dispatcher is told when it is over.
 */
export interface DispatchHost<R, P> {
  /** All pools. */
  readonly pools: readonly P[];

  /** What policies may know of a request. Borrowed. */
  request(request: R): RequestView;
  /** Whether it may be held back: what is not interactive. */
  mayWait(request: R): boolean;
  /** KV-cache tokens that it needs at least, as far as the host knows. */
  tokensNeeded(request: R): number;

  /**
   * The regions as a request sees them, borrowed: in its own order of preference, or, where it was
   * released to `from`, with the region of that pool first.
   */
  regions(request: R, from: P | undefined, nowMs: number): RegionPoolView;
  /** A second pool in the region of `home` that serves the request too. */
  otherPool(request: R, home: P): P | undefined;
  /** Whether what reaches a pool can stay there: not where its region has gone meanwhile. */
  isOpen(pool: P): boolean;
  /** The instances of a pool, borrowed. */
  instances(pool: P, nowMs: number): InstancePoolView;
  /** The load of a pool, borrowed: those of two pools may be looked at side by side. */
  load(pool: P, nowMs: number): EndpointLoadView;

  /**
   * The pools that may be given a request which is held, in its order of preference; none where no
   * region hosts it. It stays as it is while the request is held.
   */
  holders(request: R): readonly P[];
  /** Keeps a request back. */
  hold(request: R): void;
  /** Requests held of the model of a pool that takes held ones; 0 for another. */
  heldCount(pool: P): number;
  /** Those of them that may go to the pool, borrowed. */
  held(pool: P): HeldQueueView;
  /** Takes out the one of them that is due first; `undefined` where there is none. */
  takeHeld(pool: P): R | undefined;

  /** The request that waits longest for an instance of a pool. */
  firstWaiting(pool: P): R | undefined;
  /** Lets a request wait for an instance, in order of arrival. */
  wait(request: R, pool: P): void;
  /** Takes out the one that waits longest: it is about to have an instance, or to be rejected. */
  stopWaiting(pool: P): void;

  /**
   * A request goes to a region: the host takes it there and calls {@link Dispatcher.reach} when it
   * is there.
   */
  send(request: R, region: RegionIndex, nowMs: number): void;
  /** A request has reached a pool that takes it. */
  reached(request: R, pool: P): void;
  /** A request is given to an instance of the view that {@link instances} lent last. */
  assign(request: R, pool: P, instance: InstanceIndex, nowMs: number): void;
  /** So many held requests are about to be let go to a pool. */
  released(pool: P, count: number): void;
  /** What was done for a request is lost with its instance: it begins anew. */
  restart(request: R, nowMs: number): void;
  /** A request ends without being served. */
  reject(request: R, why: Rejection, nowMs: number): void;
  /**
   * A policy has broken its contract: a host that can't go on throws the error. One that goes on
   * ends the request that the policy was asked about, where it is given; where it is not, what is
   * due is let go in the place of a release policy, and a request stays in its own pool in that of
   * an overflow policy.
   */
  breach(error: PolicyContractError, request: R | undefined, nowMs: number): void;
}
