import { power } from '@sageserve/core';
import { DDSketch } from '@datadog/sketches-js';

/** Largest relative error of the quantiles that a {@link LatencySketch} reports: 1 %. */
export const RELATIVE_ACCURACY = 0.01;

/** What the bins leave of it to the sketch: (1 + 2⁻⁷) · (1 + 0.002) < 1.01. */
const SKETCH_ACCURACY = 0.002;
/**
 * Bins per doubling, as a power of two: each is 1/64 wide, so that its middle is off by 2⁻⁷ at
 * most.
 */
const BIN_BITS = 6;
/**
 * Powers of two that have bins; what lies outside goes to the sketch at once. In milliseconds, from
 * a microsecond to 99 days.
 */
const LOWEST_EXPONENT = -10;
const HIGHEST_EXPONENT = 33;
/** Position of a value's bin within its high word: exponent and leading bits of the fraction. */
const MIDDLE = 1 + 1 / (2 << BIN_BITS);
const SHIFT = 20 - BIN_BITS;
const BASE = (LOWEST_EXPONENT + 1_023) << BIN_BITS;
const BINS = (HIGHEST_EXPONENT - LOWEST_EXPONENT) << BIN_BITS;
/** A bin that has counted so many is emptied: the most that its 32 bits hold. */
const FULL = 0xffffffff;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** Which of the two words holds sign and exponent: the second, but for big-endian machines. */
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/**
 * A sketch that gives the same bits in every version of Node: the library takes the middle of a bin
 * by `Math.pow`, which does not.
 */
function createSketch(): DDSketch {
  const sketch = new DDSketch({ relativeAccuracy: SKETCH_ACCURACY });
  const { mapping } = sketch;
  const { gamma } = mapping;
  const binsPerDoubling = (1 / Math.log1p((2 * SKETCH_ACCURACY) / (1 - SKETCH_ACCURACY))) * Math.LN2;
  mapping.value = (key) => power(2, key / binsPerDoubling) * (2 / (1 + gamma));
  return sketch;
}

/**
 * Percentiles as reports give them. Values are in the unit that was recorded; `undefined` where
 * nothing was.
 */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number | undefined;
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
  readonly max: number | undefined;
}

/**
 * Quantiles of a stream in fixed memory (11 kB and the sketch), with a bounded relative error: a
 * DDSketch (Masson, Rim and Lee, VLDB 2019) behind an array of narrow bins. A value costs one
 * increment; the bins are handed to the sketch when it is read. Recording is in the simulator's hot
 * path.
 */
export class LatencySketch {
  /** Of what is in no bin, and of all once it has been read; there is none before. */
  #sketch: DDSketch | undefined;
  readonly #bins = new Uint32Array(BINS);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  /** Adds one finite value ≥ 0. */
  record(value: number): void {
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    float[0] = value;
    const bin = (words[HIGH]! >>> SHIFT) - BASE;
    if (bin < 0 || bin >= BINS || ++this.#bins[bin]! === FULL) this.#spill(bin, value);
  }

  get count(): number {
    return this.#count;
  }

  /**
   * The q-quantile (0–1) within {@link RELATIVE_ACCURACY}, never outside the recorded range;
   * `undefined` where nothing was recorded.
   */
  quantile(q: number): number | undefined {
    if (this.#count === 0) return undefined;
    return Math.min(this.#max, Math.max(this.#min, this.#flush().getValueAtQuantile(q)));
  }

  /** Adds everything that `other` recorded, and leaves it as it is. */
  merge(other: LatencySketch): void {
    if (other.#count === 0) return;
    for (let bin = 0; bin < BINS; bin++) {
      const count = other.#bins[bin]!;
      if (count === 0) continue;
      if (this.#bins[bin]! + count >= FULL) this.#flush();
      this.#bins[bin]! += count;
    }
    if (other.#sketch !== undefined) (this.#sketch ??= createSketch()).merge(other.#sketch);
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** A sketch of everything recorded in `sketches`. */
  static merged(sketches: Iterable<LatencySketch>): LatencySketch {
    const result = new LatencySketch();
    for (const sketch of sketches) result.merge(sketch);
    return result;
  }

  summary(): LatencySummary {
    return {
      count: this.#count,
      mean: this.#count === 0 ? undefined : this.#sum / this.#count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p95: this.quantile(0.95),
      p99: this.quantile(0.99),
      max: this.#count === 0 ? undefined : this.#max,
    };
  }

  #spill(bin: number, value: number): void {
    if (bin >= 0 && bin < BINS) this.#flush();
    else (this.#sketch ??= createSketch()).accept(value);
  }

  /** Hands the bins to the sketch. */
  #flush(): DDSketch {
    const bins = this.#bins;
    const sketch = (this.#sketch ??= createSketch());
    for (let bin = 0; bin < BINS; bin++) {
      const count = bins[bin]!;
      if (count === 0) continue;
      bins[bin] = 0;
      words[HIGH] = (bin + BASE) << SHIFT;
      words[1 - HIGH] = 0;
      sketch.accept(float[0]! * MIDDLE, count);
    }
    return sketch;
  }
}
