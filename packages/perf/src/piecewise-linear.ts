import { ConfigError } from '@sageserve/core';

/** What a curve does outside its knots: continue the last slope, or stay at the last value. */
export type Beyond = 'extend' | 'clamp';

/** A curve through given points, linear between them. `xs` rise strictly. */
export class PiecewiseLinear {
  readonly xs: Float64Array;
  readonly ys: Float64Array;
  readonly #slopes: Float64Array;
  readonly #below: Beyond;
  readonly #above: Beyond;

  /** Throws `ConfigError` for fewer than one point, unequal lengths or `xs` that do not rise. */
  constructor(
    xs: ArrayLike<number>,
    ys: ArrayLike<number>,
    beyond: { readonly below?: Beyond; readonly above?: Beyond } = {},
  ) {
    const n = xs.length;
    if (n === 0 || ys.length !== n)
      throw new ConfigError('points', `needs as many values as positions and at least one, not ${ys.length} for ${n}`);
    this.xs = Float64Array.from(xs);
    this.ys = Float64Array.from(ys);
    this.#below = beyond.below ?? 'clamp';
    this.#above = beyond.above ?? 'extend';
    this.#slopes = new Float64Array(Math.max(1, n - 1));
    for (let i = 0; i < n; i++) {
      if (!Number.isFinite(this.xs[i]) || !Number.isFinite(this.ys[i]))
        throw new ConfigError(`points[${i}]`, `is not finite: (${xs[i]}, ${ys[i]})`);
      if (i === 0) continue;
      if (!(this.xs[i] > this.xs[i - 1]))
        throw new ConfigError(`points[${i}]`, `positions must rise: ${xs[i]} follows ${xs[i - 1]}`);
      this.#slopes[i - 1] = (this.ys[i] - this.ys[i - 1]) / (this.xs[i] - this.xs[i - 1]);
    }
  }

  at(x: number): number {
    const xs = this.xs;
    const last = xs.length - 1;
    if (x <= xs[0]) return this.#below === 'clamp' ? this.ys[0] : this.ys[0] + this.#slopes[0] * (x - xs[0]);
    if (x >= xs[last])
      return this.#above === 'clamp' || last === 0
        ? this.ys[last]
        : this.ys[last] + this.#slopes[last - 1] * (x - xs[last]);
    let low = 0;
    let high = last;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle;
      else high = middle;
    }
    return this.ys[low] + this.#slopes[low] * (x - xs[low]);
  }
}

/**
 * Values made non-decreasing by the running maximum: for measurements whose noise breaks an order
 * that must hold.
 */
export function runningMaximum(values: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(values);
  for (let i = 1; i < result.length; i++) result[i] = Math.max(result[i], result[i - 1]);
  return result;
}
