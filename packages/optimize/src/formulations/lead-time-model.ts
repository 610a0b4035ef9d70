import { ModelBuilder } from '../integer-model.js';
import { MICRO, type PlacementTask } from '../task.js';
import { addFlows, type PlacementModel, reachable } from './static-model.js';

/**
 * Decisions over several windows: `hold` counts what is held and paid in a window, `start` what is
 * started in it and serves only after its provisioning delay. Local service, global service or
 * flows, deferrable work and GPUs hold in each window.
 */
export function buildLeadTimeModel(task: PlacementTask, { elastic }: { readonly elastic: boolean }): PlacementModel {
  const { problem, models: M, regions: R, skus: K, windows: W, windowHours, current, unmetUsd } = task;
  const builder = new ModelBuilder();
  const entries = M * R * K;
  const hold = new Int32Array(W * entries).fill(-1);
  const start = new Int32Array(W * entries).fill(-1);
  let constant = 0;
  for (let w = 0; w < W; w++) {
    for (let e = 0; e < entries; e++) {
      const p = Math.floor(e / (R * K)) * K + (e % K);
      const usd = problem.usdPerInstanceHour.values[p] * windowHours;
      constant -= usd * current[e];
      if (task.upper[e] === 0) continue;
      const id = `${idOf(task, e)}.w${w}`;
      hold[w * entries + e] = builder.column(`hold.${id}`, usd, elastic ? 0 : task.lower[e], task.upper[e], true);
      if (elastic && task.lower[e] > 0) {
        const short = builder.column(`short.min.${id}`, unmetUsd.perInstance, 0, task.lower[e], false);
        builder.row(`min.${id}`, task.lower[e], Infinity, [
          [hold[w * entries + e], 1],
          [short, 1],
        ]);
      }
      if (task.capacity[p] > 0)
        start[w * entries + e] = builder.column(
          `start.${id}`,
          problem.startUsd.values[p] + task.hysteresisUsd,
          0,
          task.upper[e],
          true,
        );
      const before: [number, number][] = w === 0 ? [] : [[hold[(w - 1) * entries + e], -1]];
      const begun: [number, number][] = start[w * entries + e] === -1 ? [] : [[start[w * entries + e], -1]];
      builder.row(`change.${id}`, -Infinity, w === 0 ? current[e] : 0, [
        [hold[w * entries + e], 1],
        ...before,
        ...begun,
      ]);
      if (task.hysteresisUsd > 0) {
        const stop = builder.column(`stop.${id}`, task.hysteresisUsd, 0, Infinity, false);
        builder.row(`stopped.${id}`, w === 0 ? current[e] : 0, Infinity, [
          [hold[w * entries + e], 1],
          ...before.map(([column]): [number, number] => [column, -1]),
          [stop, 1],
        ]);
      }
      const usable = usableOf(w, e);
      if (usable.length > 1) builder.row(`usable.${id}`, 0, Infinity, usable);
    }
  }
  /** What serves: held less what was started within the provisioning delay. */
  function usableOf(w: number, e: number): [number, number][] {
    if (hold[w * entries + e] === -1) return [];
    const terms: [number, number][] = [[hold[w * entries + e], 1]];
    const delay = delayOf(task, e);
    for (let s = Math.max(0, w - delay + 1); s <= w; s++)
      if (start[s * entries + e] !== -1 && delay > 0) terms.push([start[s * entries + e], -1]);
    return terms;
  }
  const capacityOf = (w: number, m: number, regions: readonly number[]): [number, number][] =>
    regions.flatMap((r) =>
      Array.from({ length: K }, (_, k) => k).flatMap((k) => {
        const tokens = task.capacity[m * K + k] / MICRO;
        return tokens === 0
          ? []
          : usableOf(w, (m * R + r) * K + k).map(([column, sign]): [number, number] => [column, sign * tokens]);
      }),
    );
  const everywhere = Array.from({ length: R }, (_, r) => r);
  for (let w = 0; w < W; w++) {
    for (const [m, model] of problem.models.entries()) {
      for (const [r, region] of problem.regions.entries()) {
        const required = reachable(task, m, localNeed(task, m, r, w), elastic) / MICRO;
        if (required <= 0) continue;
        const short: [number, number][] = elastic
          ? [
              [
                builder.column(
                  `short.local-share.${model}.${region}.w${w}`,
                  (unmetUsd.local * MICRO) / W,
                  0,
                  required,
                  false,
                ),
                1,
              ],
            ]
          : [];
        builder.row(`local.${model}.${region}.w${w}`, required, Infinity, [...capacityOf(w, m, [r]), ...short]);
      }
      // Flows carry what is expected; a budget asks for more.
      if (task.flowUsd === undefined || problem.demandBudget !== undefined) {
        const required = reachable(task, m, globalNeed(task, m, w), elastic) / MICRO;
        const short: [number, number][] = elastic
          ? [
              [
                builder.column(
                  `short.interactive-fast.${model}.w${w}`,
                  (unmetUsd.fast * MICRO) / W,
                  0,
                  required,
                  false,
                ),
                1,
              ],
            ]
          : [];
        if (required > 0)
          builder.row(`global.${model}.w${w}`, required, Infinity, [...capacityOf(w, m, everywhere), ...short]);
      }
      const due = task.due[m * W + w];
      if (due > (w === 0 ? 0 : task.due[m * W + w - 1])) {
        const until = Array.from({ length: w + 1 }, (_, s) => s);
        let demand = 0;
        for (const s of until) demand += globalNeed(task, m, s);
        const late: [number, number][] = elastic
          ? [
              [
                builder.column(
                  `short.non-interactive.${model}.w${w}`,
                  (unmetUsd.deferrable * MICRO) / W,
                  0,
                  (due + demand) / MICRO,
                  false,
                ),
                1,
              ],
            ]
          : [];
        builder.row(`due.${model}.w${w}`, (due + demand) / MICRO, Infinity, [
          ...merge(until.flatMap((s) => capacityOf(s, m, everywhere))),
          ...late,
        ]);
      }
    }
    for (let at = 0; at < R * K; at++) {
      if (task.gpuCapacity[at] === Infinity) continue;
      const row = Array.from({ length: M }, (_, m) => m).flatMap((m): [number, number][] => {
        const column = hold[w * entries + m * R * K + at];
        return column === -1 ? [] : [[column, task.gpus[m * K + (at % K)]]];
      });
      if (row.length > 0)
        builder.row(
          `gpus.${problem.regions[Math.floor(at / K)]}.${problem.skus[at % K]}.w${w}`,
          -Infinity,
          task.gpuCapacity[at],
          row,
        );
    }
  }
  if (task.flowUsd !== undefined) addFlows(task, builder, elastic, (m, regions, w) => capacityOf(w, m, regions));
  return {
    model: builder.build(
      `placement, lead-time${elastic ? ', elastic' : ''}: ${M} models, ${R} regions, ${K} SKUs, ${W} windows`,
      constant,
    ),
    rowOf: new Map(),
    decode(values, tolerance) {
      const stages: Float64Array[] = [];
      for (let w = 0; w < W; w++) {
        const counts = new Float64Array(entries);
        for (let e = 0; e < entries; e++) {
          const column = hold[w * entries + e];
          if (column === -1) continue;
          counts[e] = Math.round(values[column]);
          if (!(Math.abs(values[column] - counts[e]) <= tolerance)) return undefined;
        }
        stages.push(counts);
      }
      return stages;
    },
    encode: () => ({ columns: new Int32Array(0), values: new Float64Array(0) }),
  };
}

