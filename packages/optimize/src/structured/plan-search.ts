import type { PlacementTask } from '../task.js';
import { createModelOptimum } from './model-optimum.js';
import { CoverSlack } from './cover-slack.js';
import type { CoverIndex, Prices } from './prices.js';

/** Instances that one move may exchange for another. */
const MOST_STEPS = 3;

/**
 * A plan under change: moves of single instances, with what each costs, covers that fall short
 * priced. Never over a cap or out of bounds. Of two moves that cost the same, the one that keeps
 * more of what is there wins.
 */
export class PlanSearch {
  readonly counts: Float64Array;
  readonly #task: PlacementTask;
  readonly #index: CoverIndex;
  readonly #free: Float64Array;
  readonly #slack: CoverSlack;
  readonly #tolerance: number;

  /**
   * `counts` are changed in place and must keep within bounds. `elastic` prices shortages as the
   * task says; otherwise each costs more than any instance could save.
   */
  constructor(task: PlacementTask, index: CoverIndex, counts: Float64Array, elastic: boolean) {
    const { models: M, regions: R, skus: K, capacity, gpus } = task;
    this.#task = task;
    this.#index = index;
    this.counts = counts;
    this.#free = Float64Array.from(task.gpuCapacity);
    let largest = 0;
    for (const usd of task.aboveUsd) largest = Math.max(largest, usd);
    this.#tolerance = 1e-9 * largest;
    this.#slack = new CoverSlack(task, index, elastic, largest);
    for (let m = 0, e = 0; m < M; m++) {
      for (let r = 0; r < R; r++) {
        for (let k = 0; k < K; k++, e++) {
          this.#free[r * K + k] -= counts[e] * gpus[m * K + k];
          this.#slack.add(m, r, counts[e] * capacity[m * K + k]);
        }
      }
    }
  }

  /** Cost of the plan beside what is there now, with what is missing at its price. */
  usd(): number {
    const { models: M, regions: R, skus: K, current, belowUsd, aboveUsd } = this.#task;
    let usd = 0;
    for (let m = 0, e = 0; m < M; m++) {
      for (let r = 0; r < R; r++) {
        for (let k = 0; k < K; k++, e++) {
          const change = this.counts[e] - current[e];
          usd += change * (change < 0 ? belowUsd[m * K + k] : aboveUsd[m * K + k]);
        }
      }
      usd += this.#slack.usd(m);
    }
    return usd;
  }

  /** Whether every cover is met and every cell within its cap. */
  get complete(): boolean {
    if (!this.#free.every((free) => free >= 0)) return false;
    for (let m = 0; m < this.#task.models; m++) if (this.#slack.short(m)) return false;
    return true;
  }

  #apply(m: number, r: number, k: number, by: number): void {
    const { regions: R, skus: K, capacity, gpus } = this.#task;
    this.counts[(m * R + r) * K + k] += by;
    this.#free[r * K + k] -= by * gpus[m * K + k];
    this.#slack.add(m, r, by * capacity[m * K + k]);
  }

  #canAdd(m: number, r: number, k: number): boolean {
    const { regions: R, skus: K, capacity, gpus, upper } = this.#task;
    const e = (m * R + r) * K + k;
    return capacity[m * K + k] > 0 && this.counts[e] < upper[e] && this.#free[r * K + k] >= gpus[m * K + k];
  }

