import { DDSketch } from '@datadog/sketches-js';

/** Relative error of every quantile that a {@link LatencySketch} reports unless another is asked for: 1 %. */
export const DEFAULT_RELATIVE_ACCURACY = 0.01;

/** Percentiles as reports give them. Values are in the unit that was recorded; `undefined` where nothing was. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number | undefined;
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
  readonly max: number | undefined;
}

/** Quantiles of a stream in fixed memory, with a bounded relative error: a DDSketch (Masson, Rim and Lee, VLDB 2019). */
export class LatencySketch {
  readonly #sketch: DDSketch;
  readonly #relativeAccuracy: number;

  constructor(relativeAccuracy = DEFAULT_RELATIVE_ACCURACY) {
    this.#relativeAccuracy = relativeAccuracy;
    this.#sketch = new DDSketch({ relativeAccuracy });
  }

  /** Adds one value ≥ 0. */
  record(value: number): void {
    this.#sketch.accept(value);
  }

  get count(): number {
    return this.#sketch.count;
  }

  /** The q-quantile (0–1) within the relative accuracy, never outside the recorded range; `undefined` where nothing was recorded. */
  quantile(q: number): number | undefined {
    const sketch = this.#sketch;
    if (sketch.count === 0) return undefined;
    return Math.min(sketch.max, Math.max(sketch.min, sketch.getValueAtQuantile(q)));
  }

  /** Adds everything that `other` recorded. Both must have the same accuracy. */
  merge(other: LatencySketch): void {
    if (other.#sketch.count > 0) this.#sketch.merge(other.#sketch);
  }

  /** A sketch of everything recorded in `sketches`. */
  static merged(sketches: Iterable<LatencySketch>): LatencySketch {
    let result: LatencySketch | undefined;
    for (const sketch of sketches) {
      result ??= new LatencySketch(sketch.#relativeAccuracy);
      result.merge(sketch);
    }
    return result ?? new LatencySketch();
  }

  summary(): LatencySummary {
    const { count, sum, max } = this.#sketch;
    return {
      count,
      mean: count === 0 ? undefined : sum / count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p95: this.quantile(0.95),
      p99: this.quantile(0.99),
      max: count === 0 ? undefined : max,
    };
  }
}
