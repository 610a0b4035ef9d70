import { MS_PER_DAY } from '@sageserve/core';
import { weekdayOf } from '@sageserve/forecast';

/**
 * Steps of the newest history that the convolution reads: a power of two, since each layer halves
 * them.
 */
export const WINDOW = 32;
/** Numbers at each step of the window: the value, and how it stood to the day before. */
export const STEP_FEATURES = 2;

/** What a network is shown of one column at one time. */
export interface WindowSizes {
  readonly horizonSteps: number;
  /** Numbers beside the window. */
  readonly extras: number;
}

export function windowSizes(horizonSteps: number): WindowSizes {
  return { horizonSteps, extras: 3 * horizonSteps + 6 };
}

/** Values that must lie before an origin. */
export function reachOf(day: number, horizonSteps: number): number {
  return day + Math.max(WINDOW, horizonSteps) + 1;
}

/**
 * Writes what is known at `origin`. All is in units of the mean of the day before it, so that one
 * network serves every series; what it learns is how far the values will lie from {@link baseOf}:
 * yesterday's shape, moved to today's level.
 */
export function writeWindow(
  values: Float64Array,
  origin: number,
  day: number,
  horizonSteps: number,
  startMs: number,
  stepMs: number,
  steps: Float32Array,
  stepsAt: number,
  extras: Float32Array,
  extrasAt: number,
): number {
  let scale = 0;
  for (let t = origin - day; t < origin; t++) scale += values[t] / day;
  if (!(scale > 0)) scale = 1;
  for (let k = 0; k < WINDOW; k++) {
    const t = origin - WINDOW + k;
    steps[stepsAt + 2 * k] = values[t] / scale - 1;
    steps[stepsAt + 2 * k + 1] = (values[t] - values[t - day]) / scale;
  }
  const week = 7 * day;
  const hasWeek = origin >= week + 1;
  let c = extrasAt;
  for (let h = 0; h < horizonSteps; h++) extras[c++] = base(values, origin, day, h) / scale - 1;
  for (let h = 0; h < horizonSteps; h++) extras[c++] = (values[dayBack(origin, day, h)] - values[origin - 1]) / scale;
  // What last week did from here on, against what yesterday did.
  for (let h = 0; h < horizonSteps; h++) {
    extras[c++] = hasWeek
      ? (values[origin + (h % week) - week] -
          values[origin - 1 - week] -
          (values[dayBack(origin, day, h)] - values[origin - 1 - day])) /
        scale
      : 0;
  }
  const ms = startMs + origin * stepMs;
  const angle = (2 * Math.PI * (ms % MS_PER_DAY)) / MS_PER_DAY;
  extras[c++] = Math.sin(angle);
  extras[c++] = Math.cos(angle);
  extras[c++] = Math.sin(2 * angle);
  extras[c++] = Math.cos(2 * angle);
  const weekday = weekdayOf(ms);
  extras[c++] = weekday === 0 || weekday === 6 ? 1 : 0;
  extras[c] = hasWeek ? 1 : 0;
  return scale;
}

/** The same time on the newest day that had it. */
function dayBack(origin: number, day: number, h: number): number {
  return origin - day + (h % day);
}

function base(values: Float64Array, origin: number, day: number, h: number): number {
  return Math.max(0, values[dayBack(origin, day, h)] + values[origin - 1] - values[origin - 1 - day]);
}

/** Yesterday's shape, moved to today's level: what the network corrects. */
export function baseOf(values: Float64Array, origin: number, day: number, horizonSteps: number): Float64Array {
  return Float64Array.from({ length: horizonSteps }, (_, h) => base(values, origin, day, h));
}
