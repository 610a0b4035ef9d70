import { ConfigError, DEFAULT_DEMAND_STEP_MS, type DemandKey, type DemandSeries } from '@sageserve/core';

export interface DemandRecorderOptions {
  /** Length of a bucket; 10 minutes by default. */
  readonly stepMs?: number;
  /** Buckets that are kept, the newest; two weeks of ten-minute ones (2,016) by default. */
  readonly capacity?: number;
  /**
   * Time between two calls of `observedUntil` over which the host counts as having been away; two
   * buckets by default.
   */
  readonly maxSilenceMs?: number;
}

/** What came and is in no bucket. */
export interface DemandLoss {
  /** Requests that came for a bucket which had already left the ring. */
  readonly tooLate: number;
  /** Requests with a time far ahead of the host's own, which are taken to be mistaken. */
  readonly tooEarly: number;
  /**
   * Times at which the clock went back by more than the host may be silent; where by more than the
   * ring holds, the ring began anew.
   */
  readonly clockResets: number;
}

const DEFAULT_CAPACITY = 2_016;
/** Share of a bucket that must have been watched for its rate to be known. */
const LEAST_WATCHED = 0.05;

/**
 * Demand of one series in a ring of buckets of equal length, aligned to multiples of the step, in
 * memory that does not grow. A host calls `record` for each request, in any order, and
 * `observedUntil` at least every few minutes. The simulator fills one for each model and region.
 *
 * - A bucket's rate is what came ÷ the time for which it was watched. A quiet one is 0; one that
 *   was hardly watched, before the start or while the host was away, is NaN.
 * - Late requests go to their bucket as long as the ring holds it, and are counted as lost after
 *   that; so are those from the future.
 * - A clock that jumps forward leaves a gap, not zeros. One that steps back adds to earlier buckets
 *   and watches nothing twice; one that goes back further begins a new watch.
 * - The bucket in progress is left out, unless it is the only one: a minute of history is better
 *   than none.
 */
export class DemandRecorder {
  readonly key: DemandKey;
  readonly stepMs: number;
  readonly capacity: number;
  readonly #maxSilenceMs: number;
  readonly #prompt: Float64Array;
  readonly #output: Float64Array;
  readonly #requests: Float64Array;
  readonly #watchedMs: Float64Array;
  /**
   * Bucket after the newest that the ring has opened, in steps from the epoch; undefined before
   * anything came.
   */
  #end: number | undefined;
  /** Time up to which the host watched. */
  #seenMs: number | undefined;
  #tooLate = 0;
  #tooEarly = 0;
  #clockResets = 0;

  /** Throws `ConfigError` for a step or capacity that is not a whole number above 0. */
  constructor(key: DemandKey, options: DemandRecorderOptions = {}) {
    const { stepMs = DEFAULT_DEMAND_STEP_MS, capacity = DEFAULT_CAPACITY, maxSilenceMs = 2 * stepMs } = options;
    for (const [name, value] of Object.entries({ stepMs, capacity }))
      if (!Number.isInteger(value) || value < 1)
        throw new ConfigError(name, `must be a whole number of 1 or more, not ${value}`);
    if (!(maxSilenceMs > 0)) throw new ConfigError('maxSilenceMs', `must be above 0, not ${maxSilenceMs}`);
    this.key = key;
    this.stepMs = stepMs;
    this.capacity = capacity;
    this.#maxSilenceMs = maxSilenceMs;
    this.#prompt = new Float64Array(capacity);
    this.#output = new Float64Array(capacity);
    this.#requests = new Float64Array(capacity);
    this.#watchedMs = new Float64Array(capacity);
  }

