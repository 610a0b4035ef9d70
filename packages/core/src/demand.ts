import type { Policy } from './policy.js';
import type { ModelId, RegionId } from './ids.js';
import type { Awaitable } from './units.js';

/** Which demand a series measures. */
export interface DemandKey {
  readonly modelId: ModelId;
  readonly regionId: RegionId;
}

/**
 * What users asked for: interactive requests (both tiers) of one model as they came from one region,
 * wherever they were served, and whether they were served or not. Requests and prompt tokens count in
 * the bucket of their arrival, output tokens in the bucket of their completion, when they are known.
 * Retries of one request count once. Non-interactive requests are left out: they are told as a
 * backlog.
 *
 * Buckets are of equal length, oldest first. One that was not observed, in whole or in part, is `NaN`
 * in all columns, never 0.
 */
export interface DemandSeries {
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
  readonly mean: Float64Array;
  /** One column for each level, ascending in level at every step. */
  readonly quantiles: readonly { readonly level: number; readonly values: Float64Array }[];
}

/**
 * A forecast of demand. Its own `mean` and `quantiles` are prompt and output tokens per second
 * together, which is what capacity must carry; the mean is the sum of the two columns' means.
 * Quantiles of a sum are not sums of quantiles.
 */
export interface DemandForecast extends ForecastColumn {
  readonly startMs: number;
  readonly stepMs: number;
  /** Apart, since an instance's capacity depends on the mix. */
  readonly promptTokensPerS: ForecastColumn;
  readonly outputTokensPerS: ForecastColumn;
  /** The method that answered, which names the fallback when the first choice could not. */
  readonly method: string;
}

export interface ForecastOptions {
  /** 0.1, 0.5, 0.8, 0.9 and 0.95 by default. */
  readonly quantileLevels?: readonly number[];
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
  forecast(history: DemandSeries, horizonSteps: number, options?: ForecastOptions): Awaitable<DemandForecast>;
}
