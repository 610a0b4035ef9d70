import { minOf, WORKLOAD_TIERS } from '@sageserve/core';
import { slowIterations } from './iteration-runs.js';
import { FIRST_TOKEN_AT, type RequestTable, SLOW, TIER } from './request-table.js';

const TIERS = WORKLOAD_TIERS.length;

/**
 * Counts the tokens of each request that came later after the one before than its tier allows: the
 * iterations of its instance that were slow while it decoded. Exact, but that a wait between two of
 * its tokens counts as one late token whatever it was.
 */
export class LateTokens {
  readonly #limitMs: Float64Array;
  /** The shortest limit: most iterations are within it. */
  readonly #leastMs: number;
  /** Slow iterations of each instance by tier. */
  readonly #slow: Float64Array;
  readonly #requests: RequestTable;

  /** Limits by tier (ms), `Infinity` for none. */
  constructor(instances: number, limitMs: Float64Array, requests: RequestTable) {
    this.#limitMs = limitMs;
    this.#leastMs = minOf(limitMs);
    this.#slow = new Float64Array(instances * TIERS);
    this.#requests = requests;
  }

  /** An instance is a new one. */
  install(instance: number): void {
    this.#slow.fill(0, instance * TIERS, (instance + 1) * TIERS);
  }

  /**
   * An instance has done `steps` iterations, each of which took `slope` more than the one before.
   */
  count(instance: number, steps: number, first: number, slope: number): void {
    if (Math.max(first, first + (steps - 1) * slope) <= this.#leastMs) return;
    for (let tier = 0; tier < TIERS; tier++)
      this.#slow[instance * TIERS + tier] += slowIterations(steps, first, slope, this.#limitMs[tier]);
  }

  /** A prompt is done: what is slow from now on delays its request's tokens. */
  start(instance: number, slot: number): void {
    const { doubles } = this.#requests;
    const count = this.#of(instance, slot);
    // One that was put back has waited for this token: late, whatever the iterations were.
    doubles[slot + SLOW] = doubles[slot + FIRST_TOKEN_AT] >= 0 ? count - doubles[slot + SLOW] - 1 : count;
  }

  /** However many slow iterations a request has waited for, it is one token that is late. */
  waited(instance: number, slot: number): void {
    const { doubles } = this.#requests;
    const count = this.#of(instance, slot);
    if (count > doubles[slot + SLOW]) doubles[slot + SLOW] = count - 1;
  }

  /** A request decodes no longer: what is kept of it is how many of its tokens came late. */
  end(instance: number, slot: number): void {
    const { doubles } = this.#requests;
    doubles[slot + SLOW] = this.#of(instance, slot) - doubles[slot + SLOW];
  }

  #of(instance: number, slot: number): number {
    return this.#slow[instance * TIERS + this.#requests.ints[slot + TIER]];
  }
}
