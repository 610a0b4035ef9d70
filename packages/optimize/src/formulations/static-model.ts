import { type IntegerModel, ModelBuilder } from '../integer-model.js';
import { type Cover, MICRO, type PlacementTask } from '../task.js';

/** A program with what leads from its columns back to counts. */
export interface PlacementModel {
  readonly model: IntegerModel;
  /**
   * Counts by entry from a solver's values, one column for each stage of the decision; whole
   * numbers where the values are within `tolerance` of them, else `undefined`.
   */
  readonly decode: (values: ArrayLike<number>, tolerance: number) => Float64Array[] | undefined;
  /** Rows of the named constraints, for their duals. */
  readonly rowOf: ReadonlyMap<string, number>;
  /** Values of columns for counts; flows and shortages, which follow from them, are left out. */
  readonly encode: (counts: Float64Array) => { readonly columns: Int32Array; readonly values: Float64Array };
}

export interface StaticModelOptions {
  /** Demand may be left unmet, at its price. */
  readonly elastic: boolean;
  /** Flows between regions as columns, rather than only what they ask of capacity. */
  readonly explicitFlows: boolean;
}

/**
 * The program of one decision: `keep` counts what stays of what is there, `add` what is started, so
 * that a start is paid without a row of its own (their costs are convex). Rows of local service, of
 * global service or flows, and of GPUs.
 */
export function buildStaticModel(task: PlacementTask, { elastic, explicitFlows }: StaticModelOptions): PlacementModel {
  const { problem, models: M, regions: R, skus: K, current } = task;
  const builder = new ModelBuilder();
  const entries = M * R * K;
  const keep = new Int32Array(entries).fill(-1);
  const add = new Int32Array(entries).fill(-1);
  const rowOf = new Map<string, number>();
  let constant = 0;
  for (let m = 0, e = 0; m < M; m++) {
    for (let r = 0; r < R; r++) {
      for (let k = 0; k < K; k++, e++) {
        const p = m * K + k;
        const id = `${problem.models[m]}.${problem.regions[r]}.${problem.skus[k]}`;
        const [low, high, held] = [elastic ? 0 : task.lower[e], task.upper[e], current[e]];
        constant -= task.belowUsd[p] * held;
        if (held > 0)
          keep[e] = builder.column(`keep.${id}`, task.belowUsd[p], Math.min(low, held), Math.min(high, held), true);
        if (high > held)
          add[e] = builder.column(`add.${id}`, task.aboveUsd[p], Math.max(0, low - held), high - held, true);
        if (elastic && task.lower[e] > 0) {
          const short = builder.column(`short.min.${id}`, task.unmetUsd.perInstance, 0, task.lower[e], false);
          builder.row(`min.${id}`, task.lower[e], Infinity, [...countOf(e), [short, 1]]);
        }
      }
    }
  }
  function countOf(e: number): [number, number][] {
    return [keep[e], add[e]].filter((column) => column !== -1).map((column) => [column, 1]);
  }
  const capacityOf = (m: number, regions: readonly number[], most = Infinity): [number, number][] =>
    regions.flatMap((r) =>
      Array.from({ length: K }, (_, k) => k).flatMap((k) => {
        const tokens = Math.min(task.capacity[m * K + k], most) / MICRO;
        return tokens === 0 ? [] : countOf((m * R + r) * K + k).map(([column]): [number, number] => [column, tokens]);
      }),
    );
  for (const cover of task.covers) {
    const flowsSay = explicitFlows && cover.kind !== 'local-service';
    // Flows ask for as much, but for what may come at any time and what a budget adds; elsewhere
    // the row only tightens the relaxation.
    if (flowsSay && elastic && !hasMore(task)) continue;
    const short = !elastic
      ? []
      : flowsSay
        ? shortageColumns(builder, {
            ...cover,
            shortage: [{ kind: 'non-interactive', most: cover.required, usdPerMicro: task.unmetUsd.deferrable }],
          })
        : shortageColumns(builder, cover);
    rowOf.set(cover.name, builder.rows);
    // No instance carries more of a cover than all of it; said so, the relaxation is tighter.
    const required = reachable(task, cover.model, cover.required, elastic);
    builder.row(cover.name, required / MICRO, Infinity, [
      ...capacityOf(cover.model, cover.regions, elastic ? Infinity : required),
      ...short,
    ]);
  }
  if (explicitFlows) addFlows(task, builder, elastic, (m, regions) => capacityOf(m, regions));
  for (let r = 0; r < R; r++) {
    for (let k = 0; k < K; k++) {
      const cap = task.gpuCapacity[r * K + k];
      if (cap === Infinity) continue;
      const row = Array.from({ length: M }, (_, m) => m).flatMap((m) =>
        countOf((m * R + r) * K + k).map(([column]): [number, number] => [column, task.gpus[m * K + k]]),
      );
      if (row.length === 0) continue;
      rowOf.set(gpuConstraint(task, r, k), builder.rows);
      builder.row(`gpus.${problem.regions[r]}.${problem.skus[k]}`, -Infinity, cap, row);
    }
  }
  const model = builder.build(
    `placement, ${task.variant}${elastic ? ', elastic' : ''}: ${M} models, ${R} regions, ${K} SKUs, ` +
      `${task.windows} windows`,
    constant,
  );
  return {
    model,
    rowOf,
    decode(values, tolerance) {
      const counts = new Float64Array(entries);
      for (let e = 0; e < entries; e++) {
        for (const column of [keep[e], add[e]]) {
          if (column === -1) continue;
          const whole = Math.round(values[column]);
          if (!(Math.abs(values[column] - whole) <= tolerance)) return undefined;
          counts[e] += whole;
        }
      }
      return [counts];
    },
    encode(counts) {
      const columns: number[] = [];
      const values: number[] = [];
      for (let e = 0; e < entries; e++) {
        if (keep[e] !== -1) {
          columns.push(keep[e]);
          values.push(Math.min(counts[e], current[e]));
        }
        if (add[e] !== -1) {
          columns.push(add[e]);
          values.push(Math.max(0, counts[e] - current[e]));
        }
      }
      return { columns: Int32Array.from(columns), values: Float64Array.from(values) };
    },
  };
}

