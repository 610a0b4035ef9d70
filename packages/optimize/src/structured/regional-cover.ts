import type { PlacementTask } from '../task.js';

/**
 * Minimal covers that are written down for one model and region; where there are more, each
 * question is searched anew.
 */
const MOST_COVERS = 600;

/** Largest count of one SKU in a listed cover, and steps in listing them. */
const MOST_COUNT = 2_000;
const MOST_VISITS = 50_000;

/**
 * Nodes of one search; beyond them the best found stands, and the relaxation's value is the bound.
 */
const MOST_NODES = 400;

/**
 * The smallest problem inside placement: instances of one model in one region, at reduced prices,
 * that carry at least `required`. Exact by branch and bound over SKUs in order of price per token.
 * Prices are convex in the count, so what pays for itself is taken first. Where minimal covers
 * (those that no instance can be left out of) are few they are listed once, and an answer is the
 * cheapest of them at the prices.
 */
export class RegionalCover {
  /** Counts by SKU of the best answer. */
  readonly counts: Float64Array;
  /** No answer costs less; the cost of `counts` unless the search was cut off. */
  bound = 0;
  cost = 0;
  /** What is missing of `required`, in micro-tokens/s. */
  missing = 0;

  readonly #task: PlacementTask;
  // Steps of adding one more of a SKU: at most two for each, before and beyond what is there.
  readonly #stepSku: Int32Array;
  readonly #stepUnits: Float64Array;
  readonly #stepUsd: Float64Array;
  readonly #stepTokens: Float64Array;
  readonly #taken: Float64Array;
  readonly #best: Float64Array;
  readonly #order: number[] = [];
  #steps = 0;
  #nodes = 0;
  #bestCost = 0;
  #bestMissing = 0;
  #shortageUsd = Infinity;
  /**
   * Minimal covers by model × region, K counts each; `undefined` where not yet listed, `null` where
   * too many.
   */
  readonly #covers: (Int32Array | null | undefined)[];
  /** Price of each count of each SKU, K × width. */
  #table = new Float64Array(0);

  constructor(task: PlacementTask) {
    this.#task = task;
    this.#covers = new Array<undefined>(task.models * task.regions);
    this.counts = new Float64Array(task.skus);
    this.#stepSku = new Int32Array(2 * task.skus);
    this.#stepUnits = new Float64Array(2 * task.skus);
    this.#stepUsd = new Float64Array(2 * task.skus);
    this.#stepTokens = new Float64Array(2 * task.skus);
    this.#taken = new Float64Array(2 * task.skus);
    this.#best = new Float64Array(2 * task.skus);
  }