  #upUsd(m: number, e: number, k: number): number {
    const p = m * this.#task.skus + k;
    return this.counts[e] < this.#task.current[e] ? this.#task.belowUsd[p] : this.#task.aboveUsd[p];
  }

  #downUsd(m: number, e: number, k: number): number {
    const p = m * this.#task.skus + k;
    return this.counts[e] > this.#task.current[e] ? -this.#task.aboveUsd[p] : -this.#task.belowUsd[p];
  }

  /**
   * Takes instances out of cells over their cap, those first whose tokens cost least to carry
   * elsewhere. Leaves covers short.
   */
  fitGpus(prices: Prices): void {
    const { models: M, regions: R, skus: K, gpus, capacity, lower } = this.#task;
    for (let r = 0; r < R; r++) {
      for (let k = 0; k < K; k++) {
        while (this.#free[r * K + k] < 0) {
          let best = -1;
          let least = Infinity;
          for (let m = 0; m < M; m++) {
            const e = (m * R + r) * K + k;
            const used = gpus[m * K + k];
            if (this.counts[e] <= lower[e] || used === 0) continue;
            let tokenUsd = 0;
            for (const c of this.#index.joint[m])
              if (this.#index.includes[c * R + r] === 1) tokenUsd += prices.coverUsd[c];
            // What is lost locally has to be made up for by another SKU here.
            const local = this.#slack.local(m, r) < capacity[m * K + k] ? 0.3 * tokenUsd * capacity[m * K + k] : 0;
            const loss = (this.#downUsd(m, e, k) + tokenUsd * capacity[m * K + k] + local) / used;
            if (loss < least) {
              least = loss;
              best = m;
            }
          }
          if (best === -1) break;
          // Singly where it matters; in larger steps where thousands have to go.
          const many = Math.floor(-this.#free[r * K + k] / (16 * gpus[best * K + k]));
          this.#apply(
            best,
            r,
            k,
            -Math.max(1, Math.min(many, this.counts[(best * R + r) * K + k] - lower[(best * R + r) * K + k])),
          );
        }
      }
    }
  }

  /**
   * Adds what is cheapest for each token that a cover lacks, at prices that say what GPUs are worth
   * to others, until nothing helps.
   */
  fill(prices: Prices): void {
    const { models: M, regions: R, skus: K, gpus, capacity } = this.#task;
    for (let m = 0; m < M; m++) {
      for (;;) {
        let best = Infinity;
        let at = -1;
        for (let r = 0; r < R; r++) {
          for (let k = 0; k < K; k++) {
            if (!this.#canAdd(m, r, k)) continue;
            const p = m * K + k;
            const gain = -this.#slack.changeUsd(m, r, capacity[p]);
            const cost = this.#upUsd(m, (m * R + r) * K + k, k) + prices.gpuUsd[r * K + k] * gpus[p];
            if (!(gain > cost)) continue;
            const ratio = cost / gain;
            if (ratio < best) {
              best = ratio;
              at = r * K + k;
            }
          }
        }
        if (at === -1) break;
        this.#apply(m, Math.floor(at / K), at % K, this.#manyAt(m, Math.floor(at / K), at % K));
      }
    }
  }

  /**
   * How many of one kind can be added at once, each as good as the first: a sixteenth of what a
   * cover still lacks, at most.
   */
  #manyAt(m: number, r: number, k: number): number {
    const { regions: R, skus: K, capacity, gpus, upper, current } = this.#task;
    const e = (m * R + r) * K + k;
    const room = gpus[m * K + k] > 0 ? Math.floor(this.#free[r * K + k] / gpus[m * K + k]) : Infinity;
    const most = (this.counts[e] < current[e] ? current[e] : upper[e]) - this.counts[e];
    return Math.max(1, Math.min(Math.floor(this.#slack.lacking(m, r) / capacity[m * K + k] / 16), room, most));
  }

  /** Makes room in full cells for models that fall short, by moving others out of them. */
  makeRoom(): void {
    const { models: M, regions: R, skus: K } = this.#task;
    for (let m = 0; m < M; m++) {
      for (let again = true; again && this.#slack.short(m);) {
        again = false;
        for (let r = 0; r < R && this.#slack.short(m); r++)
          for (let k = 0; k < K; k++) if (this.#evictFor(m, r, k)) again = true;
      }
    }
  }

  /**
   * One more of `m` in a full cell, what it makes superfluous gone, and another model out of the
   * cell; undone unless it pays.
   */
  #evictFor(m: number, r: number, k: number): boolean {
    const { models: M, regions: R, skus: K, gpus, capacity, upper, lower } = this.#task;
    const e = (m * R + r) * K + k;
    const need = gpus[m * K + k];
    const lacking = need - this.#free[r * K + k];
    if (capacity[m * K + k] === 0 || this.counts[e] >= upper[e] || lacking <= 0) return false;
    let gained = this.#slack.changeUsd(m, r, capacity[m * K + k]) + this.#upUsd(m, e, k);
    this.#apply(m, r, k, 1);
    let removed = 0;
    for (; removed < MOST_STEPS; removed++) {
      const next = this.#bestRemoval(m, e);
      if (next === -1 || this.#nextUsd >= -this.#tolerance) break;
      gained += this.#nextUsd;
      this.#apply(m, Math.floor(next / K) % R, next % K, -1);
      this.#log[removed] = next;
    }
    if (gained < -this.#tolerance) {
      for (let other = 0; other < M; other++) {
        const from = (other * R + r) * K + k;
        const each = gpus[other * K + k];
        if (other === m || each === 0) continue;
        const out = Math.ceil(lacking / each);
        if (out > MOST_STEPS || this.counts[from] - out < lower[from]) continue;
        let usd = gained;
        for (let n = 0; n < out; n++) {
          usd += this.#downUsd(other, from, k) + this.#slack.changeUsd(other, r, -capacity[other * K + k]);
          this.#apply(other, r, k, -1);
        }
        let added = 0;
        while (usd >= -this.#tolerance && added < MOST_STEPS) {
          const next = this.#bestAddition(other, from);
          if (next === -1) break;
          usd += this.#nextUsd;
          this.#apply(other, Math.floor(next / K) % R, next % K, 1);
          this.#log[MOST_STEPS + added++] = next;
        }
        if (usd < -this.#tolerance) return true;
        for (let at = MOST_STEPS + added - 1; at >= MOST_STEPS; at--)
          this.#apply(other, Math.floor(this.#log[at] / K) % R, this.#log[at] % K, -1);
        for (let n = 0; n < out; n++) this.#apply(other, r, k, 1);
      }
    }
    for (let at = removed - 1; at >= 0; at--) this.#apply(m, Math.floor(this.#log[at] / K) % R, this.#log[at] % K, 1);
    this.#apply(m, r, k, -1);
    return false;
  }

  /**
   * Plans each model anew with what the others leave, exactly where that is possible. Says whether
   * anything changed.
   */
  replan(): boolean {
    const { models: M, regions: R, skus: K, gpus, upper } = this.#task;
    const roomy = Float64Array.from(upper);
    const optimum = createModelOptimum({ ...this.#task, upper: roomy }, this.#index);
    const free = new Float64Array(R * K);
    let changed = false;
    for (let m = 0; m < M; m++) {
      const first = m * R * K;
      let now = 0;
      for (let at = 0; at < R * K; at++) {
        const p = m * K + (at % K);
        const count = this.counts[first + at];
        now +=
          (count - this.#task.current[first + at]) *
          (count < this.#task.current[first + at] ? this.#task.belowUsd[p] : this.#task.aboveUsd[p]);
        if (gpus[p] > 0) roomy[first + at] = Math.min(upper[first + at], count + Math.floor(this.#free[at] / gpus[p]));
      }
      const { bound, counts } = optimum(m, free);
      if (counts === undefined || !(bound < now - this.#tolerance)) continue;
      for (let at = 0; at < R * K; at++)
        if (counts[at] !== this.counts[first + at])
          this.#apply(m, Math.floor(at / K), at % K, counts[at] - this.counts[first + at]);
      changed = true;
    }
    return changed;
  }

  /** Lets models change places in full cells wherever that pays. Says whether anything changed. */
  trade(stop: () => boolean = () => false): boolean {
    const { models: M, regions: R, skus: K } = this.#task;
    let changed = false;
    for (let m = 0; m < M; m++)
      for (let r = 0; r < R; r++) for (let k = 0; k < K; k++) while (!stop() && this.#evictFor(m, r, k)) changed = true;
    return changed;
  }

  /**
   * Local search until no move of the neighbourhood pays, or for at most `passes` rounds. A move
   * takes one instance of a model away and puts up to three where that costs least, or adds one and
   * takes up to three away. Says whether anything changed.
   */
  descend(passes: number, stop: () => boolean = () => false): boolean {
    const { models: M, regions: R, skus: K, lower } = this.#task;
    const idle = new Uint8Array(M);
    let changed = false;
    for (let pass = 0; pass < passes; pass++) {
      let moved = false;
      for (let m = 0; m < M; m++) {
        if (stop()) return changed || moved;
        if (idle[m] === 1) continue;
        let movedHere = false;
        for (let r = 0; r < R; r++) {
          for (let k = 0; k < K; k++) {
            const e = (m * R + r) * K + k;
            while (this.counts[e] > lower[e] && !stop() && this.#exchange(m, r, k, -1)) movedHere = true;
            while (this.#canAdd(m, r, k) && !stop() && this.#exchange(m, r, k, 1)) movedHere = true;
          }
        }
        // Without caps a model that is done stays done; with them another may make room.
        if (!movedHere) idle[m] = 1;
        else moved = true;
      }
      if (!moved) break;
      changed = true;
      if (this.#task.gpuCapacity.some((cap) => cap < Infinity)) idle.fill(0);
    }
    return changed;
  }

  readonly #log = new Int32Array(2 * MOST_STEPS);

  /** One instance more or fewer, and what goes best with it; undone unless it pays. */
  #exchange(m: number, r: number, k: number, by: 1 | -1): boolean {
    const { regions: R, skus: K, capacity } = this.#task;
    const first = (m * R + r) * K + k;
    const tokens = by * capacity[m * K + k];
    let usd = this.#slack.changeUsd(m, r, tokens) + (by === 1 ? this.#upUsd(m, first, k) : this.#downUsd(m, first, k));
    let kept = by === 1 ? this.#keptUp(first) : this.#keptDown(first);
    this.#apply(m, r, k, by);
    let steps = 0;
    while (!this.#pays(usd, kept) && steps < MOST_STEPS) {
      const next = by === 1 ? this.#bestRemoval(m, first) : this.#bestAddition(m, first);
      if (next === -1) break;
      const nr = Math.floor(next / K) % R;
      const nk = next % K;
      usd += this.#nextUsd;
      kept += by === 1 ? this.#keptDown(next) : this.#keptUp(next);
      this.#apply(m, nr, nk, -by);
      this.#log[steps++] = next;
    }
    if (this.#pays(usd, kept)) return true;
    for (let at = steps - 1; at >= 0; at--) this.#apply(m, Math.floor(this.#log[at] / K) % R, this.#log[at] % K, by);
    this.#apply(m, r, k, -by);
    return false;
  }

  #pays(usd: number, kept: number): boolean {
    return usd < -this.#tolerance || (usd <= this.#tolerance && kept > 0);
  }

  #nextUsd = 0;

  /** The instance whose removal saves most, or costs nothing and keeps more of what is there. */
  #bestRemoval(m: number, not: number): number {
    const { regions: R, skus: K, capacity, lower } = this.#task;
    let best = this.#tolerance;
    let bestKept = 0;
    let at = -1;
    for (let r = 0, e = m * R * K; r < R; r++) {
      for (let k = 0; k < K; k++, e++) {
        if (e === not || this.counts[e] <= lower[e]) continue;
        const saved = this.#downUsd(m, e, k);
        if (saved > best) continue;
        const usd = saved + this.#slack.changeUsd(m, r, -capacity[m * K + k]);
        const kept = this.#keptDown(e);
        if (usd < best - this.#tolerance || (usd <= best + this.#tolerance && kept > bestKept)) {
          best = usd;
          bestKept = kept;
          at = e;
        }
      }
    }
    this.#nextUsd = best;
    return at;
  }

  /** The instance whose start mends most for its cost. */
  #bestAddition(m: number, not: number): number {
    const { regions: R, skus: K, capacity } = this.#task;
    let best = -this.#tolerance;
    let bestKept = 0;
    let at = -1;
    for (let r = 0, e = m * R * K; r < R; r++) {
      for (let k = 0; k < K; k++, e++) {
        if (e === not || !this.#canAdd(m, r, k)) continue;
        const usd = this.#upUsd(m, e, k) + this.#slack.changeUsd(m, r, capacity[m * K + k]);
        const kept = this.#keptUp(e);
        if (usd < best - this.#tolerance || (at !== -1 && usd <= best + this.#tolerance && kept > bestKept)) {
          best = usd;
          bestKept = kept;
          at = e;
        }
      }
    }
    this.#nextUsd = best;
    return at;
  }

  #keptUp(e: number): number {
    return this.counts[e] < this.#task.current[e] ? 1 : -1;
  }

  #keptDown(e: number): number {
    return this.counts[e] > this.#task.current[e] ? 1 : -1;
  }
}
