import { type PlacementCost, PlacementGrid, type PlacementShortfall } from '@sageserve/core';
import {
  type Binding,
  bindingNames,
  brokenBounds,
  dropped,
  type Evaluation,
  missingInstances,
  overdue,
  transportOf,
} from './evaluate.js';
import { decimalOf, numberOf, plus, times, ZERO } from './exact.js';
import { delayOf, globalNeed, localNeed } from './formulations/lead-time-model.js';
import { exactPrices, MICRO, type PlacementTask } from './task.js';

/**
 * Evaluates what is held in each window, as {@link evaluate} does for one decision. What starts in
 * a window serves after its delay, and what is released is taken from what serves.
 */
export function evaluateSchedule(task: PlacementTask, stages: readonly Float64Array[]): Evaluation {
  const { problem, models: M, regions: R, skus: K, windows: W } = task;
  const entries = M * R * K;
  const broken: string[] = [];
  const shortfall: PlacementShortfall[] = [];
  let unmetUsd = 0;
  let flowUsd = 0;
  let [holding, starting, changing] = [ZERO, ZERO, ZERO];
  const flows: PlacementGrid[] = [];
  const served: Float64Array[] = [];
  const started = stages.map(() => new Float64Array(entries));
  for (const [w, counts] of stages.entries()) {
    for (const text of brokenBounds(task, counts)) broken.push(`window ${w}: ${text}`);
    for (const missing of missingInstances(task, counts)) {
      shortfall.push({ ...missing, window: w });
      unmetUsd += missing.amount * task.unmetUsd.perInstance;
    }
    const full = bindingNames(task, counts);
    const delayed = problem.provisioningWindows?.values.some((windows) => windows > 0) === true;
    const binding: Binding = (model, regions) =>
      delayed ? [...full(model, regions), 'the time that a start takes'] : full(model, regions);
    const usable = new Float64Array(M * R);
    const before = w === 0 ? task.current : stages[w - 1];
    for (let e = 0; e < entries; e++) {
      const m = Math.floor(e / (R * K));
      const prices = exactPrices(task, m, e % K);
      const change = counts[e] - before[e];
      started[w][e] = Math.max(0, change);
      if (counts[e] !== task.current[e])
        holding = plus(holding, times(decimalOf(counts[e] - task.current[e]), prices.hold));
      if (change > 0) starting = plus(starting, times(decimalOf(change), prices.start));
      if (change !== 0) changing = plus(changing, times(decimalOf(Math.abs(change)), prices.change));
      let serving = counts[e];
      for (let s = Math.max(0, w - delayOf(task, e) + 1); s <= w && delayOf(task, e) > 0; s++) serving -= started[s][e];
      usable[m * R + (Math.floor(e / K) % R)] += Math.max(0, serving) * task.capacity[m * K + (e % K)];
    }
    served.push(usable);
    const grid = new PlacementGrid(M, R, R);
    for (let m = 0; m < M; m++) {
      for (let r = 0; r < R; r++) {
        const missing = localNeed(task, m, r, w) - usable[m * R + r];
        if (missing <= 0) continue;
        unmetUsd += (missing * task.unmetUsd.local) / W;
        shortfall.push({
          kind: 'local-share',
          modelId: problem.models[m],
          regionId: problem.regions[r],
          window: w,
          amount: missing / MICRO,
          binding: binding(m, [r]),
        });
      }
      const own = usable.subarray(m * R, (m + 1) * R);
      const result = transportOf(task, m, task.demand[w], own);
      for (let at = 0; at < R * R; at++) grid.values[m * R * R + at] = result.flow[at] / MICRO;
      flowUsd += result.flowUsd / W;
      unmetUsd += dropped(task, m, w, result, shortfall, binding) / W;
      const more =
        globalNeed(task, m, w) -
        Math.max(
          own.reduce((a, b) => a + b, 0),
          sum(task.demand[w].subarray(m * R, (m + 1) * R)),
        );
      if (more <= 0 || problem.demandBudget === undefined) continue;
      unmetUsd += (more * task.unmetUsd.fast) / W;
      shortfall.push({
        kind: 'interactive-fast',
        modelId: problem.models[m],
        window: w,
        amount: more / MICRO,
        binding: binding(
          m,
          Array.from({ length: R }, (_, r) => r),
        ),
      });
    }
    flows.push(grid);
  }
  unmetUsd += overdue(task, served[0], flows, shortfall, bindingNames(task, stages.at(-1)!), served);
  const held = times(holding, decimalOf(task.windowHours));
  const cost: PlacementCost = {
    holdingUsd: numberOf(held),
    startUsd: numberOf(starting),
    flowUsd,
    hysteresisUsd: numberOf(changing),
    unmetUsd,
  };
  return {
    broken,
    shortfall,
    cost,
    objectiveUsd: numberOf(plus(plus(held, starting), changing)) + flowUsd + unmetUsd,
    flowTokensPerS: flows,
    missingCovers: [],
  };
}

function sum(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0);
}
