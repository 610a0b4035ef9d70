import type {
  BacklogSnapshot,
  DemandForecast,
  DemandKey,
  FleetSnapshot,
  Forecaster,
  ModelId,
  PlacementOptimizer,
  PlacementProblem,
  TokenMix,
} from '@sageserve/core';

/** A forecast and whose demand it is. */
export interface KeyedForecast {
  readonly key: DemandKey;
  readonly forecast: DemandForecast;
}

/** What a placement problem is made from. */
export interface PlanningInput {
  readonly nowMs: number;
  readonly fleet: FleetSnapshot;
  /** One for each model and region that could be forecast; windows of the plan only. */
  readonly forecasts: readonly KeyedForecast[];
  /** Mean shape of each model's requests over the last day. */
  readonly mix: ReadonlyMap<ModelId, TokenMix>;
  readonly backlog: readonly BacklogSnapshot[];
}

export interface PlanningOptions {
  readonly forecaster: Forecaster;
  /**
   * Whether the forecaster works from what was observed (default true): then a series of which
   * nothing was is not known. An oracle needs none.
   */
  readonly needsHistory?: boolean;
  /**
   * Answers where the forecaster fails and no earlier forecast reaches far enough: yesterday's
   * demand, usually.
   */
  readonly fallbackForecaster?: Forecaster;
  readonly optimizer: PlacementOptimizer;
  /**
   * The integer program's data: speeds, prices, bounds and GPUs of the fleet. Throws where it can't
   * be made.
   */
  readonly problem: (input: PlanningInput) => PlacementProblem;
  /** Length of a forecast bucket (ms, default 10 min). */
  readonly stepMs?: number;
  /** Buckets that a plan is made for: those of its validity (default 6). */
  readonly planSteps?: number;
  /**
   * Buckets that are forecast, so that a policy sees past the delay of provisioning (default twice
   * the plan's).
   */
  readonly horizonSteps?: number;
  /**
   * One program for the peak of the plan's buckets, as in the paper, or one for each bucket of the
   * horizon: the plan then has a schedule.
   */
  readonly windows?: 'peak' | 'each';
  /** Quantile of the forecast that policies are told as the upper one (0–1, default 0.9). */
  readonly demandQuantile?: number;
  /** How much of the past a forecaster is given (ms, default 14 days). */
  readonly historyMs?: number;
  /**
   * Milliseconds since 1970 at time 0 of the host, where that is not 0: forecasters need the
   * weekday.
   */
  readonly epochMs?: () => number;
  /** Time that the optimiser has for all windows together (ms, default 10 s). */
  readonly timeLimitMs?: number;
  /** (objective − bound) ÷ |objective| that is good enough (default 0: proven optimal). */
  readonly relativeGap?: number;
  /**
   * How long the query for demand, one forecast, or one solve may take where a plan is made beside
   * the ticks (ms, default 1 min): then the next fallback is taken.
   */
  readonly stepDeadlineMs?: number;
}
