import { gpusUsed } from '../evaluate.js';
import type { PlacementTask } from '../task.js';
import { breathe } from '../wall-clock.js';
import { createModelOptimum } from './model-optimum.js';
import { createRelaxation, firstPrices, indexCovers } from './prices.js';

export interface ApartPlan {
  readonly status: 'planned' | 'infeasible';
  /** Absent where models compete for GPUs, or one was too much to plan exactly. */
  readonly counts?: Float64Array;
  readonly bound: number;
}

/**
 * Plans each model by itself, exactly. If all together keep within the caps, that is the optimum;
 * otherwise `undefined`, or the bound that it proves.
 */
export async function planApart(task: PlacementTask, stop: () => boolean): Promise<ApartPlan | undefined> {
  const { models: M, regions: R, skus: K, gpuCapacity } = task;
  const index = indexCovers(task, false);
  if (index.joint.some((covers) => covers.length > 1)) return undefined;
  // A glance at what models would take without prices on GPUs: where that is too much, planning
  // them exactly would be for nothing.
  const { gpuExcess } = createRelaxation(task, index, false)(firstPrices(task, index));
  if (M * R * K > 100 && gpuExcess.filter((excess) => excess > 0).length > 0.05 * R * K) return undefined;
  const optimum = createModelOptimum(task, index);
  const free = new Float64Array(R * K);
  const counts = new Float64Array(M * R * K);
  let bound = 0;
  let whole = true;
  for (let m = 0; m < M; m++) {
    await breathe();
    if (stop()) return undefined;
    const plan = optimum(m, free);
    if (plan.bound === Infinity) return { status: 'infeasible', bound: Infinity };
    bound += plan.bound;
    if (plan.counts === undefined) whole = false;
    else counts.set(plan.counts, m * R * K);
  }
  if (!whole) return { status: 'planned', bound };
  return gpusUsed(task, counts).some((used, at) => used > gpuCapacity[at])
    ? { status: 'planned', bound }
    : { status: 'planned', counts, bound };
}
