import type { BindingConstraint } from '@sageserve/core';
import { capacityByRegion, gpusUsed, heldBy } from './evaluate.js';
import { gpuConstraint } from './formulations/static-model.js';
import type { PlacementTask } from './task.js';

/**
 * Constraints that the plan meets with no room for one more instance of any model that could use
 * it, or one less of what serves. Those with a price come first, the dearest at the top.
 */
export function bindingConstraints(
  task: PlacementTask,
  counts: Float64Array,
  shadowUsd: ReadonlyMap<string, number> = new Map(),
): BindingConstraint[] {
  const { problem, models: M, regions: R, skus: K } = task;
  const binding: BindingConstraint[] = [];
  const add = (kind: BindingConstraint['kind'], name: string): void => {
    const usd = shadowUsd.get(name);
    binding.push(usd === undefined ? { kind, name } : { kind, name, shadowUsd: usd });
  };
  const used = gpusUsed(task, counts);
  for (let r = 0; r < R; r++) {
    for (let k = 0; k < K; k++) {
      let least = Infinity;
      for (let m = 0; m < M; m++) if (task.capacity[m * K + k] > 0) least = Math.min(least, task.gpus[m * K + k]);
      if (used[r * K + k] + least > task.gpuCapacity[r * K + k]) add('gpu-capacity', gpuConstraint(task, r, k));
    }
  }
  const held = capacityByRegion(task, counts);
  for (const cover of task.covers) {
    let least = Infinity;
    for (const r of cover.regions)
      for (let k = 0; k < K; k++)
        if (counts[(cover.model * R + r) * K + k] > 0 && task.capacity[cover.model * K + k] > 0)
          least = Math.min(least, task.capacity[cover.model * K + k]);
    if (heldBy(task, cover, held) - least < cover.required) add(cover.kind, cover.name);
  }
  for (const [e, count] of counts.entries()) {
    const where =
      `${problem.models[Math.floor(e / (R * K))]} on ${problem.skus[e % K]} in ` +
      problem.regions[Math.floor(e / K) % R];
    if (count > 0 && count === problem.minInstances.values[e]) add('min-instances', `at least ${count} of ${where}`);
    if (count > 0 && count === problem.maxInstances.values[e]) add('max-instances', `at most ${count} of ${where}`);
  }
  return binding.sort((a, b) => (b.shadowUsd ?? -1) - (a.shadowUsd ?? -1));
}
