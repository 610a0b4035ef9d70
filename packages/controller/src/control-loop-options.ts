import type {
  Actuator,
  CallOptions,
  ControlLoop,
  PlacementPlan,
  ScalingPolicy,
  StateStore,
  TelemetrySource,
  TickOptions,
  TickReport,
} from '@sageserve/core';
import type { ControlMode } from './act-context.js';
import type { ApprovalQueue } from './approvals.js';
import type { Journal } from './journal.js';
import type { PlanningOptions } from './planning-options.js';

export interface Cadences {
  /** How often the fleet is looked at and judged fresh or stale (ms, default as `reactMs`). */
  readonly observeMs?: number;
  /** How often the scaling policy is asked (ms, default 1 s). A multiple of `observeMs`. */
  readonly reactMs?: number;
  /** How often demand is forecast and a plan made, at multiples of it (ms, default 1 h). */
  readonly planMs?: number;
}

export interface ControlLoopOptions {
  readonly telemetry: TelemetrySource;
  readonly actuator: Actuator;
  readonly scalingPolicy: ScalingPolicy;
  /** Forecast and placement; without it the loop is reactive only. */
  readonly planning?: PlanningOptions;
  readonly cadences?: Cadences;
  readonly mode?: ControlMode;
  /** Where decisions wait for a person; needed for the mode `approve`. */
  readonly approvals?: ApprovalQueue;
  readonly journal?: Journal;
  /** Where what the loop and its policies remember outlives the process; see `restore`. */
  readonly state?: StateStore;
  /**
   * Told of each plan that comes into force, and of none: region routers take their weights from
   * it.
   */
  readonly onPlan?: (plan: PlacementPlan | undefined) => void;
  /** A snapshot older than this is stale (ms, default 2 min): the loop holds. */
  readonly staleAfterMs?: number;
  /**
   * An act that the actuator has not answered for this long, by the times of the ticks, is told as
   * a degradation, and its endpoints may grow again where it was no scale-in; after five times as
   * long without effect it is taken for lost (ms, default 1 min). How long a tick waits for one is
   * for the tick's signal to say, which the actuator is handed.
   */
  readonly actDeadlineMs?: number;
  /** Time of the first tick (default 0); later ones follow at multiples of the cadences. */
  readonly firstTickAtMs?: number;
  /**
   * What becomes of a policy or forecaster that breaks its contract: `degrade` goes on without its
   * answer and says so, as a live fleet wants; `throw` ends the tick with a `PolicyContractError`,
   * as whoever tries a policy wants (default `degrade`).
   */
  readonly onBreach?: 'degrade' | 'throw';
  /** Ends the loop: a tick that is under way rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** What a tick reports beside its decisions. */
export interface ControlTickReport extends TickReport {
  /** Whether a plan that was due was made, or tried, and has come to its end in this tick. */
  readonly planned: boolean;
}

/** The same loop with what hosts and tests look at. */
export interface MultiTimescaleLoop extends ControlLoop {
  tick(nowMs: number, options?: TickOptions): Promise<ControlTickReport>;
  restore(options?: CallOptions): Promise<void>;
  /** The plan in force. */
  readonly plan: PlacementPlan | undefined;
}
