import type { PlacementTask } from '../task.js';
import type { CoverIndex } from './prices.js';
import { RegionalCover } from './regional-cover.js';

/** Counts of one SKU in one region that are looked at, at most. */
const MOST_COUNTS = 2_000;
/**
 * Ways to serve a region, and partial plans, that are kept at most; a model that needs more is left
 * to its relaxation.
 */
const MOST_OPTIONS = 4_000;
const MOST_STATES = 60_000;
const MOST_VISITS = 2_000_000;
/** Halvings of the interval for the price of a token. */
const PRICE_STEPS = 24;

export interface ModelOptimum {
  /** No plan of this model costs less at these prices of GPUs. */
  readonly bound: number;
  /** By region × SKU; the optimum, unless it was not reached, where `undefined`. */
  readonly counts: Float64Array | undefined;
}

interface Options {
  readonly tokens: Float64Array;
  readonly usd: Float64Array;
  /** K counts for each. */
  readonly counts: Int32Array;
}

interface States {
  readonly tokens: Float64Array;
  readonly usd: Float64Array;
  readonly parent: Int32Array;
  readonly option: Int32Array;
  length: number;
}

/**
 * The best plan of one model when GPUs have prices instead of caps: exact, by dynamic programming
 * over regions on undominated pairs of capacity and cost. The price of a token that satisfies
 * global service in the relaxation gives each way to serve a region a reduced cost; ways that cost
 * more than `slack` beyond the best of their region can't be part of a plan within `slack` of the
 * relaxation, so only few are looked at, and `slack` grows until a plan is found within it
 * (Pisinger, A minimal algorithm for the 0-1 knapsack problem, 1997, uses the same idea of a
 * growing core).
 */