  get loss(): DemandLoss {
    return { tooLate: this.#tooLate, tooEarly: this.#tooEarly, clockResets: this.#clockResets };
  }

  /**
   * Counts a request that arrived at `atMs`. Throws `ConfigError` for a time or a count that is not
   * a finite number of 0 or more.
   */
  record(atMs: number, promptTokens: number, outputTokens: number, requests = 1): void {
    if (!Number.isFinite(atMs)) throw new ConfigError('atMs', `must be a finite number, not ${atMs}`);
    if (!(promptTokens >= 0 && outputTokens >= 0 && requests >= 0 && promptTokens + outputTokens + requests < Infinity))
      throw new ConfigError(
        'tokens',
        `must be finite numbers of 0 or more, not ${promptTokens} and ${outputTokens} tokens of ${requests} requests`,
      );
    if (this.#seenMs !== undefined && atMs > this.#seenMs + this.#maxSilenceMs + this.stepMs) {
      this.#tooEarly += requests;
      return;
    }
    const bucket = Math.floor(atMs / this.stepMs);
    const end = this.#open(bucket);
    if (bucket < end - this.capacity) {
      this.#tooLate += requests;
      return;
    }
    const at = this.#slot(bucket);
    this.#prompt[at]! += promptTokens;
    this.#output[at]! += outputTokens;
    this.#requests[at]! += requests;
  }

  /** The host has been watching up to `nowMs`. The first call is where it begins. */
  observedUntil(nowMs: number): void {
    if (!Number.isFinite(nowMs)) throw new ConfigError('nowMs', `must be a finite number, not ${nowMs}`);
    const seen = this.#seenMs;
    if (seen !== undefined && nowMs < seen - this.#maxSilenceMs) {
      this.#clockResets++;
      if (nowMs < seen - this.capacity * this.stepMs) this.#end = undefined;
      this.#begin(nowMs);
      return;
    }
    if (seen !== undefined && nowMs <= seen) return;
    if (seen === undefined || nowMs - seen > this.#maxSilenceMs) {
      // What came while nobody watched belongs to no known time: the bucket in which the watch
      // ended is not known as a whole.
      if (seen !== undefined) this.#forget(Math.floor(seen / this.stepMs));
      this.#begin(nowMs);
      return;
    }
    this.#seenMs = nowMs;
    const last = Math.ceil(nowMs / this.stepMs) - 1;
    const end = this.#open(last);
    for (let bucket = Math.max(Math.floor(seen / this.stepMs), end - this.capacity); bucket <= last; bucket++) {
      const from = Math.max(seen, bucket * this.stepMs);
      const to = Math.min(nowMs, (bucket + 1) * this.stepMs);
      if (to > from) this.#watchedMs[this.#slot(bucket)]! += to - from;
    }
  }

  /**
   * Buckets from `sinceMs` on that are over by `nowMs`, in tokens and requests per second; all of
   * which anything is known by default. Copies: the ring goes on.
   */
  series(nowMs: number, sinceMs = -Infinity): DemandSeries {
    if (!Number.isFinite(nowMs)) throw new ConfigError('nowMs', `must be a finite number, not ${nowMs}`);
    const end = Math.floor(nowMs / this.stepMs);
    const first = this.#firstKnown();
    // No longer than the ring, however long ago it was filled.
    let start = first === undefined ? end : Math.min(end, Math.max(first, end - this.capacity));
    let until = end;
    if (sinceMs > -Infinity) start = Math.min(end, Math.max(start, Math.ceil(sinceMs / this.stepMs)));
    else if (first === end) until = end + 1;
    const read = (column: Float64Array): Float64Array =>
      Float64Array.from({ length: until - start }, (_, i) => {
        const bucket = start + i;
        if (!this.#holds(bucket)) return NaN;
        const at = this.#slot(bucket);
        const watchedMs = this.#watchedMs[at]!;
        return watchedMs >= LEAST_WATCHED * this.stepMs ? (column[at]! * 1_000) / watchedMs : NaN;
      });
    return {
      key: this.key,
      startMs: start * this.stepMs,
      stepMs: this.stepMs,
      promptTokensPerS: read(this.#prompt),
      outputTokensPerS: read(this.#output),
      requestsPerS: read(this.#requests),
    };
  }

  /** The watch begins at `nowMs`; what its bucket has counted before does not count. */
  #begin(nowMs: number): void {
    this.#seenMs = nowMs;
    this.#forget(Math.floor(nowMs / this.stepMs));
  }

  #forget(bucket: number): void {
    if (!this.#holds(bucket)) return;
    const at = this.#slot(bucket);
    this.#prompt[at] = 0;
    this.#output[at] = 0;
    this.#requests[at] = 0;
    this.#watchedMs[at] = 0;
  }

  #holds(bucket: number): boolean {
    return this.#end !== undefined && bucket < this.#end && bucket >= this.#end - this.capacity;
  }

  #firstKnown(): number | undefined {
    if (this.#end === undefined) return undefined;
    for (let bucket = this.#end - this.capacity; bucket < this.#end; bucket++)
      if (this.#watchedMs[this.#slot(bucket)]! >= LEAST_WATCHED * this.stepMs) return bucket;
    return undefined;
  }

  #slot(bucket: number): number {
    return ((bucket % this.capacity) + this.capacity) % this.capacity;
  }

  /** Makes sure that the ring reaches `bucket`; what opens is empty. Returns the ring's end. */
  #open(bucket: number): number {
    if (this.#end !== undefined && bucket < this.#end) return this.#end;
    for (let b = Math.max(this.#end ?? -Infinity, bucket + 1 - this.capacity); b <= bucket; b++) {
      const at = this.#slot(b);
      this.#prompt[at] = 0;
      this.#output[at] = 0;
      this.#requests[at] = 0;
      this.#watchedMs[at] = 0;
    }
    this.#end = bucket + 1;
    return this.#end;
  }
}
