import type { Policy } from './policy.js';
import type { ModelId, RegionId } from './ids.js';
import { type Awaitable, MS_PER_MIN } from './units.js';

/**
 * Length of a bucket where nothing else is said (ms): ten minutes, about as long as it takes to
 * have an instance of another model.
 */
export const DEFAULT_DEMAND_STEP_MS = 10 * MS_PER_MIN;

/** Which demand a series measures. */
export interface DemandKey {
  /** The model that was asked for. */
  readonly modelId: ModelId;
  /** The region that the requests came from, not the one that served them. */
  readonly regionId: RegionId;
}

/**
 * What users asked for: interactive requests (both tiers) of one model as they came from one
 * region, wherever they were served, and whether they were served or not. Requests and prompt
 * tokens count in the bucket of their arrival, output tokens in the bucket of their completion,
 * when they are known. Retries of one request count once. Non-interactive requests are left out:
 * they are told as a backlog.
 *
 * Buckets are of equal length, oldest first. One that was not observed, in whole or in part, is
 * `NaN` in all columns, never 0.
 */
export interface DemandSeries {
  /** Whose demand it is. */
  readonly key: DemandKey;
  /** Beginning of the first bucket, in the host's time (ms). */
  readonly startMs: number;
  /** Length of a bucket (ms). */
  readonly stepMs: number;
  /** Prompt tokens of the requests that arrived, cached or not, by bucket. */
  readonly promptTokensPerS: Float64Array;
  /** Output tokens of the requests that completed, by bucket. */
  readonly outputTokensPerS: Float64Array;
  /** Requests that arrived, by bucket. */
  readonly requestsPerS: Float64Array;
}

/** What one column of a forecast says, one entry for each step of the horizon. */
export interface ForecastColumn {
  /** Expected value of each step, finite and 0 or more. */
  readonly mean: Float64Array;
  /**
   * One column for each level (a share above 0 and below 1), by rising level; at every step a
   * higher level says as much or more.
   */
  readonly quantiles: readonly { readonly level: number; readonly values: Float64Array }[];
}

/**
 * A forecast of demand. Its own `mean` and `quantiles` are prompt and output tokens per second
 * together, which is what capacity must carry; the mean is the sum of the two columns' means.
 * Quantiles of a sum are not sums of quantiles.
 */
export interface DemandForecast extends ForecastColumn {
  /** Beginning of the first step: where the history's last bucket ended (ms). */
  readonly startMs: number;
  /** Length of a step: that of the history's buckets (ms). */
  readonly stepMs: number;
  /** Prompt tokens apart, since an instance's capacity depends on the mix. */
  readonly promptTokensPerS: ForecastColumn;
  /** Output tokens apart. */
  readonly outputTokensPerS: ForecastColumn;
  /** The method that answered, which names the fallback when the first choice could not. */
  readonly method: string;
}

/** What is asked of a forecast beside its length. */
export interface ForecastOptions {
  /**
   * Levels of the quantiles, each above 0, below 1 and once, in any order; 0.1, 0.5, 0.8, 0.9 and
   * 0.95 by default.
   */
  readonly quantileLevels?: readonly number[];
  /** Ends it: one that takes long rejects with the signal's reason. Absent: it ends by itself. */
  readonly signal?: AbortSignal;
}

/**
 * Forecasts demand from what was observed.
 *
 * Contract: sees `history` and nothing else; returns `horizonSteps` finite values ≥ 0 in every
 * column; quantiles do not cross; the same input gives the same output.
 */
export interface Forecaster extends Policy {
  /** Fewest buckets, from the first that was observed on, that it can work with. */
  readonly minHistorySteps: number;
  /**
   * The `horizonSteps` (a whole number, 1 or more) buckets after the last of `history`, which is
   * the caller's and is neither changed nor kept. What it returns is the caller's and does not
   * change any more. Throws, or rejects with, a `SageServeError` where it can't: `ConfigError` for
   * levels or a horizon that make no sense, another for too little history.
   */
  forecast(history: DemandSeries, horizonSteps: number, options?: ForecastOptions): Awaitable<DemandForecast>;
}
