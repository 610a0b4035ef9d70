import { MS_PER_DAY } from '@sageserve/core';

/** Where in time a column of numbers lies. Steps are equal. */
export interface ColumnContext {
  readonly startMs: number;
  readonly stepMs: number;
}

/** What a method estimated from a column, ready to forecast from any point of it. */
export interface ColumnModel {
  /** What was estimated, to be read by a person. */
  readonly parameters: Readonly<Record<string, number | readonly number[]>>;
  /**
   * The forecasts that would have been made at each origin, origins × horizon, flat: entry `[i *
   * horizon + h]` is the forecast of `values[origins[i] + h]` from `values[0 .. origins[i])`.
   * `values` starts where the column that was fitted starts and may be longer. `origins` ascend and
   * are at most `values.length`. Nothing at or after an origin is read for it.
   */
  rolling(values: Float64Array, origins: readonly number[], horizon: number): Float64Array;
  /**
   * Standard deviation of the error 1..horizon steps ahead, where the method has a formula for it.
   */
  standardDeviations?(horizon: number): Float64Array;
}

/** A way of forecasting one column of finite numbers of any sign. */
export interface ColumnMethod {
  readonly name: string;
  /** Fewest values that it can be fitted on, for buckets of `stepMs`. */
  minSteps(stepMs: number): number;
  fit(values: Float64Array, context: ColumnContext): ColumnModel;
}

/**
 * Steps in a day, or in a week. Throws nothing: a step that does not divide it gives the nearest
 * whole number.
 */
export function stepsPerDay(stepMs: number): number {
  return Math.max(1, Math.round(MS_PER_DAY / stepMs));
}

/** Day of the week in UTC, 0 for Sunday. */
export function weekdayOf(ms: number): number {
  // The epoch began on a Thursday.
  return (((Math.floor(ms / MS_PER_DAY) + 4) % 7) + 7) % 7;
}
