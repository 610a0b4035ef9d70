import type { PlacementTask } from '../task.js';
import type { CoverIndex } from './prices.js';

/**
 * Capacity of a plan under change beyond what its covers need, and the price of what they lack. All
 * in micro-tokens/s.
 */
export class CoverSlack {
  readonly #task: PlacementTask;
  readonly #index: CoverIndex;
  /** By model × region: capacity beyond what the region must have. */
  readonly #local: Float64Array;
  readonly #joint: Float64Array;
  /** Where nothing may be missing: a price on each token/s that is, and one on that anything is. */
  readonly #strictUsd: number | undefined;
  readonly #brokenUsd: number;

  /**
   * Of a plan that holds nothing. `elastic` prices shortages as the task says; otherwise each costs
   * more than `dearestUsd`, an instance, could save.
   */
  constructor(task: PlacementTask, index: CoverIndex, elastic: boolean, dearestUsd: number) {
    this.#task = task;
    this.#index = index;
    this.#local = index.local.map((x) => -x);
    this.#joint = Float64Array.from(task.covers, (cover) => -cover.required);
    this.#strictUsd = elastic ? undefined : task.unmetUsd.fast;
    this.#brokenUsd = 8 * dearestUsd;
  }

  add(m: number, r: number, tokens: number): void {
    const R = this.#task.regions;
    this.#local[m * R + r] += tokens;
    for (const c of this.#index.joint[m]) if (this.#index.includes[c * R + r] === 1) this.#joint[c] += tokens;
  }

  /** What a model holds in a region beyond its local need; negative where it lacks. */
  local(m: number, r: number): number {
    return this.#local[m * this.#task.regions + r];
  }

  /**
   * The most that any cover lacks to which a model's capacity in a region counts; 0 or less where
   * none does.
   */
  lacking(m: number, r: number): number {
    let most = -this.local(m, r);
    for (const c of this.#index.joint[m])
      if (this.#index.includes[c * this.#task.regions + r] === 1) most = Math.max(most, -this.#joint[c]);
    return most;
  }

  /** Whether any cover of a model lacks anything. */
  short(m: number): boolean {
    const R = this.#task.regions;
    for (let r = 0; r < R; r++) if (this.#local[m * R + r] < 0) return true;
    return this.#index.joint[m].some((c) => this.#joint[c] < 0);
  }

  /** Price of all that a model lacks. */
  usd(m: number): number {
    const R = this.#task.regions;
    let usd = 0;
    for (let mr = m * R; mr < (m + 1) * R; mr++) usd += this.#localUsd(mr, this.#local[mr]);
    for (const c of this.#index.joint[m]) usd += this.#jointUsd(c, this.#joint[c]);
    return usd;
  }

  /** Change of that price when a model's capacity in a region changes by `tokens`. */
  changeUsd(m: number, r: number, tokens: number): number {
    const R = this.#task.regions;
    const mr = m * R + r;
    const local = this.#local[mr];
    let usd = local < 0 || local + tokens < 0 ? this.#localUsd(mr, local + tokens) - this.#localUsd(mr, local) : 0;
    const { includes, joint } = this.#index;
    for (const c of joint[m]) {
      if (includes[c * R + r] === 0) continue;
      const slack = this.#joint[c];
      if (slack < 0 || slack + tokens < 0) usd += this.#jointUsd(c, slack + tokens) - this.#jointUsd(c, slack);
    }
    return usd;
  }

  #localUsd(mr: number, slack: number): number {
    if (slack >= 0) return 0;
    return this.#strictUsd === undefined
      ? -slack * this.#index.localUsd[mr]
      : this.#brokenUsd - slack * this.#strictUsd;
  }

  #jointUsd(c: number, slack: number): number {
    if (slack >= 0) return 0;
    if (this.#strictUsd !== undefined) return this.#brokenUsd - slack * this.#strictUsd;
    let usd = 0;
    let missing = -slack;
    for (const { most, usdPerMicro } of this.#task.covers[c].shortage) {
      const amount = Math.min(missing, most);
      usd += amount * usdPerMicro;
      missing -= amount;
      if (missing <= 0) break;
    }
    return usd;
  }
}
