import type { FleetSnapshot } from './fleet.js';
import type { EndpointId } from './ids.js';
import type { PlacementPlan } from './placement.js';
import type { Policy } from './policy.js';
import type { Stateful } from './state.js';

/**
 * How many instances an endpoint should have, ready and provisioning together. Absolute, so that
 * repeating one is harmless.
 */
export interface ScalingDecision {
  /** One of the snapshot. */
  readonly endpointId: EndpointId;
  /** A whole number from the endpoint's `minInstances` to its `maxInstances`. */
  readonly targetInstances: number;
  /** Why, in words that a person reads. */
  readonly reason: string;
}

/**
 * Decides how endpoints grow and shrink.
 *
 * Contract: synchronous; never throws because of load; decides only for endpoints of the snapshot,
 * at most once each; targets are whole numbers within the endpoint's
 * `minInstances`…`maxInstances`; unknown telemetry (`undefined`) never causes a scale-in, and of
 * an endpoint whose instances are not counted nothing is said. A target says what is wanted, also
 * where it is what the endpoint has: that takes back what waits for approval. Silence about an
 * endpoint is no opinion: it stays as it is, and what waits goes on waiting. A policy with a
 * memory has `save` and `restore`.
 */
export interface ScalingPolicy extends Policy, Partial<Stateful> {
  /**
   * `plan` is the one in force, `undefined` without one; `nowMs` is the host's time and never goes
   * back.
   */
  decide(fleet: FleetSnapshot, plan: PlacementPlan | undefined, nowMs: number): readonly ScalingDecision[];
}