/** Whether joint demand is more than what flows carry. */
function hasMore({ problem, due }: PlacementTask): boolean {
  return problem.demandBudget !== undefined || due.some((tokens) => tokens > 0);
}

/**
 * The least that whole instances of a model can carry at `required` or above, in micro-tokens/s,
 * less a thousandth of a token/s where that lies between two such sums: what a solver's tolerance
 * lets pass is then still enough. As it is where parts may be missing.
 */
export function reachable(
  { capacity, skus: K }: PlacementTask,
  model: number,
  required: number,
  elastic: boolean,
): number {
  let step = 0;
  for (let k = 0; k < K; k++)
    for (let a = capacity[model * K + k], b = step; ; [a, b] = [b, a % b])
      if (b === 0) {
        step = a;
        break;
      }
  if (elastic || step === 0) return required;
  return Math.ceil(required / step) * step - Math.min(1_000, Math.floor(step / 2));
}

/** Name of the cap on a region's GPUs of a SKU. */
export function gpuConstraint({ problem }: PlacementTask, region: number, sku: number): string {
  return `GPUs of ${problem.skus[sku]} in ${problem.regions[region]}`;
}

function shortageColumns(builder: ModelBuilder, cover: Cover): [number, number][] {
  return cover.shortage.map(({ kind, most, usdPerMicro }) => [
    builder.column(`short.${kind}.${cover.name}`, usdPerMicro * MICRO, 0, most / MICRO, false),
    1,
  ]);
}

/**
 * Flows of each model in each window as columns: all demand goes somewhere, and no region serves
 * more than it can.
 */
export function addFlows(
  task: PlacementTask,
  builder: ModelBuilder,
  elastic: boolean,
  capacityOf: (m: number, regions: readonly number[], window: number) => [number, number][],
): void {
  const { problem, models: M, regions: R, windows: W, unmetUsd } = task;
  for (let m = 0; m < M; m++) {
    for (const [w, demand] of task.demand.entries()) {
      const into: [number, number][][] = Array.from({ length: R }, () => []);
      for (let from = 0; from < R; from++) {
        const micro = demand[m * R + from];
        if (micro === 0) continue;
        const out: [number, number][] = [];
        for (let to = 0; to < R; to++) {
          const usd = task.flowUsd?.[(m * R + from) * R + to] ?? 0;
          if (usd === Infinity) continue;
          const column = builder.column(
            `flow.${problem.models[m]}.${problem.regions[from]}.${problem.regions[to]}.w${w}`,
            (usd * MICRO) / W,
            0,
            micro / MICRO,
            false,
          );
          out.push([column, 1]);
          into[to].push([column, -1]);
        }
        if (elastic) {
          const normal = (micro * (1 - task.fastShare[m * R + from])) / MICRO;
          const id = `${problem.models[m]}.${problem.regions[from]}.w${w}`;
          out.push([
            builder.column(`short.interactive-fast.${id}`, (unmetUsd.fast * MICRO) / W, 0, micro / MICRO, false),
            1,
          ]);
          if (normal > 0)
            out.push([
              builder.column(`short.interactive-normal.${id}`, (unmetUsd.normal * MICRO) / W, 0, normal, false),
              1,
            ]);
        }
        builder.row(`demand.${problem.models[m]}.${problem.regions[from]}.w${w}`, micro / MICRO, Infinity, out);
      }
      for (let to = 0; to < R; to++)
        if (into[to].length > 0)
          builder.row(`serve.${problem.models[m]}.${problem.regions[to]}.w${w}`, 0, Infinity, [
            ...capacityOf(m, [to], w),
            ...into[to],
          ]);
    }
  }
}