export function createModelOptimum(
  task: PlacementTask,
  index: CoverIndex,
): (model: number, gpuUsd: Float64Array) => ModelOptimum {
  const { regions: R, skus: K, covers, capacity, gpus, lower, upper, current, belowUsd, aboveUsd } = task;
  const regional = new RegionalCover(task);

  function relaxedAt(
    model: number,
    gpuUsd: Float64Array,
    tokenUsd: number,
    required: number,
  ): { bound: number; open: number; exact: boolean } {
    let bound = tokenUsd * required;
    let open = required;
    let exact = true;
    for (let r = 0; r < R; r++) {
      regional.solve(model, r, index.local[model * R + r], tokenUsd, gpuUsd, r * K, Infinity);
      bound += regional.bound;
      if (regional.bound !== regional.cost) exact = false;
      for (let k = 0; k < K; k++) open -= regional.counts[k] * capacity[model * K + k];
    }
    return { bound, open, exact };
  }

  return (model, gpuUsd) => {
    const joint = index.joint[model];
    if (joint.length > 1) return { bound: -Infinity, counts: undefined };
    const required = joint.length === 0 ? 0 : covers[joint[0]].required;
    let dearest = 0;
    let cheapest = Infinity;
    for (let k = 0; k < K; k++) {
      const p = model * K + k;
      if (capacity[p] === 0) continue;
      for (let r = 0; r < R; r++) {
        const usd = aboveUsd[p] + gpuUsd[r * K + k] * gpus[p];
        dearest = Math.max(dearest, usd / capacity[p]);
        cheapest = Math.min(cheapest, Math.max(usd, 1e-9));
      }
    }
    // The relaxation is concave in the price of a token: the slope's sign says on which side of the
    // best price one is.
    let [low, high] = [0, dearest];
    let best = relaxedAt(model, gpuUsd, 0, required);
    let tokenUsd = 0;
    if (best.open > 0) {
      for (let step = 0; step < PRICE_STEPS; step++) {
        const middle = (low + high) / 2;
        const at = relaxedAt(model, gpuUsd, middle, required);
        if (at.bound > best.bound) {
          best = at;
          tokenUsd = middle;
        }
        if (at.open > 0) low = middle;
        else high = middle;
      }
    }
    if (!best.exact || cheapest === Infinity) return { bound: best.bound, counts: undefined };
    const least = new Float64Array(R);
    for (let r = 0; r < R; r++) {
      regional.solve(model, r, index.local[model * R + r], tokenUsd, gpuUsd, r * K, Infinity);
      least[r] = regional.cost;
    }
    for (let slack = cheapest / 16; ; slack *= 2) {
      const found = planWithin(model, gpuUsd, tokenUsd, required, least, slack);
      if (found === 'too many') return { bound: best.bound, counts: undefined };
      if (found === 'all of them') return { bound: Infinity, counts: undefined };
      if (found !== undefined) return { bound: found.usd, counts: found.counts };
    }
  };

  /**
   * Ways to serve a region whose reduced cost is within `slack` of the least; `complete` if none
   * was left out for its cost.
   */
  function optionsOf(
    model: number,
    r: number,
    gpuUsd: Float64Array,
    tokenUsd: number,
    least: number,
    slack: number,
  ): { options: Options; complete: boolean } | undefined {
    const need = index.local[model * R + r];
    const first = (model * R + r) * K;
    const usdOf = (k: number, count: number): number => {
      const p = model * K + k;
      const held = current[first + k];
      return (count - held) * (count <= held ? belowUsd[p] : aboveUsd[p]) + count * gpuUsd[r * K + k] * gpus[p];
    };
    // Least reduced cost of the SKUs from k on, without the local need, and most that they carry.
    const rest = new Float64Array(K + 1);
    const carry = new Float64Array(K + 1);
    for (let k = 0; k < K; k++) if (upper[first + k] - lower[first + k] > MOST_COUNTS) return undefined;
    for (let k = K - 1; k >= 0; k--) {
      const tokens = capacity[model * K + k];
      let lowest = Infinity;
      for (let count = lower[first + k]; count <= upper[first + k]; count++)
        lowest = Math.min(lowest, usdOf(k, count) - tokenUsd * tokens * count);
      rest[k] = rest[k + 1] + lowest;
      carry[k] = carry[k + 1] + tokens * upper[first + k];
    }
    const limit = least + slack + 1e-9 * Math.abs(least);
    const found: { tokens: number; usd: number; counts: number[] }[] = [];
    const counts: number[] = new Array<number>(K).fill(0);
    let complete = true;
    let visits = 0;
    const visit = (k: number, tokens: number, usd: number): boolean => {
      if (++visits > MOST_VISITS) return false;
      if (tokens + carry[k] < need) return true;
      if (usd - tokenUsd * tokens + rest[k] > limit) {
        complete = false;
        return true;
      }
      if (k === K) {
        if (found.length >= MOST_OPTIONS) return false;
        found.push({ tokens, usd, counts: [...counts] });
        return true;
      }
      const each = capacity[model * K + k];
      for (let count = lower[first + k]; count <= upper[first + k]; count++) {
        counts[k] = count;
        if (!visit(k + 1, tokens + count * each, usd + usdOf(k, count))) return false;
      }
      counts[k] = 0;
      return true;
    };
    if (!visit(0, 0, 0)) return undefined;
    found.sort((a, b) => b.tokens - a.tokens || a.usd - b.usd);
    const front: typeof found = [];
    let cheapest = Infinity;
    for (const option of found) {
      if (option.usd >= cheapest) continue;
      cheapest = option.usd;
      front.push(option);
    }
    return {
      options: {
        tokens: Float64Array.from(front, (x) => x.tokens),
        usd: Float64Array.from(front, (x) => x.usd),
        counts: Int32Array.from(front.flatMap((x) => x.counts)),
      },
      complete,
    };
  }

  function planWithin(
    model: number,
    gpuUsd: Float64Array,
    tokenUsd: number,
    required: number,
    least: Float64Array,
    slack: number,
  ): { usd: number; counts: Float64Array } | 'too many' | 'all of them' | undefined {
    const options: Options[] = [];
    let complete = true;
    for (let r = 0; r < R; r++) {
      const some = optionsOf(model, r, gpuUsd, tokenUsd, least[r], slack);
      if (some === undefined) return 'too many';
      options.push(some.options);
      complete &&= some.complete;
    }
    let localRest = 0;
    let leastRest = 0;
    for (let r = 0; r < R; r++) {
      localRest += index.local[model * R + r];
      leastRest += least[r];
    }
    const limit = leastRest + tokenUsd * required + slack;
    // Stages of undominated states, the most capable first.
    let states: States = {
      tokens: new Float64Array([0]),
      usd: new Float64Array([0]),
      parent: new Int32Array([0]),
      option: new Int32Array([0]),
      length: 1,
    };
    const stages: { parent: Int32Array; option: Int32Array }[] = [];
    for (let r = 0; r < R; r++) {
      localRest -= index.local[model * R + r];
      leastRest -= least[r];
      const enough = required - localRest;
      const next = options[r];
      let merged = empty(0);
      for (let o = 0; o < next.usd.length; o++) {
        // Every state with this option, in the order of the states, merged into what other options
        // gave.
        const into = empty(merged.length + states.length);
        let cheapest = Infinity;
        let n = 0;
        let [i, j] = [0, 0];
        for (;;) {
          const fromMerged = i < merged.length ? merged.tokens[i] : -1;
          const raw = j < states.length ? Math.min(states.tokens[j] + next.tokens[o], Math.max(enough, 0)) : -1;
          if (fromMerged === -1 && raw === -1) break;
          if (fromMerged > raw || (fromMerged === raw && merged.usd[i] <= states.usd[j] + next.usd[o])) {
            if (merged.usd[i] < cheapest) {
              cheapest = merged.usd[i]!;
              into.tokens[n] = fromMerged;
              into.usd[n] = cheapest;
              into.parent[n] = merged.parent[i]!;
              into.option[n] = merged.option[i]!;
              n++;
            }
            i++;
          } else {
            const usd = states.usd[j] + next.usd[o];
            if (usd < cheapest) {
              if (usd - tokenUsd * raw + leastRest + tokenUsd * required <= limit + 1e-9 * Math.abs(limit)) {
                cheapest = usd;
                into.tokens[n] = raw;
                into.usd[n] = usd;
                into.parent[n] = j;
                into.option[n] = o;
                n++;
              } else complete = false;
            }
            j++;
          }
        }
        into.length = n;
        merged = into;
        if (n > MOST_STATES) return 'too many';
      }
      if (merged.length === 0) return complete ? 'all of them' : undefined;
      stages.push({ parent: merged.parent, option: merged.option });
      states = merged;
    }
    // The first state carries most; the cheapest of those that carry enough is the last of them.
    let at = -1;
    for (let s = 0; s < states.length && states.tokens[s] >= required; s++) at = s;
    if (at === -1) return complete ? 'all of them' : undefined;
    const usd = states.usd[at];
    if (usd > limit + 1e-9 * Math.abs(limit) && !complete) return undefined;
    const counts = new Float64Array(R * K);
    for (let r = R - 1; r >= 0; r--) {
      const o = stages[r].option[at];
      for (let k = 0; k < K; k++) counts[r * K + k] = options[r].counts[o * K + k]!;
      at = stages[r].parent[at]!;
    }
    return { usd, counts };
  }

  function empty(size: number): States {
    return {
      tokens: new Float64Array(size),
      usd: new Float64Array(size),
      parent: new Int32Array(size),
      option: new Int32Array(size),
      length: size,
    };
  }
}
