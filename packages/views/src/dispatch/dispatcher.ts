import {
  answered,
  type InstanceIndex,
  type InstancePoolView,
  type InstanceRouter,
  OVERFLOW_CONTRACT,
  overflowBreach,
  type OverflowPolicy,
  PolicyContractError,
  type RegionPoolView,
  type RegionRouter,
  type ReleasePolicy,
} from '@sageserve/core';
import type { DispatchHost, DispatchPolicies } from './dispatch-host.js';

/**
 * The steps that a request takes from its arrival to its instance, one code for every host: arrive,
 * hold, route to a region, reach a pool, be given to an instance, release what was held, and again
 * where an instance is lost. Asks the policies and holds them to their contracts: the host is told
 * of an answer that breaks one. Nothing is allocated for a request.
 */
export class Dispatcher<R, P> {
  readonly #host: DispatchHost<R, P>;
  readonly #regionRouter: RegionRouter;
  readonly #overflow: OverflowPolicy;
  readonly #instanceRouter: InstanceRouter;
  readonly #release: ReleasePolicy;

  constructor(host: DispatchHost<R, P>, policies: DispatchPolicies) {
    this.#host = host;
    this.#regionRouter = policies.regionRouter;
    this.#overflow = policies.overflow;
    this.#instanceRouter = policies.instanceRouter;
    this.#release = policies.release;
  }

