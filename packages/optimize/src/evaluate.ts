import { type PlacementCost, PlacementGrid, type PlacementShortfall } from '@sageserve/core';
import { decimalOf, numberOf, plus, times, ZERO } from './exact.js';
import { type Cover, exactPrices, MICRO, type PlacementTask } from './task.js';
import { transport } from './transport.js';

/**
 * What a plan is worth and where it falls short, found without any solver: sums of whole numbers
 * and of decimals.
 */
export interface Evaluation {
  /** Entries out of their bounds and GPUs over their caps: nothing excuses them. In words. */
  readonly broken: readonly string[];
  readonly shortfall: readonly PlacementShortfall[];
  readonly cost: PlacementCost;
  /** Rounded once from the exact sum, but for flows and what is unmet. */
  readonly objectiveUsd: number;
  readonly flowTokensPerS: readonly PlacementGrid[] | undefined;
  /**
   * Servers of a model that leave demand unmet although no cover says so: residency asks for one
   * more.
   */
  readonly missingCovers: readonly { readonly model: number; readonly serving: readonly number[] }[];
}

/** Evaluates counts by entry for `paper`, `artifact` and `flows`. */
export function evaluate(task: PlacementTask, counts: Float64Array): Evaluation {
  const { models: M, regions: R, skus: K, current } = task;
  const broken = brokenBounds(task, counts);
  const shortfall = missingInstances(task, counts);
  let unmetUsd = shortfall.reduce((sum, { amount }) => sum + amount * task.unmetUsd.perInstance, 0);
  const held = capacityByRegion(task, counts);
  const binding = bindingNames(task, counts);
  for (const cover of task.covers) {
    // Flows find what is expected and missing.
    const found = cover.kind !== 'local-service' && task.variant === 'flows' ? cover.expected : 0;
    unmetUsd += shortage(task, cover, held, found, shortfall, binding);
  }
  let flows: PlacementGrid[] | undefined;
  let flowUsd = 0;
  const missingCovers: { model: number; serving: readonly number[] }[] = [];
  if (task.variant === 'flows') {
    flows = [];
    for (const [w, demand] of task.demand.entries()) {
      const grid = new PlacementGrid(M, R, R);
      for (let m = 0; m < M; m++) {
        const result = transportOf(task, m, demand, held.subarray(m * R, (m + 1) * R));
        for (let at = 0; at < R * R; at++) grid.values[m * R * R + at] = result.flow[at] / MICRO;
        flowUsd += result.flowUsd / task.windows;
        unmetUsd += dropped(task, m, w, result, shortfall, binding) / task.windows;
        if (result.saturated.length > 0 && result.saturated.length < R)
          missingCovers.push({ model: m, serving: result.saturated });
      }
      flows.push(grid);
    }
    unmetUsd += overdue(task, held, flows, shortfall, binding);
  }
  let holding = ZERO;
  let starting = ZERO;
  let changing = ZERO;
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) {
      const prices = exactPrices(task, m, k);
      let more = 0;
      let fewer = 0;
      for (let r = 0; r < R; r++) {
        const e = (m * R + r) * K + k;
        const change = counts[e] - current[e];
        if (change > 0) more += change;
        else fewer -= change;
      }
      if (more !== fewer) holding = plus(holding, times(decimalOf(more - fewer), prices.hold));
      if (more > 0) starting = plus(starting, times(decimalOf(more), prices.start));
      if (more + fewer > 0) changing = plus(changing, times(decimalOf(more + fewer), prices.change));
    }
  }
  const cost: PlacementCost = {
    holdingUsd: numberOf(holding),
    startUsd: numberOf(starting),
    flowUsd,
    hysteresisUsd: numberOf(changing),
    unmetUsd,
  };
  const objectiveUsd = numberOf(plus(plus(holding, starting), changing)) + flowUsd + unmetUsd;
  return {
    broken,
    shortfall,
    cost,
    objectiveUsd,
    flowTokensPerS: flows,
    missingCovers: shortfall.length > 0 ? missingCovers : [],
  };
}

