import type { FleetSnapshot } from './fleet.js';
import type { EndpointId } from './ids.js';
import type { PlacementPlan } from './placement.js';

/**
 * How many instances an endpoint should have, ready and provisioning together. Absolute, so that
 * repeating one is harmless.
 */
export interface ScalingDecision {
  readonly endpointId: EndpointId;
  readonly targetInstances: number;
  /** Why, in words that a person reads. */
  readonly reason: string;
}

/**
 * Decides how endpoints grow and shrink.
 *
 * Contract: synchronous; never throws because of load; decides only for endpoints of the snapshot,
 * at most once each; targets are whole numbers within the endpoint's `minInstances`…`maxInstances`;
 * an endpoint that it does not name stays as it is; unknown telemetry (`undefined`) never causes a
 * scale-in.
 */
export interface ScalingPolicy {
  readonly name: string;
  decide(fleet: FleetSnapshot, plan: PlacementPlan | undefined, nowMs: number): readonly ScalingDecision[];
}
