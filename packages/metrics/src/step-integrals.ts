/**
 * Exact integrals over time of quantities that change in steps, such as the number of ready
 * instances: no sampling, no buckets. Values are in the quantity's unit × milliseconds.
 */
export class StepIntegrals {
  readonly #levels: Float64Array;
  readonly #integrals: Float64Array;
  readonly #changedAtMs: Float64Array;

  constructor(count: number, startMs = 0) {
    this.#levels = new Float64Array(count);
    this.#integrals = new Float64Array(count);
    this.#changedAtMs = new Float64Array(count).fill(startMs);
  }

  /** Raises quantity `index` by `delta` (lowers it where negative) from `nowMs` on. */
  add(index: number, delta: number, nowMs: number): void {
    this.#integrals[index]! += this.#levels[index]! * (nowMs - this.#changedAtMs[index]!);
    this.#changedAtMs[index] = nowMs;
    this.#levels[index]! += delta;
  }

  level(index: number): number {
    return this.#levels[index]!;
  }

  /** The integral from the start to `nowMs`. */
  integral(index: number, nowMs: number): number {
    return this.#integrals[index]! + this.#levels[index]! * (nowMs - this.#changedAtMs[index]!);
  }
}
