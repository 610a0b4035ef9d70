import { square } from '@sageserve/core';
import type { PlacementTask } from '../task.js';
import type { CoverIndex, Prices, Relaxed } from './prices.js';

export interface DualAscent {
  /** Best prices so far, and the bound that they prove. */
  readonly prices: Prices;
  readonly bound: number;
  /**
   * One step; gives what the prices that it tried lead to. `target` is the cost of the best plan
   * known.
   */
  step(target: number): Relaxed;
  /** How far the steps have shrunk: below about 0.01 little more will come. */
  readonly scale: number;
}

/**
 * Part of the last direction that a new one keeps: Camerini, Fratta and Maffioli, On improving
 * relaxation methods by modified gradient techniques (1975).
 */
const MEMORY = 0.6;
/** Steps without a better bound before they are halved. */
const PATIENCE = 6;

/**
 * Deflected subgradient ascent with Polyak's step, in units of one instance, so that prices of GPUs
 * and of tokens move alike.
 */
export function createDualAscent(
  task: PlacementTask,
  index: CoverIndex,
  relax: (prices: Prices) => Relaxed,
  first: Prices,
): DualAscent {
  const { models: M, regions: R, skus: K, covers, capacity, gpus, gpuCapacity } = task;
  const coverUnit = Float64Array.from(covers, ({ model }) => meanOf(capacity.subarray(model * K, (model + 1) * K)));
  const gpuUnit = new Float64Array(R * K);
  for (let at = 0; at < R * K; at++)
    gpuUnit[at] = meanOf(Float64Array.from({ length: M }, (_, m) => gpus[m * K + (at % K)]));
  const trial: Prices = { gpuUsd: Float64Array.from(first.gpuUsd), coverUsd: Float64Array.from(first.coverUsd) };
  const best: Prices = { gpuUsd: Float64Array.from(first.gpuUsd), coverUsd: Float64Array.from(first.coverUsd) };
  const gpuDirection = new Float64Array(R * K);
  const coverDirection = new Float64Array(covers.length);
  const joint = index.joint.flat();
  let bound = -Infinity;
  let scale = 1;
  let idle = 0;
  return {
    prices: best,
    get bound() {
      return bound;
    },
    get scale() {
      return scale;
    },
    step(target) {
      let relaxed = relax(trial);
      if (relaxed.bound > bound) {
        if (!(relaxed.bound <= bound + 1e-4 * Math.abs(target - bound))) idle = 0;
        bound = relaxed.bound;
        best.gpuUsd.set(trial.gpuUsd);
        best.coverUsd.set(trial.coverUsd);
      } else if (++idle > PATIENCE) {
        scale /= 2;
        idle = 0;
        trial.gpuUsd.set(best.gpuUsd);
        trial.coverUsd.set(best.coverUsd);
        gpuDirection.fill(0);
        coverDirection.fill(0);
        relaxed = relax(trial);
      }
      let norm = 0;
      for (let at = 0; at < R * K; at++) {
        if (gpuCapacity[at] === Infinity) continue;
        const gradient = relaxed.gpuExcess[at] / gpuUnit[at];
        gpuDirection[at] = gradient + MEMORY * gpuDirection[at];
        // A price of nothing that wants to fall stays.
        if (trial.gpuUsd[at] === 0 && gpuDirection[at] < 0) gpuDirection[at] = 0;
        norm += square(gpuDirection[at]);
      }
      for (const c of joint) {
        const gradient = relaxed.coverMissing[c] / coverUnit[c];
        coverDirection[c] = gradient + MEMORY * coverDirection[c];
        if (trial.coverUsd[c] === 0 && coverDirection[c] < 0) coverDirection[c] = 0;
        norm += square(coverDirection[c]);
      }
      if (norm === 0) return relaxed;
      const length =
        (scale *
          Math.max(
            (Number.isNaN(target) ? relaxed.bound + 0.05 * Math.abs(relaxed.bound) : target) - relaxed.bound,
            1e-6 * Math.abs(relaxed.bound),
          )) /
        norm;
      for (let at = 0; at < R * K; at++)
        if (gpuCapacity[at] < Infinity)
          trial.gpuUsd[at] = Math.max(0, trial.gpuUsd[at] + (length * gpuDirection[at]) / gpuUnit[at]);
      for (const c of joint)
        trial.coverUsd[c] = Math.max(0, trial.coverUsd[c] + (length * coverDirection[c]) / coverUnit[c]);
      return relaxed;
    },
  };
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (value === 0) continue;
    sum += value;
    count++;
  }
  return count === 0 ? 1 : sum / count;
}
