import { ConfigError } from '@sageserve/core';

/**
 * A function on a rectangular grid of any dimension, multilinear between the points, flat below
 * each axis and continued above it.
 */
export class Grid {
  readonly #axes: readonly Float64Array[];
  readonly #values: Float64Array;
  readonly #strides: number[];
  readonly #low: Int32Array;
  readonly #part: Float64Array;

  /** `values` in row-major order. Throws `ConfigError` where the sizes do not fit. */
  constructor(axes: readonly ArrayLike<number>[], values: Float64Array) {
    this.#axes = axes.map((axis) => Float64Array.from(axis));
    this.#values = values;
    this.#strides = axes.map((_, d) => axes.slice(d + 1).reduce((product, axis) => product * axis.length, 1));
    this.#low = new Int32Array(axes.length);
    this.#part = new Float64Array(axes.length);
    const size = axes.reduce((product, axis) => product * axis.length, 1);
    if (size === 0 || values.length !== size)
      throw new ConfigError('grid', `needs ${size} values, not ${values.length}`);
  }

  at(...point: number[]): number {
    const dimensions = this.#axes.length;
    for (let d = 0; d < dimensions; d++) {
      const axis = this.#axes[d];
      const x = point[d];
      if (x <= axis[0] || axis.length === 1) {
        this.#low[d] = 0;
        this.#part[d] = 0;
        continue;
      }
      let k = axis.length - 2;
      while (axis[k] > x) k--;
      this.#low[d] = k;
      this.#part[d] = (x - axis[k]) / (axis[k + 1] - axis[k]);
    }
    let sum = 0;
    for (let corner = 0; corner < 1 << dimensions; corner++) {
      let weight = 1;
      let offset = 0;
      for (let d = 0; d < dimensions; d++) {
        const high = (corner >> d) & 1;
        weight *= high === 1 ? this.#part[d] : 1 - this.#part[d];
        if (weight === 0) break;
        offset += (this.#low[d] + high) * this.#strides[d];
      }
      if (weight !== 0) sum += weight * this.#values[offset];
    }
    return sum;
  }
}
