import {
  type BacklogSnapshot,
  DEFAULT_LOCAL_SHARE,
  DEMAND_WINDOW_MS,
  type FleetSnapshot,
  MS_PER_HOUR,
  MS_PER_S,
  PlacementGrid,
  type PlacementPlan,
  power,
} from '@sageserve/core';
import { cellOf, observedTokensPerS, type PlanCell, windowAt } from './planned.js';

/**
 * How long a difference between observed and forecast demand lasts: that of the noise of production
 * traffic around its daily shape (1.5 h in the totals of two models, alibaba/ServeGen).
 */
const RELAXATION_MS = 1.5 * MS_PER_HOUR;
/**
 * Snapshots' demand is a mean over the last minutes: what it is compared with lies half of them
 * back.
 */
const OBSERVED_LAG_MS = DEMAND_WINDOW_MS / 2;
/** How often the fleet is looked at unless an option says otherwise. */
export const DEFAULT_EVERY_MS = 15 * MS_PER_S;
/**
 * What is left of a difference that was believed, after so long: about two minutes are remembered.
 */
const KEPT = 0.88;
const LEAST_FACTOR = 0.5;
const MOST_FACTOR = 4;

/** What is followed of a plan. */
export interface CorrectionState {
  readonly planFromMs: number | undefined;
  readonly seenAtMs: number | undefined;
  readonly factors: ReadonlyMap<string, number>;
}

/** How demand of each model and region stands to its forecast, followed since the plan was made. */
export class DemandCorrection {
  /** Names the plan: each is made at a time of its own. */
  #planFromMs: number | undefined;
  /** When the fleet was looked at last, whatever was seen; undefined before the first look. */
  #seenAtMs: number | undefined;
  #factors = new Map<string, number>();

  save(): CorrectionState {
    return { planFromMs: this.#planFromMs, seenAtMs: this.#seenAtMs, factors: new Map(this.#factors) };
  }

  restore({ planFromMs, seenAtMs, factors }: CorrectionState): void {
    this.#planFromMs = planFromMs;
    this.#seenAtMs = seenAtMs;
    this.#factors = new Map(factors);
  }

  observe(fleet: FleetSnapshot, plan: PlacementPlan, nowMs: number): void {
    // A new forecast knows what was seen up to now: its errors begin anew.
    if (plan.validFromMs !== this.#planFromMs) {
      this.#planFromMs = plan.validFromMs;
      this.#factors = new Map();
    }
    // A look counts for the time since the one before, so that the cadence changes nothing.
    const sinceMs = this.#seenAtMs === undefined ? DEFAULT_EVERY_MS : Math.max(0, nowMs - this.#seenAtMs);
    this.#seenAtMs = nowMs;
    const weight = 1 - power(KEPT, sinceMs / DEFAULT_EVERY_MS);
    const demand = plan.demand!;
    if (nowMs - OBSERVED_LAG_MS < demand.startMs) return;
    for (const [m, modelId] of plan.models.entries()) {
      for (const [r, regionId] of plan.regions.entries()) {
        const observed = observedTokensPerS(fleet, { modelId, regionId });
        const forecast = interpolated(
          demand.expectedTokensPerS,
          demand.startMs,
          demand.stepMs,
          nowMs - OBSERVED_LAG_MS,
          m,
          r,
        );
        if (observed === undefined || !(forecast > 0)) continue;
        const key = `${m}/${r}`;
        const ratio = Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, observed / forecast));
        const old = this.#factors.get(key) ?? 1;
        this.#factors.set(key, old + weight * (ratio - old));
      }
    }
  }

  /**
   * By what the forecast of a time is to be multiplied: the present ratio, which is forgotten the
   * further ahead it lies.
   */
  factor(m: number, r: number, aheadMs: number): number {
    const now = this.#factors.get(`${m}/${r}`);
    return now === undefined ? 1 : power(now, Math.exp(-Math.max(0, aheadMs) / RELAXATION_MS));
  }
}

/** Between the middles of windows. */
function interpolated(
  grids: readonly PlacementGrid[],
  startMs: number,
  stepMs: number,
  atMs: number,
  m: number,
  r: number,
): number {
  const at = (atMs - startMs) / stepMs - 0.5;
  const low = Math.min(grids.length - 1, Math.max(0, Math.floor(at)));
  const high = Math.min(grids.length - 1, low + 1);
  const share = Math.min(1, Math.max(0, at - low));
  return (1 - share) * grids[low]!.at(m, r, 0) + share * grids[high]!.at(m, r, 0);
}

