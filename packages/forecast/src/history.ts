import { type DemandSeries, SageServeError } from '@sageserve/core';
import { stepsPerDay } from './columns/method.js';

/** The columns of tokens that are forecast. */
export const TOKEN_COLUMNS = ['promptTokensPerS', 'outputTokensPerS'] as const;
export type TokenColumn = (typeof TOKEN_COLUMNS)[number];

/** A history that a method can't be applied to. `code` is `ERR_FORECAST_HISTORY`. */
export class ForecastHistoryError extends SageServeError {
  static override readonly kind = 'ForecastHistoryError';
  override readonly name = 'ForecastHistoryError';

  constructor(reason: string, hint?: string) {
    super('ERR_FORECAST_HISTORY', reason, { hint });
  }
}

/** Demand beyond this is no demand, and its square no number. */
export const LARGEST = 1e100;

/**
 * Throws `ForecastHistoryError`, naming the series, the column and the bucket, where columns differ
 * in length, a value is negative, infinite or beyond {@link LARGEST}, or the step is no positive
 * number. NaN stands for a bucket that was not observed and is no error.
 */
export function checkHistory(history: DemandSeries): void {
  const who = `${history.key.modelId} in ${history.key.regionId}`;
  if (!(history.stepMs > 0 && Number.isFinite(history.stepMs)))
    throw new ForecastHistoryError(`${who}: stepMs must be a positive number, not ${history.stepMs}`);
  if (!Number.isFinite(history.startMs))
    throw new ForecastHistoryError(`${who}: startMs must be a finite number, not ${history.startMs}`);
  const length = history.promptTokensPerS.length;
  for (const name of TOKEN_COLUMNS) {
    const column = history[name];
    if (column.length !== length)
      throw new ForecastHistoryError(
        `${who}: ${name} has ${column.length} buckets and promptTokensPerS ${length}`,
        'Columns of a series have one length.',
      );
    for (let t = 0; t < length; t++) {
      const value = column[t];
      if (value < 0 || value > LARGEST)
        throw new ForecastHistoryError(
          `${who}: ${name}[${t}], the bucket of ${dateText(history.startMs + t * history.stepMs)}, is ${value}`,
          'Demand is a finite number of 0 or more, or NaN where it was not observed. withFallback() takes such ' +
            'buckets as not observed.',
        );
    }
  }
}

/** A time as a date, where it is one. */
function dateText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}

/** Buckets in which both columns were observed. */
export function observedSteps(history: DemandSeries): number {
  let count = 0;
  for (let t = 0; t < history.promptTokensPerS.length; t++)
    if (history.promptTokensPerS[t] >= 0 && history.outputTokensPerS[t] >= 0) count++;
  return count;
}

/** First bucket that was observed, or the length where none was. */
export function firstObserved(history: DemandSeries): number {
  const length = history.promptTokensPerS.length;
  for (let t = 0; t < length; t++) if (history.promptTokensPerS[t] >= 0 && history.outputTokensPerS[t] >= 0) return t;
  return length;
}

/** How fast the difference from yesterday is forgotten in a gap, a bucket. */
const GAP_MEMORY = 0.9;

/**
 * The column with its gaps filled from what came before them only: yesterday's value, moved by how
 * the newest value stood to yesterday's, which is forgotten over an hour or two; the last value
 * where there was no yesterday. Entries before the first observation are 0 and not meant to be
 * read.
 */
export function fillGaps(column: Float64Array, stepMs: number): Float64Array {
  const day = stepsPerDay(stepMs);
  const filled = Float64Array.from(column);
  let first = 0;
  while (first < filled.length && Number.isNaN(filled[first])) filled[first++] = 0;
  let shift = 0;
  for (let t = first; t < filled.length; t++) {
    const yesterday = t - day >= first ? filled[t - day] : NaN;
    if (Number.isNaN(filled[t])) {
      shift *= GAP_MEMORY;
      filled[t] = Number.isNaN(yesterday) ? filled[t - 1] : Math.max(0, yesterday + shift);
    } else {
      shift = Number.isNaN(yesterday) ? 0 : filled[t] - yesterday;
    }
  }
  return filled;
}

/** The part of a series in [from, to), sharing its memory. */
export function sliceHistory(history: DemandSeries, from: number, to: number): DemandSeries {
  return {
    key: history.key,
    startMs: history.startMs + from * history.stepMs,
    stepMs: history.stepMs,
    promptTokensPerS: history.promptTokensPerS.subarray(from, to),
    outputTokensPerS: history.outputTokensPerS.subarray(from, to),
    requestsPerS: history.requestsPerS.subarray(from, to),
  };
}
