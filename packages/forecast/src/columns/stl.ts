import { square } from '@sageserve/core';
/** How wide each smoother of {@link decompose} looks, in steps; all odd. */
export interface StlWindows {
  readonly period: number;
  readonly seasonal: number;
  readonly trend: number;
  readonly lowPass: number;
}

/** y = trend + seasonal + remainder. */
export interface Decomposition {
  readonly trend: Float64Array;
  readonly seasonal: Float64Array;
  readonly remainder: Float64Array;
}

export interface StlOptions {
  readonly innerIterations?: number;
  /** Passes that weigh outliers down; 0 by default. */
  readonly robustIterations?: number;
  /** Smoothers are evaluated at every so many points and interpolated between; 1 by default. */
  readonly trendJump?: number;
  readonly lowPassJump?: number;
}

/** The usual windows for a period: seasonal 7 cycles, the rest from it. */
export function stlWindows(period: number, seasonal = 7): StlWindows {
  const odd = (x: number): number => {
    const up = Math.ceil(x);
    return up % 2 === 1 ? up : up + 1;
  };
  return { period, seasonal, trend: odd((1.5 * period) / (1 - 1.5 / seasonal)), lowPass: odd(period + 1) };
}

/**
 * Seasonal-trend decomposition by local linear regression (Cleveland, Cleveland, McRae and
 * Terpenning 1990). Needs two periods at least.
 */
export function decompose(y: Float64Array, windows: StlWindows, options: StlOptions = {}): Decomposition {
  const { innerIterations = 5, robustIterations = 0, trendJump = 1, lowPassJump = 1 } = options;
  const n = y.length;
  const { period } = windows;
  const trend = new Float64Array(n);
  const seasonal = new Float64Array(n);
  const work = new Float64Array(n);
  const extended = new Float64Array(n + 2 * period);
  let weights: Float64Array | undefined;
  for (let robust = 0; ; robust++) {
    for (let inner = 0; inner < innerIterations; inner++) {
      for (let t = 0; t < n; t++) work[t] = y[t] - trend[t];
      smoothCycles(work, weights, windows, extended);
      const low = loess(
        movingAverage(movingAverage(movingAverage(extended, period), period), 3),
        windows.lowPass,
        lowPassJump,
      );
      for (let t = 0; t < n; t++) seasonal[t] = extended[period + t] - low[t];
      for (let t = 0; t < n; t++) work[t] = y[t] - seasonal[t];
      trend.set(loess(work, windows.trend, trendJump, weights));
    }
    if (robust === robustIterations) break;
    weights = robustWeights(y, trend, seasonal);
  }
  return { trend, seasonal, remainder: y.map((value, t) => value - trend[t] - seasonal[t]) };
}

/** Smooths each phase of the cycle by itself, and carries it one period beyond both ends. */
function smoothCycles(
  values: Float64Array,
  weights: Float64Array | undefined,
  { period, seasonal }: StlWindows,
  out: Float64Array,
): void {
  const n = values.length;
  for (let phase = 0; phase < period; phase++) {
    const length = Math.floor((n - 1 - phase) / period) + 1;
    const cycle = new Float64Array(length);
    const own = weights === undefined ? undefined : new Float64Array(length);
    for (let k = 0; k < length; k++) {
      cycle[k] = values[phase + k * period];
      if (own !== undefined) own[k] = weights![phase + k * period];
    }
    const smooth = loess(cycle, seasonal, 1, own);
    const span = Math.min(seasonal, length);
    const before = local(cycle, -1, 0, span - 1, seasonal, own);
    const after = local(cycle, length, length - span, length - 1, seasonal, own);
    out[phase] = Number.isNaN(before) ? smooth[0] : before;
    for (let k = 0; k < length; k++) out[phase + (k + 1) * period] = smooth[k];
    out[phase + (length + 1) * period] = Number.isNaN(after) ? smooth[length - 1] : after;
  }
}

function movingAverage(x: Float64Array, window: number): Float64Array {
  const out = new Float64Array(x.length - window + 1);
  let sum = 0;
  for (let i = 0; i < window; i++) sum += x[i];
  out[0] = sum / window;
  for (let i = 1; i < out.length; i++) {
    sum += x[i + window - 1] - x[i - 1];
    out[i] = sum / window;
  }
  return out;
}

/**
 * Local linear regression with tricube weights at every point, or at every `jump`-th with straight
 * lines between.
 */
function loess(y: Float64Array, window: number, jump: number, weights?: Float64Array): Float64Array {
  const n = y.length;
  const out = new Float64Array(n);
  if (n < 2) {
    out.set(y);
    return out;
  }
  const step = Math.min(jump, n - 1);
  const at = (i: number): number => {
    const span = Math.min(window, n);
    const left = Math.max(0, Math.min(n - span, i - (window >> 1)));
    const value = local(y, i, left, left + span - 1, window, weights);
    return Number.isNaN(value) ? y[i] : value;
  };
  let last = 0;
  for (let i = 0; i < n; i += step) {
    out[i] = at(i);
    last = i;
  }
  if (last !== n - 1) out[n - 1] = at(n - 1);
  if (step > 1) {
    for (let from = 0; from < n - 1; from += step) {
      const to = Math.min(from + step, n - 1);
      for (let i = from + 1; i < to; i++) out[i] = out[from] + ((out[to] - out[from]) * (i - from)) / (to - from);
    }
  }
  return out;
}

/** The local line through y[left..right], at x; NaN where nothing has weight. */
function local(
  y: Float64Array,
  x: number,
  left: number,
  right: number,
  window: number,
  weights: Float64Array | undefined,
): number {
  const n = y.length;
  let reach = Math.max(x - left, right - x);
  if (window > n) reach += (window - n) >> 1;
  const near = 0.001 * reach;
  const far = 0.999 * reach;
  let sum = 0;
  let mean = 0;
  let level = 0;
  for (let j = left; j <= right; j++) {
    const w = weightAt(Math.abs(j - x), reach, near, far) * (weights === undefined ? 1 : weights[j]);
    sum += w;
    mean += w * j;
    level += w * y[j];
  }
  if (!(sum > 0)) return NaN;
  mean /= sum;
  level /= sum;
  if (!(reach > 0)) return level;
  let spread = 0;
  let slope = 0;
  for (let j = left; j <= right; j++) {
    const w = weightAt(Math.abs(j - x), reach, near, far) * (weights === undefined ? 1 : weights[j]);
    const d = j - mean;
    spread += w * d * d;
    slope += w * d * y[j];
  }
  spread /= sum;
  const range = n - 1;
  if (Math.sqrt(spread) <= 0.001 * range) return level;
  return level + ((x - mean) * slope) / (sum * spread);
}

function weightAt(distance: number, reach: number, near: number, far: number): number {
  if (distance > far) return 0;
  if (distance <= near) return 1;
  const r = distance / reach;
  const c = 1 - r * r * r;
  return c * c * c;
}

function robustWeights(y: Float64Array, trend: Float64Array, seasonal: Float64Array): Float64Array {
  const residuals = y.map((value, t) => Math.abs(value - trend[t] - seasonal[t]));
  const sorted = Float64Array.from(residuals).sort();
  const n = sorted.length;
  const six = 3 * (sorted[n >> 1] + sorted[(n - 1) >> 1]);
  return residuals.map((r) => {
    if (r <= 0.001 * six) return 1;
    if (r > 0.999 * six) return 0;
    const u = r / six;
    return square(1 - u * u);
  });
}
