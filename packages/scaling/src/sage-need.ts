import { type BacklogSnapshot, type FleetSnapshot, MS_PER_HOUR, MS_PER_S, type PlacementPlan, PlacementGrid } from '@sageserve/core';
import { cellOf, observedTokensPerS, type PlanCell, windowAt } from './planned.js';

/** How long a difference between observed and forecast demand lasts: that of the noise of production traffic around its daily shape (1.5 h in the totals of two models, alibaba/ServeGen). */
const RELAXATION_MS = 1.5 * MS_PER_HOUR;
/** Snapshots' demand is a mean over the last minutes: what it is compared with lies half of them back. */
const OBSERVED_LAG_MS = 150_000;
/** Weight of a new observation: about two minutes' worth at one every fifteen seconds. */
const SMOOTHING = 0.12;
const LEAST_FACTOR = 0.5;
const MOST_FACTOR = 4;

/** How demand of each model and region stands to its forecast, followed since the plan was made. */
export class DemandCorrection {
  #plan: PlacementPlan | undefined;
  #factors = new Map<string, number>();

  observe(fleet: FleetSnapshot, plan: PlacementPlan, nowMs: number): void {
    // A new forecast knows what was seen up to now: its errors begin anew.
    if (plan !== this.#plan) {
      this.#plan = plan;
      this.#factors = new Map();
    }
    const demand = plan.demand!;
    if (nowMs - OBSERVED_LAG_MS < demand.startMs) return;
    for (const [m, modelId] of plan.models.entries()) {
      for (const [r, regionId] of plan.regions.entries()) {
        const observed = observedTokensPerS(fleet, { modelId, regionId });
        const forecast = interpolated(demand.expectedTokensPerS, demand.startMs, demand.stepMs, nowMs - OBSERVED_LAG_MS, m, r);
        if (observed === undefined || !(forecast > 0)) continue;
        const key = `${m}/${r}`;
        const ratio = Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, observed / forecast));
        const old = this.#factors.get(key) ?? 1;
        this.#factors.set(key, old + SMOOTHING * (ratio - old));
      }
    }
  }

  /** By what the forecast of a time is to be multiplied: the present ratio, which is forgotten the further ahead it lies. */
  factor(m: number, r: number, aheadMs: number): number {
    const now = this.#factors.get(`${m}/${r}`);
    return now === undefined ? 1 : now ** Math.exp(-Math.max(0, aheadMs) / RELAXATION_MS);
  }
}

/** Between the middles of windows. */
function interpolated(grids: readonly PlacementGrid[], startMs: number, stepMs: number, atMs: number, m: number, r: number): number {
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
 * Instances that each window needs: the plan's, with some more where corrected demand and due work ask for more than they carry, and fewer where for less. What changes is chosen by the shortest way: more go where the
 * most is missing at home, fewer where the most is left over, and never below the share that was planned to be served at home.
 */
export function correctedNeed(fleet: FleetSnapshot, plan: PlacementPlan, correction: DemandCorrection, backlog: BacklogTerms, nowMs: number): Needs {
  const demand = plan.demand!;
  const schedule = plan.schedule ?? demand.upperTokensPerS.map(() => plan.target);
  const first = windowAt(demand, nowMs);
  const speed = plan.tokensPerSPerInstance;
  if (speed === undefined) return { windows: schedule.length, at: (w, cell) => schedule[w]!.at(cell.m, cell.r, cell.k) };
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
  const corrected = (w: number): PlacementGrid => {
    const planned = schedule[w]!;
    if (w < first) return planned;
    const grid = new PlacementGrid(planned.models, planned.regions, planned.skus, Float64Array.from(planned.values));
    const aheadMs = demand.startMs + (w + 0.5) * demand.stepMs - nowMs;
    for (let m = 0; m < plan.models.length; m++) {
      const wanted = plan.regions.map((_, r) => demand.upperTokensPerS[w]!.at(m, r, 0) * correction.factor(m, r, aheadMs));
      adjust(grid, m, wanted, deferred[m]!, speed, least, most);
    }
    return grid;
  };
  // Few of the windows are asked for.
  const grids: (PlacementGrid | undefined)[] = schedule.map(() => undefined);
  return { windows: grids.length, at: (w, cell) => (grids[w] ??= corrected(w)).at(cell.m, cell.r, cell.k) };
}

/** Tokens/s at which non-interactive work is to be served: about what arrives, its backlog within the time to drain, and sooner where deadlines ask for it. */
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

/** Brings one model's counts of one window to what `wanted` by region and `deferred` in all ask for. */
function adjust(
  grid: PlacementGrid,
  m: number,
  wanted: readonly number[],
  deferred: number,
  speed: PlacementGrid,
  least: PlacementGrid,
  most: PlacementGrid,
): void {
  const { regions, skus } = grid;
  // Where demand is not known what is planned stays, and is taken to be all needed there.
  const unknown = (r: number): boolean => Number.isNaN(wanted[r]);
  const capacityIn = (r: number): number => {
    let sum = 0;
    for (let k = 0; k < skus; k++) sum += grid.at(m, r, k) * speed.at(m, 0, k);
    return sum;
  };
  let capacity = 0;
  let total = deferred;
  for (let r = 0; r < regions; r++) {
    if (unknown(r)) continue;
    capacity += capacityIn(r);
    total += wanted[r]!;
  }
  // Each turn moves one instance, so that this ends.
  for (let turn = 0; turn < 10_000 && capacity < total; turn++) {
    const choice = best(grid, (r, k) =>
      !unknown(r) && grid.at(m, r, k) < most.at(m, r, k) && speed.at(m, 0, k) > 0 ? wanted[r]! - capacityIn(r) + 1e-6 * speed.at(m, 0, k) : undefined,
    );
    if (choice === undefined) return;
    grid.set(m, choice.r, choice.k, grid.at(m, choice.r, choice.k) + 1);
    capacity += speed.at(m, 0, choice.k);
  }
  for (let turn = 0; turn < 10_000; turn++) {
    const choice = best(grid, (r, k) => {
      const one = speed.at(m, 0, k);
      const spare = capacityIn(r) - one - LOCAL_SHARE * wanted[r]!;
      return !unknown(r) && grid.at(m, r, k) > least.at(m, r, k) && one > 0 && capacity - one >= total && spare >= 0 ? spare : undefined;
    });
    if (choice === undefined) return;
    grid.set(m, choice.r, choice.k, grid.at(m, choice.r, choice.k) - 1);
    capacity -= speed.at(m, 0, choice.k);
  }
}

/** Share of a region's demand that stays servable at home when instances are taken away: that of the paper. */
const LOCAL_SHARE = 0.8;

function best(grid: PlacementGrid, score: (r: number, k: number) => number | undefined): { r: number; k: number } | undefined {
  let found: { r: number; k: number } | undefined;
  let most = -Infinity;
  for (let r = 0; r < grid.regions; r++) {
    for (let k = 0; k < grid.skus; k++) {
      const value = score(r, k);
      if (value !== undefined && value > most) {
        most = value;
        found = { r, k };
      }
    }
  }
  return found;
}
