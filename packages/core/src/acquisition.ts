import type { AcquisitionKind } from './fleet.js';
import type { EndpointId, ModelId } from './ids.js';
import type { Policy } from './policy.js';
import type { Stateful } from './state.js';

/** Position of a way in the view that was passed in. Valid during that call only. */
export type AcquisitionIndex = number;

/**
 * The ways in which an endpoint can have one more instance at this moment. Borrowed, columnar,
 * valid during the call only; every method is O(1) and free of allocation. What is not known is
 * `undefined`, never 0. Their order is the host's own, and there may be several of one kind: from
 * two node pools, or with the weights of two other models on them.
 */
export interface AcquisitionView {
  /** Which endpoint wants an instance. */
  readonly endpointId: EndpointId;
  /** The model that it is to serve. */
  readonly modelId: ModelId;
  /** How many ways there are, 1 or more. Indices run from 0 to count − 1. */
  readonly count: number;
  /**
   * What way `o` is; which draining or donated instance it takes of several is the host's to say.
   */
  kind(o: AcquisitionIndex): AcquisitionKind;
  /** Names where way `o` takes it from, such as a node pool; the same from one call to the next. */
  source(o: AcquisitionIndex): string;
  /**
   * The model whose weights are there already; `undefined` where there are none, as on a new host.
   */
  weightsOf(o: AcquisitionIndex): ModelId | undefined;
  /**
   * How many instances can be had in way `o`, 1 or more; `undefined` where a cloud does not tell.
   */
  available(o: AcquisitionIndex): number | undefined;
  /**
   * How long it is expected to take until the instance is ready (ms); 0 for one that is ready at
   * once.
   */
  expectedDelayMs(o: AcquisitionIndex): number | undefined;
  /** What the instance costs while it is held (US dollars per hour, all of its GPUs). */
  usdPerHour(o: AcquisitionIndex): number | undefined;
}

/**
 * Chooses the way in which an endpoint that is scaled out has its next instance; how many it has is
 * the scaling policy's.
 *
 * Contract: synchronous; never throws because of load; returns the index of a way, also where
 * nothing is known of any of them, or −1 to have none rather than any of these; keeps no reference
 * to its argument; reads no clock. It is asked anew for each instance, and after a −1 not before
 * the next decision. Where there is no way at all it is not asked. A policy with a memory has
 * `save` and `restore`.
 */
export interface AcquisitionPolicy extends Policy, Partial<Stateful> {
  /** `nowMs` is the host's time and never goes back. */
  choose(options: AcquisitionView, nowMs: number): AcquisitionIndex;
}
