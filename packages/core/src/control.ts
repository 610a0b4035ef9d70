import type { DemandKey, DemandSeries } from './demand.js';
import type { FleetSnapshot } from './fleet.js';
import type { EndpointId } from './ids.js';
import type { Lease } from './lease.js';
import type { ScalingDecision } from './scaling.js';
import { type Awaitable, MS_PER_HOUR, MS_PER_S } from './units.js';

/** What every call to the outside world takes. */
export interface CallOptions {
  /**
   * Ends the call: it is to reject soon after with the signal's reason. Absent: it ends by itself.
   */
  readonly signal?: AbortSignal;
}

/**
 * Where a controller learns what is. Stale or missing values are `undefined` or an older time,
 * never 0. Both methods may reject: the caller goes on without what they would have told.
 */
export interface TelemetrySource {
  /**
   * The fleet as it was last seen. May come from several places: each endpoint says itself how old
   * its figures are.
   */
  snapshot(options?: CallOptions): Awaitable<FleetSnapshot>;
  /**
   * Demand as {@link DemandSeries} defines it, one series for each key in the order of the keys, in
   * buckets of `stepMs` from `sinceMs` on (which is rounded down to a bucket) up to the last bucket
   * that is complete. A series of which nothing is known is all `NaN`, and does not hold up the
   * others.
   */
  demand(
    keys: readonly DemandKey[],
    sinceMs: number,
    stepMs: number,
    options?: CallOptions,
  ): Awaitable<readonly DemandSeries[]>;
}

/** What came of one decision. */
export interface ActuationResult {
  /** The endpoint that was decided for. */
  readonly endpointId: EndpointId;
  /**
   * `applied`: all of it is under way. `unchanged`: it was so before. `partial`: less than was
   * asked for. `failed`: what came of it is not known. `refused`: somebody with a newer fence has
   * acted, and nothing was changed.
   */
  readonly status: 'applied' | 'unchanged' | 'partial' | 'failed' | 'refused';
  /**
   * Instances that the endpoint is on its way to after the call; `undefined` where that is not
   * known.
   */
  readonly reachedInstances: number | undefined;
  /** Why it was not done in full, in words; `undefined` where it was. */
  readonly detail: string | undefined;
}

/** What an actuator is told beside the decisions. */
export interface ActuationOptions extends CallOptions {
  /** The {@link Lease.fence} under which is decided; absent where nobody else may act. */
  readonly fence?: number;
}

/**
 * Carries decisions out.
 *
 * Contract: answers each decision once; applying the same decision twice changes nothing the second
 * time; one failed endpoint does not stop the others; of an endpoint that is acted on with a fence,
 * decisions with an older fence are `refused` from then on; after the signal it settles soon.
 */
export interface Actuator {
  /**
   * Carries out `decisions`, which are the caller's and are not kept. What did not work is a
   * result, in any order; rejects where nothing is known of any of them, and with the signal's
   * reason.
   */
  apply(decisions: readonly ScalingDecision[], options?: ActuationOptions): Awaitable<readonly ActuationResult[]>;
}

/** How often a control loop does what, where nothing else is said. */
export const DEFAULT_CADENCES = {
  /** Between two questions to the scaling policy (ms). */
  reactMs: MS_PER_S,
  /** Between two plans (ms): an hour, as in the SageServe paper (arXiv 2502.14617). */
  planMs: MS_PER_HOUR,
  /**
   * How far a forecast reaches (ms): over the next plan too, so that a policy sees past a delay.
   */
  horizonMs: 2 * MS_PER_HOUR,
} as const;

/** What one tick of a control loop saw and did. */
export interface TickReport {
  /** The time that the tick was called with (ms). */
  readonly atMs: number;
  /** What the scaling policy decided in it, changes or not. */
  readonly decisions: readonly ScalingDecision[];
  /** What came of those that were carried out. */
  readonly results: readonly ActuationResult[];
  /** What does not work and which fallback took its place; empty on a good tick. */
  readonly degradations: readonly string[];
}

/** What a host says to a tick beside the time. */
export interface TickOptions extends CallOptions {
  /**
   * Whether (default false) the tick waits for a plan that is due, as a simulation does, where
   * time stands still meanwhile. Without it the plan is made beside the ticks, and the first after
   * it adopts it.
   */
  readonly awaitPlan?: boolean;
  /**
   * Under which lease the tick runs: its fence goes to the actuator, and nothing is done once it is
   * lost. Absent where one controller is all there is.
   */
  readonly lease?: Lease;
}

/**
 * A passive loop: it says when it wants to run, and its host, simulated or live, calls it then,
 * never while another tick is under way.
 */
export interface ControlLoop {
  /** When it wants to run next (ms); later after each tick that came at this time or after it. */
  readonly nextTickAtMs: number;
  /**
   * Runs what is due at `nowMs`, the host's time (ms), which never goes back. What does not work is
   * told as a degradation; so is what the signal ended, after which it settles soon. Rejects for a
   * policy that breaks its contract where the loop was made to. The report is the caller's.
   */
  tick(nowMs: number, options?: TickOptions): Promise<TickReport>;
  /**
   * Takes up what was saved by a loop before this one. To be called before the first tick, and
   * when a lease was won again; absent where nothing is remembered.
   */
  restore?(options?: CallOptions): Promise<void>;
}