/** How non-interactive work enters the need. */
interface BacklogTerms {
  readonly drainMs: number;
  readonly slackMs: number;
  readonly arrivalShare: number;
}

export interface Needs {
  readonly windows: number;
  at(window: number, cell: PlanCell): number;
}

/**
 * Instances that each window needs: the plan's, with some more where corrected demand and due work
 * ask for more than they carry, and fewer where for less. What changes is chosen by the shortest
 * way: more go where the most is missing at home, fewer where the most is left over, and never
 * below the share that was planned to be served at home.
 */
export function correctedNeed(
  fleet: FleetSnapshot,
  plan: PlacementPlan,
  correction: DemandCorrection,
  backlog: BacklogTerms,
  nowMs: number,
): Needs {
  const demand = plan.demand!;
  const schedule = plan.schedule ?? demand.upperTokensPerS.map(() => plan.target);
  const first = windowAt(demand, nowMs);
  const speed = plan.tokensPerSPerInstance;
  if (speed === undefined)
    return { windows: schedule.length, at: (w, cell) => schedule[w]!.at(cell.m, cell.r, cell.k) };
  const most = new PlacementGrid(plan.models.length, plan.regions.length, plan.skus.length);
  const least = new PlacementGrid(plan.models.length, plan.regions.length, plan.skus.length);
  for (const endpoint of fleet.endpoints) {
    const cell = cellOf(plan, endpoint);
    if (cell === undefined) continue;
    most.set(cell.m, cell.r, cell.k, most.at(cell.m, cell.r, cell.k) + endpoint.maxInstances);
    least.set(cell.m, cell.r, cell.k, least.at(cell.m, cell.r, cell.k) + endpoint.minInstances);
  }
  const deferred = plan.models.map((modelId, m) =>
    deferredTokensPerS(
      fleet.backlog?.find((queue) => queue.modelId === modelId),
      demand.mix[m],
      backlog,
      nowMs,
    ),
  );
  return new CorrectedNeeds(plan, schedule, { first, correction, nowMs, deferred, speed, least, most });
}

/**
 * Hot in a simulation: methods rather than functions made anew at every decision, which would be
 * compiled anew, too.
 */
class CorrectedNeeds implements Needs {
  readonly windows: number;
  readonly #plan: PlacementPlan;
  readonly #schedule: readonly PlacementGrid[];
  readonly #terms: CorrectionTerms;
  /** Few of the windows are asked for. */
  readonly #grids: (PlacementGrid | undefined)[];

  constructor(plan: PlacementPlan, schedule: readonly PlacementGrid[], terms: CorrectionTerms) {
    this.windows = schedule.length;
    this.#plan = plan;
    this.#schedule = schedule;
    this.#terms = terms;
    this.#grids = schedule.map(() => undefined);
  }

  at(w: number, cell: PlanCell): number {
    const grid = (this.#grids[w] ??= this.#corrected(w));
    return grid.at(cell.m, cell.r, cell.k);
  }

  #corrected(w: number): PlacementGrid {
    const { first, correction, nowMs, deferred, speed, least, most } = this.#terms;
    const planned = this.#schedule[w]!;
    if (w < first) return planned;
    const demand = this.#plan.demand!;
    const { localShare = DEFAULT_LOCAL_SHARE } = this.#plan;
    const grid = new PlacementGrid(planned.models, planned.regions, planned.skus, Float64Array.from(planned.values));
    const aheadMs = demand.startMs + (w + 0.5) * demand.stepMs - nowMs;
    const wanted = new Float64Array(planned.regions);
    for (let m = 0; m < planned.models; m++) {
      for (let r = 0; r < wanted.length; r++)
        wanted[r] = demand.upperTokensPerS[w]!.at(m, r, 0) * correction.factor(m, r, aheadMs);
      adjust({ grid, m, wanted, speed, least, most, localShare }, deferred[m]!);
    }
    return grid;
  }
}

interface CorrectionTerms {
  /** The window of the present: those before it are as they were planned. */
  readonly first: number;
  readonly correction: DemandCorrection;
  readonly nowMs: number;
  /** Tokens/s of non-interactive work by model. */
  readonly deferred: readonly number[];
  readonly speed: PlacementGrid;
  readonly least: PlacementGrid;
  readonly most: PlacementGrid;
}

/**
 * Tokens/s at which non-interactive work is to be served: about what arrives, its backlog within
 * the time to drain, and sooner where deadlines ask for it.
 */
