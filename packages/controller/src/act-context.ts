import type { EndpointId, EndpointSnapshot, FleetSnapshot, ScalingDecision } from '@sageserve/core';
import type { Proposal } from './approvals.js';
import type { Tenure } from './tenure.js';
import type { OpenAct } from './unanswered.js';

/**
 * `act` carries decisions out; `advise` only writes them down; `approve` carries out those that a
 * person has approved.
 */
export type ControlMode = 'act' | 'advise' | 'approve';

/**
 * A decision that is to be carried out, and the proposal that it was, where a person approved it.
 */
export interface Due {
  readonly decision: ScalingDecision;
  readonly proposal?: Proposal | undefined;
}

/**
 * What is about to be carried out, kept before it is: after a crash it is carried out again, or
 * found done.
 */
export interface Acting {
  readonly atMs: number;
  readonly due: readonly Due[];
}

/** What acts remember: what was written down last of each endpoint, and what was never answered. */
export interface ActsState {
  readonly told: ReadonlyMap<EndpointId, string>;
  readonly unanswered: readonly OpenAct[];
}

/** What one round of acts runs with. */
export interface ActContext extends Tenure {
  readonly fleet: FleetSnapshot;
  readonly nowMs: number;
  readonly signal: AbortSignal | undefined;
  /** Ends the loop: the round then rejects with its reason. */
  readonly ended: AbortSignal | undefined;
  /** What the plan in force says of an endpoint. */
  readonly plannedOf: (endpoint: EndpointSnapshot) => number | undefined;
  /** Until when nothing is scaled in, since what was remembered is lost. */
  readonly noScaleInBeforeMs: number;
  /**
   * Keeps what is about to be done where it outlives the process; false where somebody else acts
   * now.
   */
  readonly keep: (acting: Acting) => Promise<boolean>;
}