  /**
   * Solves for a model and region. An instance of SKU k costs its price, plus `gpuUsd[k]` for each
   * GPU, less `tokenUsd` for each micro-token/s; costs are changes from what is there now. What is
   * missing costs `shortageUsd` each, `Infinity` where nothing may be.
   */
  solve(
    model: number,
    region: number,
    required: number,
    tokenUsd: number,
    gpuUsd: Float64Array | undefined,
    gpuAt: number,
    shortageUsd: number,
  ): void {
    const { skus: K, regions: R, current, lower, upper, capacity, gpus, belowUsd, aboveUsd } = this.#task;
    const first = (model * R + region) * K;
    let cost = 0;
    let open = required;
    this.#steps = 0;
    for (let k = 0; k < K; k++) {
      const e = first + k;
      const p = model * K + k;
      const tokens = capacity[p];
      const reduced = (gpuUsd === undefined ? 0 : gpuUsd[gpuAt + k] * gpus[p]) - tokenUsd * tokens;
      const below = belowUsd[p] + reduced;
      const above = aboveUsd[p] + reduced;
      const [low, held, high] = [lower[e], current[e], upper[e]];
      let count = above < 0 ? high : below < 0 ? Math.min(high, Math.max(low, held)) : low;
      if (count < low) count = low;
      this.counts[k] = count;
      cost += (count <= held ? (count - held) * belowUsd[p] : (count - held) * aboveUsd[p]) + count * reduced;
      open -= count * tokens;
      if (tokens === 0) continue;
      if (count < held && count < high) this.#step(k, Math.min(held, high) - count, below, tokens);
      const from = Math.max(count, held);
      if (from < high) this.#step(k, high - from, above, tokens);
    }
    if (open <= 0) {
      this.cost = this.bound = cost;
      this.missing = 0;
      return;
    }
    if (shortageUsd === Infinity) {
      const covers = (this.#covers[model * R + region] ??= this.#listCovers(model, region, required));
      if (covers !== null) {
        this.#cheapest(covers, model, region, tokenUsd, gpuUsd, gpuAt);
        return;
      }
    }
    // Insertion sort: there are few.
    const order = this.#order;
    order.length = 0;
    for (let s = 0; s < this.#steps; s++) {
      let at = s;
      const ratio = this.#stepUsd[s] / this.#stepTokens[s];
      for (; at > 0 && this.#stepUsd[order[at - 1]] / this.#stepTokens[order[at - 1]] > ratio; at--)
        order[at] = order[at - 1]!;
      order[at] = s;
    }
    this.#nodes = 0;
    this.#bestCost = Infinity;
    this.#bestMissing = open;
    this.#shortageUsd = shortageUsd;
    this.#taken.fill(0);
    const relaxed = this.#relaxation(0, open);
    let all = 0;
    for (let s = 0; s < this.#steps; s++) all += this.#stepUnits[s] * this.#stepTokens[s];
    // The first dive takes what is enough, so the search ends; where nothing is enough there is
    // nothing to search.
    if (all >= open || shortageUsd < Infinity) this.#search(0, open, 0);
    if (this.#bestCost === Infinity) {
      // All there is does not suffice.
      this.#best.fill(0);
      for (let s = 0; s < this.#steps; s++) {
        this.#best[s] = this.#stepUnits[s]!;
        this.#bestMissing -= this.#best[s] * this.#stepTokens[s];
      }
    }
    for (let s = 0; s < this.#steps; s++) this.counts[this.#stepSku[s]] += this.#best[s];
    this.missing = Math.max(0, this.#bestMissing);
    this.cost = cost + this.#bestCost;
    this.bound = this.#nodes > MOST_NODES ? cost + relaxed : this.cost;
  }

  /** All minimal covers of a region, most capable SKU first; `null` if there are too many. */
  #listCovers(model: number, region: number, required: number): Int32Array | null {
    const { skus: K, regions: R, capacity, upper } = this.#task;
    const order = Array.from({ length: K }, (_, k) => k)
      .filter((k) => capacity[model * K + k] > 0)
      .sort((a, b) => capacity[model * K + b] - capacity[model * K + a]);
    const found: number[] = [];
    const counts = new Int32Array(K);
    let visits = 0;
    const visit = (at: number, open: number): boolean => {
      if (++visits > MOST_VISITS) return false;
      if (open <= 0) {
        if (found.length >= MOST_COVERS * K) return false;
        for (const count of counts) found.push(count);
        return true;
      }
      if (at === order.length) return true;
      const k = order[at];
      const tokens = capacity[model * K + k];
      // The smallest instance comes last, so a cover that it completes is minimal, and so is one
      // that needs no more.
      const most = Math.min(upper[(model * R + region) * K + k], Math.ceil(open / tokens));
      if (most > MOST_COUNT) return false;
      for (let count = most; count >= 0; count--) {
        counts[k] = count;
        if (!visit(at + 1, open - count * tokens)) return false;
      }
      counts[k] = 0;
      return true;
    };
    return visit(0, required) && found.length > 0 ? Int32Array.from(found) : null;
  }

  /** The cheapest of the listed covers, each with what pays for itself on top. */
  #cheapest(
    covers: Int32Array,
    model: number,
    region: number,
    tokenUsd: number,
    gpuUsd: Float64Array | undefined,
    gpuAt: number,
  ): void {
    const { skus: K, regions: R, current, capacity, gpus, belowUsd, aboveUsd } = this.#task;
    const first = (model * R + region) * K;
    let width = 1;
    for (const count of covers) width = Math.max(width, count + 1);
    if (this.#table.length < K * width) this.#table = new Float64Array(K * width);
    const table = this.#table;
    const floor = this.counts;
    for (let k = 0; k < K; k++) {
      const p = model * K + k;
      const held = current[first + k];
      const reduced = (gpuUsd === undefined ? 0 : gpuUsd[gpuAt + k] * gpus[p]) - tokenUsd * capacity[p];
      for (let count = 0; count < width; count++) {
        const taken = Math.max(count, floor[k]);
        table[k * width + count] = (taken - held) * (taken <= held ? belowUsd[p] : aboveUsd[p]) + taken * reduced;
      }
    }
    let best = Infinity;
    let at = 0;
    for (let cover = 0; cover < covers.length; cover += K) {
      let usd = 0;
      for (let k = 0; k < K; k++) usd += table[k * width + covers[cover + k]];
      if (usd < best) {
        best = usd;
        at = cover;
      }
    }
    for (let k = 0; k < K; k++) this.counts[k] = Math.max(floor[k], covers[at + k]);
    this.cost = this.bound = best;
    this.missing = 0;
  }

  #step(sku: number, units: number, usd: number, tokens: number): void {
    const s = this.#steps++;
    this.#stepSku[s] = sku;
    this.#stepUnits[s] = units;
    this.#stepUsd[s] = usd;
    this.#stepTokens[s] = tokens;
  }

  #relaxation(from: number, open: number): number {
    let usd = 0;
    for (let at = from; at < this.#steps && open > 0; at++) {
      const s = this.#order[at];
      const ratio = this.#stepUsd[s] / this.#stepTokens[s];
      if (ratio >= this.#shortageUsd) break;
      const tokens = Math.min(open, this.#stepUnits[s] * this.#stepTokens[s]);
      usd += tokens * ratio;
      open -= tokens;
    }
    return open > 0 ? usd + open * this.#shortageUsd : usd;
  }

  #search(at: number, open: number, cost: number): void {
    if (++this.#nodes > MOST_NODES) {
      // Cut off: the first dive has already given an answer.
      if (this.#bestCost < Infinity) return;
    }
    if (open <= 0 || this.#shortageUsd < Infinity) {
      const total = cost + (open > 0 ? open * this.#shortageUsd : 0);
      if (total < this.#bestCost) {
        this.#bestCost = total;
        this.#bestMissing = open;
        this.#best.set(this.#taken);
      }
      if (open <= 0) return;
    }
    if (at === this.#steps) return;
    if (
      this.#bestCost < Infinity &&
      !(cost + this.#relaxation(at, open) < this.#bestCost - 1e-12 * Math.abs(this.#bestCost))
    )
      return;
    const s = this.#order[at];
    const tokens = this.#stepTokens[s];
    for (let units = Math.min(this.#stepUnits[s], Math.ceil(open / tokens)); units >= 0; units--) {
      this.#taken[s] = units;
      this.#search(at + 1, open - units * tokens, cost + units * this.#stepUsd[s]);
      if (this.#nodes > MOST_NODES && this.#bestCost < Infinity) break;
    }
    this.#taken[s] = 0;
  }
}