/** Windows until a start of an entry serves. */
export function delayOf({ problem, regions: R, skus: K }: PlacementTask, e: number): number {
  return problem.provisioningWindows?.at(0, Math.floor(e / K) % R, e % K) ?? 0;
}

/** Micro-tokens/s that must be servable at home in a window. */
export function localNeed(task: PlacementTask, m: number, r: number, w: number): number {
  const excess = task.problem.demandExcessTokensPerS?.[w]!.at(m, r, 0) ?? 0;
  return Math.ceil(task.problem.localShare * (task.demand[w][m * task.regions + r] + excess * MICRO) - 1e-3);
}

/** Micro-tokens/s that all regions together must serve in a window. */
export function globalNeed(task: PlacementTask, m: number, w: number): number {
  const { regions: R, problem } = task;
  let sum = 0;
  for (let r = 0; r < R; r++) sum += task.demand[w][m * R + r];
  const { demandExcessTokensPerS: excess, demandBudget: budget } = problem;
  if (excess === undefined || budget === undefined) return sum;
  const worst = Array.from({ length: R }, (_, r) => excess[w].at(m, r, 0)).sort((a, b) => b - a);
  for (const [at, more] of worst.entries()) if (at < budget) sum += Math.ceil(more * Math.min(1, budget - at) * MICRO);
  return sum;
}

function idOf({ problem, regions: R, skus: K }: PlacementTask, e: number): string {
  return `${problem.models[Math.floor(e / (R * K))]}.${problem.regions[Math.floor(e / K) % R]}.${problem.skus[e % K]}`;
}

function merge(terms: readonly [number, number][]): [number, number][] {
  const sums = new Map<number, number>();
  for (const [column, value] of terms) sums.set(column, (sums.get(column) ?? 0) + value);
  return [...sums];
}
