import type { DemandKey, DemandSeries } from './demand.js';
import type { FleetSnapshot } from './fleet.js';
import type { EndpointId } from './ids.js';
import type { ScalingDecision } from './scaling.js';
import type { Awaitable } from './units.js';

/**
 * Where a controller learns what is. Stale or missing values are `undefined` or an older
 * `takenAtMs`, never 0.
 */
export interface TelemetrySource {
  snapshot(): Awaitable<FleetSnapshot>;
  demand(key: DemandKey, sinceMs: number, stepMs: number): Awaitable<DemandSeries>;
}

/** What came of one decision. */
export interface ActuationResult {
  readonly endpointId: EndpointId;
  readonly status: 'applied' | 'unchanged' | 'partial' | 'failed';
  /** Instances that the endpoint is on its way to after the call. */
  readonly reachedInstances: number;
  readonly detail: string | undefined;
}

/**
 * Carries decisions out. Contract: applying the same decision twice changes nothing the second
 * time; one failed endpoint does not stop the others.
 */
export interface Actuator {
  apply(decisions: readonly ScalingDecision[], signal?: AbortSignal): Awaitable<readonly ActuationResult[]>;
}

/** What one tick of a control loop saw and did. */
export interface TickReport {
  readonly atMs: number;
  readonly decisions: readonly ScalingDecision[];
  readonly results: readonly ActuationResult[];
  /** What did not work and which fallback took its place; empty on a good tick. */
  readonly degradations: readonly string[];
}

/** A passive loop: it says when it wants to run, and its host, simulated or live, calls it then. */
export interface ControlLoop {
  readonly nextTickAtMs: number;
  tick(nowMs: number): Promise<TickReport>;
}