/** Capacity in micro-tokens/s by model × region. */
export function capacityByRegion(
  { models: M, regions: R, skus: K, capacity }: PlacementTask,
  counts: Float64Array,
): Float64Array {
  const held = new Float64Array(M * R);
  for (let mr = 0, e = 0; mr < held.length; mr++)
    for (let k = 0, p = Math.floor(mr / R) * K; k < K; k++, e++, p++) held[mr] += counts[e] * capacity[p];
  return held;
}

export function gpusUsed({ models: M, regions: R, skus: K, gpus }: PlacementTask, counts: Float64Array): Float64Array {
  const used = new Float64Array(R * K);
  for (let m = 0, e = 0; m < M; m++)
    for (let r = 0; r < R; r++) for (let k = 0; k < K; k++, e++) used[r * K + k] += counts[e] * gpus[m * K + k];
  return used;
}

function brokenBounds(task: PlacementTask, counts: Float64Array): string[] {
  const { problem, regions: R, skus: K } = task;
  const broken: string[] = [];
  for (const [e, count] of counts.entries()) {
    const where =
      `${problem.models[Math.floor(e / (R * K))]} on ${problem.skus[e % K]} in ` +
      problem.regions[Math.floor(e / K) % R];
    const p = Math.floor(e / (R * K)) * K + (e % K);
    if (!Number.isInteger(count) || count < 0)
      broken.push(`${count} instances of ${where} are no whole number of 0 or more`);
    else if (count > problem.maxInstances.values[e])
      broken.push(`${count} instances of ${where} are more than the maximum, ${problem.maxInstances.values[e]}`);
    else if (task.capacity[p] === 0 && count > task.current[e])
      broken.push(
        `${count} instances of ${where}, where it cannot run, are more than the ${task.current[e]} that are there`,
      );
  }
  for (const [at, used] of gpusUsed(task, counts).entries())
    if (used > task.gpuCapacity[at])
      broken.push(
        `${used} GPUs of ${problem.skus[at % K]} in ${problem.regions[Math.floor(at / K)]} are more than the ` +
          `cap, ${task.gpuCapacity[at]}`,
      );
  return broken;
}

function missingInstances(task: PlacementTask, counts: Float64Array): PlacementShortfall[] {
  const { problem, regions: R, skus: K } = task;
  const missing: PlacementShortfall[] = [];
  for (const [e, count] of counts.entries()) {
    if (count >= task.lower[e]) continue;
    const r = Math.floor(e / K) % R;
    const binding = [`GPUs of ${problem.skus[e % K]} in ${problem.regions[r]}`];
    missing.push({
      kind: 'min-instances',
      modelId: problem.models[Math.floor(e / (R * K))],
      regionId: problem.regions[r],
      amount: task.lower[e] - count,
      binding,
    });
  }
  return missing;
}

type Binding = (model: number, regions: readonly number[]) => string[];

/** Names what leaves no room for one more instance of a model in some regions. */
function bindingNames(task: PlacementTask, counts: Float64Array): Binding {
  const { problem, regions: R, skus: K } = task;
  const used = gpusUsed(task, counts);
  return (model, regions) => {
    const names: string[] = [];
    let runs = false;
    for (const r of regions) {
      for (let k = 0; k < K; k++) {
        if (task.capacity[model * K + k] === 0) continue;
        runs = true;
        const e = (model * R + r) * K + k;
        if (counts[e] >= problem.maxInstances.values[e])
          names.push(
            `at most ${problem.maxInstances.values[e]} of ${problem.models[model]} on ${problem.skus[k]} in ` +
              problem.regions[r],
          );
        else if (used[r * K + k] + task.gpus[model * K + k] > task.gpuCapacity[r * K + k])
          names.push(`GPUs of ${problem.skus[k]} in ${problem.regions[r]}`);
      }
    }
    return runs ? names : [`${problem.models[model]} runs on no SKU`];
  };
}