function deferredTokensPerS(
  backlog: BacklogSnapshot | undefined,
  mix: { readonly promptTokens: number; readonly outputTokens: number } | undefined,
  { drainMs, slackMs, arrivalShare }: BacklogTerms,
  nowMs: number,
): number {
  if (backlog === undefined) return 0;
  const arriving = arrivalShare * (backlog.arrivedTokensPerS ?? 0);
  if (backlog.requests === 0) return arriving;
  const expansion = mix === undefined ? 1 : (mix.promptTokens + mix.outputTokens) / mix.promptTokens;
  const tokens = backlog.promptTokens * expansion;
  let rate = Math.max(arriving, tokens / (drainMs / MS_PER_S));
  for (const { atMs, requests } of backlog.due) {
    const leftMs = Math.max(MS_PER_HOUR / 2, atMs - slackMs - nowMs);
    rate = Math.max(rate, ((tokens / backlog.requests) * requests) / (leftMs / MS_PER_S));
  }
  return rate;
}

/** One model's counts of one window, and what bounds them. */
interface ModelCounts {
  readonly grid: PlacementGrid;
  readonly m: number;
  /**
   * Tokens/s by region; `NaN` where demand is not known: what is planned stays there, and is taken
   * to be all needed.
   */
  readonly wanted: Float64Array;
  readonly speed: PlacementGrid;
  readonly least: PlacementGrid;
  readonly most: PlacementGrid;
  /** Share of a region's demand that stays servable at home when instances are taken away. */
  readonly localShare: number;
}

/**
 * Brings one model's counts of one window to what `wanted` by region and `deferred` in all ask for.
 */
function adjust(counts: ModelCounts, deferred: number): void {
  const { grid, m, wanted, speed } = counts;
  let capacity = 0;
  let total = deferred;
  for (let r = 0; r < wanted.length; r++) {
    if (Number.isNaN(wanted[r])) continue;
    capacity += capacityIn(counts, r);
    total += wanted[r]!;
  }
  // Each turn moves one instance, so that this ends.
  for (let turn = 0; turn < 10_000 && capacity < total; turn++) {
    const choice = best(counts, missing, capacity, total);
    if (choice === undefined) return;
    grid.set(m, choice.r, choice.k, grid.at(m, choice.r, choice.k) + 1);
    capacity += speed.at(m, 0, choice.k);
  }
  for (let turn = 0; turn < 10_000; turn++) {
    const choice = best(counts, spare, capacity, total);
    if (choice === undefined) return;
    grid.set(m, choice.r, choice.k, grid.at(m, choice.r, choice.k) - 1);
    capacity -= speed.at(m, 0, choice.k);
  }
}

function capacityIn({ grid, m, speed }: ModelCounts, r: number): number {
  let sum = 0;
  for (let k = 0; k < grid.skus; k++) sum += grid.at(m, r, k) * speed.at(m, 0, k);
  return sum;
}

/**
 * What a region lacks, and the faster of its SKUs before the slower: where one instance more does
 * most good. Undefined where there is no room.
 */
function missing(counts: ModelCounts, r: number, k: number): number | undefined {
  const { grid, m, wanted, speed, most } = counts;
  const one = speed.at(m, 0, k);
  return grid.at(m, r, k) < most.at(m, r, k) && one > 0 ? wanted[r]! - capacityIn(counts, r) + 1e-6 * one : undefined;
}

/**
 * What is left over in a region without one instance, of what is to be servable at home. Undefined
 * where it is needed.
 */
function spare(counts: ModelCounts, r: number, k: number, capacity: number, total: number): number | undefined {
  const { grid, m, wanted, speed, least, localShare } = counts;
  const one = speed.at(m, 0, k);
  if (!(grid.at(m, r, k) > least.at(m, r, k) && one > 0 && capacity - one >= total)) return undefined;
  const left = capacityIn(counts, r) - one - localShare * wanted[r]!;
  return left >= 0 ? left : undefined;
}

/** The place with the highest score, of those whose demand is known. */
function best(
  counts: ModelCounts,
  score: (counts: ModelCounts, r: number, k: number, capacity: number, total: number) => number | undefined,
  capacity: number,
  total: number,
): { r: number; k: number } | undefined {
  let found: { r: number; k: number } | undefined;
  let highest = -Infinity;
  for (let r = 0; r < counts.grid.regions; r++) {
    if (Number.isNaN(counts.wanted[r])) continue;
    for (let k = 0; k < counts.grid.skus; k++) {
      const value = score(counts, r, k, capacity, total);
      if (value !== undefined && value > highest) {
        highest = value;
        found = { r, k };
      }
    }
  }
  return found;
}
