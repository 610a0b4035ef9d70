import {
  type ModelId,
  type RegionIndex,
  type RequestView,
  TIER_NON_INTERACTIVE,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import type { FleetViews } from '../fleet-views.js';
import type { LeaseId } from '../ledger.js';
import type { DispatchHost, DispatchPolicies, Rejection } from './dispatch-host.js';
import { Dispatcher } from './dispatcher.js';
import { type Holdable, HeldList } from './held-list.js';

const NON_INTERACTIVE = WORKLOAD_TIERS[TIER_NON_INTERACTIVE];

/** A request as its host keeps it: an object that is the same from its arrival to its end. */
export interface FleetRequest extends Holdable {
  readonly view: RequestView;
}

/** The instance that a request is given to. */
export interface Placement {
  readonly poolKey: string;
  readonly instanceId: string;
}

export interface FleetDispatchOptions<R extends FleetRequest> {
  /** What is known of the fleet; the host keeps it up to date. */
  readonly views: FleetViews;
  readonly policies: DispatchPolicies;
  /**
   * A request has its instance: the host begins to send it, and says {@link FleetDispatch.ended},
   * {@link FleetDispatch.retry} or {@link FleetDispatch.leave} of it, later. It does not throw.
   */
  readonly start: (request: R, placement: Placement, nowMs: number) => void;
  /**
   * A request ends without being served: for `breach` because a policy that was asked about it
   * broke its contract or threw, with the error. It does not throw.
   */
  readonly reject: (request: R, why: Rejection | 'breach', nowMs: number, error?: Error) => void;
  /**
   * A release or an overflow policy broke its contract or threw: what is due is let go, and a
   * request stays in its own pool. Nothing unless given; it does not throw.
   */
  readonly breach?: (error: Error) => void;
}

/**
 * The steps of a {@link Dispatcher} over {@link FleetViews}, for hosts whose requests are objects
 * and whose time is real: a request that may wait is held in memory, one that no instance takes
 * waits for its pool, and both are there until they are sent or leave: also where no pool serves
 * their model for a while. A policy that breaks its contract ends the request that it was asked
 * about, and holds up no other.
 */
export interface FleetDispatch<R> {
  /**
   * A request has come. Throws `RangeError` for one that is here already, from a region that there
   * is not, or without a deadline.
   */
  arrive(request: R, nowMs: number): void;
  /**
   * Its instance is done with it, well or not. False where the request was not with an instance.
   */
  ended(request: R, nowMs: number): boolean;
  /**
   * Its instance is lost or has refused it: it is held or routed anew, with the `view` that it has
   * now. False where the request was not with an instance.
   */
  retry(request: R, nowMs: number): boolean;
  /** Its client has gone, wherever it is. False where the request is not here. */
  leave(request: R, nowMs: number): boolean;
  /**
   * The pools or instances of the views have changed, or were read: what waits for a pool is asked
   * about again, and what waited for one that is gone or serves it no more is routed anew.
   */
  refresh(nowMs: number): void;
  /** Asks what held requests may go now: at least once a minute, for those that are due. */
  tick(nowMs: number): void;
  /** Requests that are held of a model. */
  heldCount(modelId: ModelId): number;
  /** Requests that wait for an instance of a pool. */
  waitingCount(poolKey: string): number;
}

type Place =
  | { readonly at: 'held' }
  | { readonly at: 'pool'; readonly poolKey: string }
  | { readonly at: 'instance'; readonly poolKey: string; readonly lease: LeaseId };

export function createFleetDispatch<R extends FleetRequest>(options: FleetDispatchOptions<R>): FleetDispatch<R> {
  const { views, policies } = options;
  const places = new Map<R, Place>();
  const held = new Map<ModelId, HeldList<R>>();
  const waiting = new Map<string, R[]>();
  /** The pools that those that wait were looked at with last. */
  let { poolKeys } = views;
  /** The instance of the view that was lent last is looked up in it. */
  let lent: ReturnType<FleetViews['instancesOf']>;

  const heldOf = (model: ModelId): HeldList<R> => {
    let list = held.get(model);
    if (list === undefined) held.set(model, (list = new HeldList()));
    return list;
  };
  const regionOf = (key: string): RegionIndex => views.regions.indexOf(views.pool(key)!.regionId);
  /** Whether a pool takes held requests of its model. */
  const holds = (key: string): boolean =>
    views.poolFor({ modelId: views.pool(key)!.modelId, tier: NON_INTERACTIVE }, regionOf(key)) === key;
  const takeWaiting = (key: string, request: R): void => {
    const queue = waiting.get(key)!;
    queue.splice(queue.indexOf(request), 1);
  };

  const host: DispatchHost<R, string> = {
    get pools() {
      return views.poolKeys;
    },
    request: ({ view }) => view,
    mayWait: ({ view }) => view.tier === NON_INTERACTIVE,
    // How long the answer will be is not known: an instance is too small for certain where it
    // could not even hold the prompt.
    tokensNeeded: ({ view }) => view.promptTokens,
    regions: ({ view, allowed }, from, nowMs) =>
      views.regionsFor(view, nowMs, allowed, from === undefined ? undefined : regionOf(from)),
    otherPool: ({ view }, home) => views.otherPoolFor(view, regionOf(home)),
    // What is sent is there at once, and a pool that is gone is none of the views'.
    isOpen: () => true,
    instances: (key, nowMs) => (lent = views.instancesOf(key, nowMs)),
    load: (key, nowMs) => views.loadOf(key, nowMs),
    holders(request) {
      const regions = views.regionsFor(request.view, 0, request.allowed);
      return Array.from({ length: regions.preferenceCount }, (_, k) =>
        views.poolFor(request.view, regions.preferred(k)),
      ).filter((key) => key !== undefined);
    },
    hold(request) {
      places.set(request, { at: 'held' });
      heldOf(request.view.modelId).add(request);
    },
    heldCount(key) {
      const count = held.get(views.pool(key)!.modelId)?.count ?? 0;
      return holds(key) ? count : 0;
    },
    held: (key) => heldOf(views.pool(key)!.modelId).seenFrom(regionOf(key)),
    takeHeld: (key) => heldOf(views.pool(key)!.modelId).take(regionOf(key)),
    firstWaiting: (key) => waiting.get(key)?.[0],
    wait(request, key) {
      places.set(request, { at: 'pool', poolKey: key });
      const queue = waiting.get(key);
      if (queue === undefined) waiting.set(key, [request]);
      else queue.push(request);
    },
    stopWaiting(key) {
      takeWaiting(key, waiting.get(key)![0]!);
    },
    send(request, region, nowMs) {
      dispatcher.reach(request, views.poolFor(request.view, region)!, nowMs);
    },
    reached: () => undefined,
    assign(request, poolKey, choice, nowMs) {
      const instanceId = lent.instanceId(choice);
      const lease = views.begin(instanceId, request.view.promptTokens, nowMs);
      places.set(request, { at: 'instance', poolKey, lease });
      options.start(request, { poolKey, instanceId }, nowMs);
    },
    released: (key, count) => views.released(key, count),
    restart: () => undefined,
    reject: (request, why, nowMs) => {
      places.delete(request);
      options.reject(request, why, nowMs);
    },
    breach(contract, request, nowMs) {
      const error = thrown ?? contract;
      if (request === undefined) {
        options.breach?.(error);
        return;
      }
      places.delete(request);
      options.reject(request, 'breach', nowMs, error);
    },
  };
  /** What a policy threw: to its host it is an answer that breaks the contract. */
  let thrown: Error | undefined;
  const asked = <T>(ask: () => T): T => {
    thrown = undefined;
    try {
      return ask();
    } catch (error) {
      thrown = error instanceof Error ? error : new Error(String(error));
      return NaN as T;
    }
  };
  const { regionRouter, overflow, instanceRouter, release } = policies;
  const dispatcher = new Dispatcher(host, {
    regionRouter: { name: regionRouter.name, route: (...given) => asked(() => regionRouter.route(...given)) },
    overflow: { name: overflow.name, overflows: (...given) => asked(() => overflow.overflows(...given)) },
    instanceRouter: { name: instanceRouter.name, route: (...given) => asked(() => instanceRouter.route(...given)) },
    release: { name: release.name, release: (...given) => asked(() => release.release(...given)) },
  });

  /** Takes a request out of its place, and says which that was. */
  function remove(request: R, nowMs: number): Place | undefined {
    const place = places.get(request);
    places.delete(request);
    if (place?.at === 'held') heldOf(request.view.modelId).remove(request);
    else if (place?.at === 'pool') takeWaiting(place.poolKey, request);
    else if (place?.at === 'instance') views.end(place.lease, nowMs);
    return place;
  }
  /** Whether a request that waits for a pool is served there still. */
  const serves = (key: string, { view, allowed }: R): boolean => {
    if (views.pool(key) === undefined) return false;
    const region = regionOf(key);
    const pools = [views.poolFor(view, region), views.otherPoolFor(view, region)];
    return (allowed?.has(region) ?? true) && pools.includes(key);
  };
  const settled = (poolKey: string, nowMs: number): void => {
    if (views.pool(poolKey) !== undefined) dispatcher.completed(poolKey, 1, nowMs);
  };

  return {
    arrive(request, nowMs) {
      const { requestId, originRegion, deadlineAtMs } = request.view;
      if (places.has(request)) throw new RangeError(`request ${requestId} is here already`);
      if (views.regions[originRegion] === undefined)
        throw new RangeError(`request ${requestId} is from region ${originRegion} of ${views.regions.length}`);
      if (Number.isNaN(deadlineAtMs)) throw new RangeError(`request ${requestId} has no deadline`);
      dispatcher.arrive(request, nowMs);
    },
    ended(request, nowMs) {
      const place = places.get(request);
      if (place?.at !== 'instance') return false;
      remove(request, nowMs);
      settled(place.poolKey, nowMs);
      return true;
    },
    retry(request, nowMs) {
      const place = places.get(request);
      if (place?.at !== 'instance') return false;
      remove(request, nowMs);
      dispatcher.arrive(request, nowMs);
      settled(place.poolKey, nowMs);
      return true;
    },
    leave(request, nowMs) {
      const place = remove(request, nowMs);
      if (place?.at === 'instance') settled(place.poolKey, nowMs);
      else if (place?.at === 'pool' && views.pool(place.poolKey) !== undefined) dispatcher.drain(place.poolKey, nowMs);
      return place !== undefined;
    },
    refresh(nowMs) {
      const arePoolsNew = poolKeys !== views.poolKeys;
      poolKeys = views.poolKeys;
      for (const [key, queue] of [...waiting]) {
        for (const request of arePoolsNew ? queue.filter((one) => !serves(key, one)) : []) {
          const place = places.get(request);
          // It may have left while one before it was sent.
          if (place?.at !== 'pool' || place.poolKey !== key) continue;
          remove(request, nowMs);
          dispatcher.arrive(request, nowMs);
        }
        if (views.pool(key) !== undefined) dispatcher.drain(key, nowMs);
        else if (queue.length === 0) waiting.delete(key);
      }
    },
    tick(nowMs) {
      dispatcher.releaseAll(nowMs);
    },
    heldCount: (modelId) => held.get(modelId)?.count ?? 0,
    waitingCount: (poolKey) => waiting.get(poolKey)?.length ?? 0,
  };
}
