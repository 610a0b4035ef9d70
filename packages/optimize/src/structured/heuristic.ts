import type { PlacementTask } from '../task.js';
import { breathe } from '../wall-clock.js';
import { createDualAscent } from './dual-ascent.js';
import { type CoverIndex, createRelaxation, firstPrices, indexCovers, type Prices, type Relaxed } from './prices.js';
import { PlanSearch } from './plan-search.js';

/** Up to this size models are planned anew exactly; beyond it that takes long. */
const MOST_REPLANNED = 1_500;

export interface SearchOptions {
  /** Falling short is allowed, at its price. */
  readonly elastic: boolean;
  /** Steps of the dual ascent. */
  readonly steps: number;
  /** A plan is built from every so many of them. */
  readonly planEvery: number;
  readonly passes: number;
  /** Rounds of letting models change places in full cells. */
  readonly rounds: number;
  /**
   * The search ends with a plan that is proven to be this close to the best, as a share of its
   * cost.
   */
  readonly relativeGap: number;
  /** Asked between steps. */
  readonly stop?: () => boolean;
}

export interface SearchAnswer {
  /** The best plan that was found, `undefined` where none meets all. */
  readonly counts: Float64Array | undefined;
  readonly usd: number;
  /** No plan costs less. */
  readonly bound: number;
  readonly prices: Prices;
  readonly index: CoverIndex;
}

/**
 * Prices and plans in turn: dual ascent on prices of GPUs and of joint demand proves a bound, and
 * what regions choose at those prices is repaired into plans and descended from. The same task and
 * options give the same plan, unless it is stopped.
 */
export async function searchPlans(
  task: PlacementTask,
  { elastic, steps, planEvery, passes, rounds, relativeGap, stop = () => false }: SearchOptions,
): Promise<SearchAnswer> {
  const index = indexCovers(task, elastic);
  const ascent = createDualAscent(task, index, createRelaxation(task, index, elastic), firstPrices(task, index));
  let best: Float64Array | undefined;
  let usd = Infinity;
  const plan = async (relaxed: Relaxed): Promise<void> => {
    const counts = Float64Array.from(relaxed.counts);
    const search = new PlanSearch(task, index, counts, elastic);
    const descend = async (): Promise<void> => {
      for (let pass = 0; pass < passes && search.descend(1, stop) && !stop(); pass++) await breathe();
    };
    search.fitGpus(ascent.prices);
    search.fill(ascent.prices);
    await breathe();
    if (!search.complete) search.makeRoom();
    await descend();
    for (let trades = 0; trades < rounds && !stop() && search.trade(stop); trades++) await descend();
    // Shortages have prices that planning a model exactly does not know.
    const entries = task.models * task.regions * task.skus;
    if (!elastic && search.complete && entries <= MOST_REPLANNED)
      for (let n = 0; n < rounds && !stop() && search.replan(); n++)
        while (!stop() && search.trade(stop)) await descend();
    if (!search.complete && !elastic) return;
    const cost = search.usd();
    if (cost < usd) {
      usd = cost;
      best = counts;
    }
  };
  for (let n = 0; n < steps && (n === 0 || !stop()); n++) {
    const target =
      usd < Infinity ? usd : ascent.bound === -Infinity ? NaN : ascent.bound + 0.05 * Math.abs(ascent.bound);
    const relaxed = ascent.step(target);
    await breathe();
    if (n % planEvery === 0) await plan(relaxed);
    if (best !== undefined && usd - ascent.bound <= Math.max(relativeGap, 1e-9) * Math.abs(usd)) break;
    if (ascent.scale < 1e-3) break;
  }
  return { counts: best, usd, bound: ascent.bound, prices: ascent.prices, index };
}