  /** A request has come: it is held back where it may wait, or sent to a region. */
  arrive(request: R, nowMs: number): void {
    if (this.#host.mayWait(request) && this.#hold(request, nowMs)) return;
    this.#route(request, undefined, nowMs);
  }

  /** Requests whose instance or region is lost begin anew, in the order given. */
  lost(requests: readonly R[], nowMs: number): void {
    for (const request of requests) {
      this.#host.restart(request, nowMs);
      this.arrive(request, nowMs);
    }
  }

  /** A request that was sent to a region is there; `home` is the pool that serves it. */
  reach(request: R, home: P, nowMs: number): void {
    const host = this.#host;
    const pool = this.#withOverflow(request, home, nowMs);
    if (!host.isOpen(pool)) {
      this.lost([request], nowMs);
      return;
    }
    host.reached(request, pool);
    if (host.firstWaiting(pool) !== undefined || !this.#dispatch(request, pool, false, nowMs)) host.wait(request, pool);
  }

  /** A pool may have room: those that wait for an instance of it are asked about again. */
  drain(pool: P, nowMs: number): void {
    const host = this.#host;
    for (;;) {
      const request = host.firstWaiting(pool);
      if (request === undefined || !this.#dispatch(request, pool, true, nowMs)) return;
    }
  }

  /** An instance of a pool is done with so many requests. */
  completed(pool: P, requests: number, nowMs: number): void {
    if (this.#host.firstWaiting(pool) !== undefined) this.drain(pool, nowMs);
    for (let n = 0; n < requests && this.#host.heldCount(pool) > 0; n++) this.release(pool, nowMs);
  }

  /** Asks of every pool what may be let go to it: at least once a minute, for what is due. */
  releaseAll(nowMs: number): void {
    for (const pool of this.#host.pools) if (this.#host.heldCount(pool) > 0) this.release(pool, nowMs);
  }

  /**
   * Asks the release policy how many held requests a pool gets now, and sends them there. In a
   * region that is gone they stay held: its time may come.
   */
  release(pool: P, nowMs: number): void {
    const host = this.#host;
    if (!host.isOpen(pool)) return;
    const held = host.held(pool);
    let count = this.#release.release(held, host.load(pool, nowMs), nowMs);
    if (!(Number.isInteger(count) && count >= 0)) {
      host.breach(releaseBreach(this.#release, count), undefined, nowMs);
      count = held.countDueBy(nowMs);
    }
    if (count > 0) this.#letGo(pool, Math.min(count, held.count), nowMs);
  }

  #letGo(pool: P, most: number, nowMs: number): void {
    const host = this.#host;
    host.released(pool, most);
    for (let n = 0; n < most; n++) {
      const request = host.takeHeld(pool);
      if (request === undefined) return;
      // Routed as if it came from the region that has room, so that a full region still passes it
      // on.
      this.#route(request, pool, nowMs);
    }
  }

  /**
   * Holds a request back and asks its pools whether they have room for held work; false where no
   * region hosts it.
   */
  #hold(request: R, nowMs: number): boolean {
    const host = this.#host;
    const pools = host.holders(request);
    if (pools.length === 0) return false;
    host.hold(request);
    for (let p = 0; p < pools.length; p++) if (host.heldCount(pools[p]!) > 0) this.release(pools[p]!, nowMs);
    return true;
  }

  #route(request: R, from: P | undefined, nowMs: number): void {
    const host = this.#host;
    const router = this.#regionRouter;
    const regions = host.regions(request, from, nowMs);
    const region = router.route(host.request(request), regions, nowMs);
    if (region === -1) {
      host.reject(request, 'no-region', nowMs);
      return;
    }
    if (isIndex(region, regions.count) && regions.hosts(region) && regions.allowed(region))
      host.send(request, region, nowMs);
    else host.breach(regionBreach(router, region, regions), request, nowMs);
  }

  /** The pool of a request, or the second one of its region that takes what the first passes on. */
  #withOverflow(request: R, home: P, nowMs: number): P {
    const host = this.#host;
    const other = host.otherPool(request, home);
    if (other === undefined) return home;
    const overflow = this.#overflow;
    const here = host.load(home, nowMs);
    const there = host.load(other, nowMs);
    const passesOn = overflow.overflows(host.request(request), here, there, nowMs);
    const breach = overflowBreach(passesOn, here, there);
    if (breach === undefined) return passesOn ? other : home;
    const error = new PolicyContractError(`overflow policy "${overflow.name}"`, breach, OVERFLOW_CONTRACT);
    host.breach(error, undefined, nowMs);
    return home;
  }

  /** Gives a request to an instance of its pool; false where it has to wait. */
  #dispatch(request: R, pool: P, waits: boolean, nowMs: number): boolean {
    const host = this.#host;
    const router = this.#instanceRouter;
    const instances = host.instances(pool, nowMs);
    let choice = router.route(host.request(request), instances, nowMs);
    if (choice === -1) return false;
    if (!(isIndex(choice, instances.count) && instances.isReady(choice))) {
      if (waits) host.stopWaiting(pool);
      host.breach(instanceBreach(router, choice, instances), request, nowMs);
      return true;
    }
    const tokens = host.tokensNeeded(request);
    if (!instances.fits(choice, tokens)) {
      choice = leastLoadedThatFits(instances, tokens);
    }
    if (waits) host.stopWaiting(pool);
    if (choice === -1) host.reject(request, 'too-long', nowMs);
    else host.assign(request, pool, choice, nowMs);
    return true;
  }
}

function isIndex(choice: number, count: number): boolean {
  return Number.isInteger(choice) && choice >= 0 && choice < count;
}

// Apart from the steps: what is inlined into them is what they do every time.

function regionBreach({ name }: RegionRouter, region: number, regions: RegionPoolView): PolicyContractError {
  return new PolicyContractError(
    `region router "${name}"`,
    isIndex(region, regions.count)
      ? `chose region ${regions.regionId(region)}, which may not serve the request`
      : `answered with ${answered(region)}`,
    'route() returns the index of a region that hosts the model and that the request may go to, or -1 where there ' +
      'is none.',
  );
}

function instanceBreach({ name }: InstanceRouter, choice: number, { count }: InstancePoolView): PolicyContractError {
  return new PolicyContractError(
    `instance router "${name}"`,
    `answered with ${answered(choice)} where there are ${count} instances`,
    'route() returns the index of a ready instance, or -1 to let the request wait.',
  );
}

function releaseBreach({ name }: ReleasePolicy, count: number): PolicyContractError {
  return new PolicyContractError(
    `release policy "${name}"`,
    `answered with ${answered(count)}`,
    'release() returns a whole number of 0 or more.',
  );
}

/**
 * In a pool of several SKUs: the ready instance with the fewest outstanding tokens among those that
 * could hold so many, those of which they are known first; −1 where there is none.
 */
function leastLoadedThatFits(instances: InstancePoolView, tokens: number): InstanceIndex {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < instances.count; i++) {
    if (!instances.isReady(i) || !instances.fits(i, tokens)) continue;
    const outstanding = instances.outstandingTokens(i) ?? Infinity;
    if (best !== -1 && !(outstanding < least)) continue;
    best = i;
    least = outstanding;
  }
  return best;
}
