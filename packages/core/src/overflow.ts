import type { Policy } from './policy.js';
import type { RequestView } from './request.js';
import type { EndpointLoadView } from './scheduling.js';
import type { Stateful } from './state.js';

/**
 * Says whether a request leaves the pool that serves its tier for the second one in the same region
 * that serves it too.
 *
 * Contract: synchronous; never throws because of load; returns true or false; keeps no reference to
 * its arguments; reads no clock. What is not known is no reason to leave home. It is asked once for
 * each request that reaches such a region, as it does; where there is no second pool it is not
 * asked. A policy with a memory has `save` and `restore`.
 */
export interface OverflowPolicy extends Policy, Partial<Stateful> {
  /**
   * Whether `request` goes to the `other` pool rather than `home`, its own. `nowMs` is the host's
   * time and never goes back. All three views are borrowed.
   */
  overflows(request: RequestView, home: EndpointLoadView, other: EndpointLoadView, nowMs: number): boolean;
}