function shortage(
  task: PlacementTask,
  cover: Cover,
  held: Float64Array,
  found: number,
  into: PlacementShortfall[],
  binding: Binding,
): number {
  let missing = cover.required - Math.max(found, heldBy(task, cover, held));
  let usd = 0;
  for (const { kind, most, usdPerMicro } of cover.shortage) {
    if (missing <= 0) break;
    const amount = Math.min(missing, most);
    missing -= amount;
    usd += amount * usdPerMicro;
    const where = cover.regions.length === 1 ? { regionId: task.problem.regions[cover.regions[0]] } : {};
    into.push({
      kind,
      modelId: task.problem.models[cover.model],
      ...where,
      amount: amount / MICRO,
      binding: binding(cover.model, cover.regions),
    });
  }
  return usd;
}

/** Capacity that counts towards a cover, in micro-tokens/s. */
export function heldBy(task: PlacementTask, cover: Cover, held: Float64Array): number {
  let sum = 0;
  for (const r of cover.regions) sum += held[cover.model * task.regions + r];
  return sum;
}

export function transportOf(
  task: PlacementTask,
  model: number,
  demand: Float64Array,
  held: Float64Array,
): ReturnType<typeof transport> {
  const { regions: R } = task;
  const own = demand.subarray(model * R, (model + 1) * R);
  return transport({
    demand: own,
    capacity: held,
    price: task.flowUsd?.subarray(model * R * R, (model + 1) * R * R),
    droppableCheaply: own.map((x, r) => Math.floor(x * (1 - task.fastShare[model * R + r]))),
    cheapUsd: task.unmetUsd.normal,
    dearUsd: task.unmetUsd.fast,
  });
}

/** Price of what a window drops, before it is spread over windows. */
export function dropped(
  task: PlacementTask,
  model: number,
  window: number,
  result: ReturnType<typeof transport>,
  into: PlacementShortfall[],
  binding: Binding,
): number {
  const { problem, regions: R } = task;
  let usd = 0;
  for (let r = 0; r < R; r++) {
    for (const [kind, amounts, price] of [
      ['interactive-fast', result.dearlyDropped, task.unmetUsd.fast],
      ['interactive-normal', result.cheaplyDropped, task.unmetUsd.normal],
    ] as const) {
      if (!(amounts[r] > 0)) continue;
      usd += amounts[r] * price;
      const reachable = Array.from({ length: R }, (_, to) => to).filter(
        (to) => task.flowUsd === undefined || task.flowUsd[(model * R + r) * R + to] < Infinity,
      );
      into.push({
        kind,
        modelId: problem.models[model],
        regionId: problem.regions[r],
        window,
        amount: amounts[r] / MICRO,
        binding: binding(model, reachable),
      });
    }
  }
  return usd;
}

/** Deferrable work that what is left over can't finish by its deadlines, and its price. */
export function overdue(
  task: PlacementTask,
  held: Float64Array,
  flows: readonly PlacementGrid[],
  into: PlacementShortfall[],
  binding: Binding,
  usable?: readonly Float64Array[],
): number {
  const { problem, models: M, regions: R, windows: W } = task;
  let usd = 0;
  for (let m = 0; m < M; m++) {
    let spare = 0;
    let missed = 0;
    for (let w = 0; w < W; w++) {
      const capacity = usable?.[w] ?? held;
      for (let r = 0; r < R; r++) spare += capacity[m * R + r];
      // Flows were whole micro-tokens/s before they were put in tokens/s.
      for (let at = 0; at < R * R; at++) spare -= Math.round(flows[w].values[m * R * R + at] * MICRO);
      const late = task.due[m * W + w] - missed - spare;
      if (late <= 0) continue;
      missed += late;
      usd += (late * task.unmetUsd.deferrable) / W;
      const everywhere = Array.from({ length: R }, (_, r) => r);
      into.push({
        kind: 'non-interactive',
        modelId: problem.models[m],
        window: w,
        amount: late / MICRO,
        binding: binding(m, everywhere),
      });
    }
  }
  return usd;
}

export { type Binding, bindingNames, brokenBounds, missingInstances };
