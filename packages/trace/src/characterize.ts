import { MS_PER_DAY, MS_PER_WEEK, square, WORKLOAD_TIERS } from '@sageserve/core';
import type { TraceStream } from './request-batch.js';

/** Tokens of a group of requests; `undefined` where there are none. */
export interface TokenSummary {
  readonly mean: number;
  readonly p5: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** What a group of requests looks like. */
export interface TrafficSummary {
  readonly requests: number;
  readonly share: number;
  readonly requestsPerS: number;
  /**
   * Highest ÷ lowest count of a full bin; `undefined` where the lowest is 0 or there are fewer than
   * two full bins.
   */
  readonly peakToTrough: number | undefined;
  /** Standard deviation ÷ mean of the gaps between arrivals; 1 for a Poisson process. */
  readonly gapCv: number | undefined;
  readonly promptTokens: TokenSummary;
  readonly outputTokens: TokenSummary;
  /**
   * Correlation of the binned rate with itself a day and a week later; `undefined` where the trace
   * is under two of them long.
   */
  readonly dailyAutocorrelation: number | undefined;
  readonly weeklyAutocorrelation: number | undefined;
  /** Requests by bin of `binMs`. */
  readonly bins: readonly number[];
}

export interface TraceSummary {
  readonly durationMs: number;
  readonly startEpochMs: number | undefined;
  readonly binMs: number;
  readonly total: TrafficSummary;
  readonly byTier: Readonly<Record<string, TrafficSummary>>;
  readonly byRegion: Readonly<Record<string, TrafficSummary>>;
  readonly byModel: Readonly<Record<string, TrafficSummary>>;
}

/** Bins of 10 minutes where the trace lasts hours, finer ones for shorter traces. */
const FINEST_BIN_MS = 10_000;
/**
 * Bins of a group at most: 30 days at the finest. For longer traces they are made coarser, two into
 * one.
 */
const MAX_BINS = 1 << 18;
/**
 * Bins of all groups together at most: hundreds of models over a year are counted more coarsely
 * than one.
 */
const MOST_CELLS = 1 << 23;
/** A group begins with so many bins. */
const FIRST_BINS = 16;
const COARSE_MS = 600_000;
/** A trace that is shorter, a nanosecond, has no rate. */
const SHORTEST_MS = 1e-6;

/**
 * Describes a trace in one pass. Token quantiles are exact; memory depends neither on the number of
 * requests nor on the duration, and of each group it takes what its different token counts do.
 * Throws what reading the trace throws.
 */
export async function characterize(
  trace: TraceStream,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (requests: number) => void } = {},
): Promise<TraceSummary> {
  const total = new Group();
  const tiers = WORKLOAD_TIERS.map(() => new Group());
  const regions: Group[] = [];
  const models: Group[] = [];
  let finestMs = FINEST_BIN_MS;
  let cells = 0;
  const coarsen = (): void => {
    finestMs *= 2;
    for (const group of [total, ...tiers, ...regions, ...models]) if (group !== undefined) cells += group.halveBins();
  };
  for await (const batch of trace.batches()) {
    options.signal?.throwIfAborted();
    for (let i = 0; i < batch.length; i++) {
      const atMs = batch.arrivedAtMs[i];
      while (atMs >= finestMs * MAX_BINS) coarsen();
      const prompt = batch.promptTokens[i];
      const output = batch.outputTokens[i];
      cells += total.add(atMs, finestMs, prompt, output);
      cells += tiers[batch.tier[i]].add(atMs, finestMs, prompt, output);
      cells += (regions[batch.originRegion[i]] ??= new Group()).add(atMs, finestMs, prompt, output);
      cells += (models[batch.model[i]] ??= new Group()).add(atMs, finestMs, prompt, output);
      while (cells > MOST_CELLS) coarsen();
    }
    options.onProgress?.(total.requests);
  }
  const durationMs = total.lastMs;
  // About 60 bins or more, so that short traces have a shape too.
  const wantedMs = durationMs >= 6 * 3_600_000 ? COARSE_MS : durationMs >= 600_000 ? 60_000 : FINEST_BIN_MS;
  const perBin = Math.max(1, Math.round(wantedMs / finestMs));
  const binMs = perBin * finestMs;
  const named = (groups: readonly (Group | undefined)[], names: readonly string[]): Record<string, TrafficSummary> =>
    Object.fromEntries(
      groups.flatMap((group, i) =>
        group === undefined || group.requests === 0
          ? []
          : [[names[i], group.summary(durationMs, finestMs, perBin, total.requests)]],
      ),
    );
  return {
    durationMs,
    startEpochMs: trace.startEpochMs,
    binMs,
    total: total.summary(durationMs, finestMs, perBin, total.requests),
    byTier: named(tiers, WORKLOAD_TIERS),
    byRegion: named(regions, trace.dictionaries.regions),
    byModel: named(models, trace.dictionaries.models),
  };
}

class Group {
  requests = 0;
  lastMs = 0;
  #bins = new Float64Array(0);
  #gapMean = 0;
  #gapSquares = 0;
  readonly #prompt = new TokenCounts();
  readonly #output = new TokenCounts();

  /**
   * Halves the number of bins, for when each is to be twice as long. Returns by how many there are
   * more now.
   */
  halveBins(): number {
    const before = this.#bins.length;
    const bins = new Float64Array(Math.max(FIRST_BINS, Math.ceil(before / 2)));
    for (const [i, n] of this.#bins.entries()) bins[i >> 1] += n;
    this.#bins = bins;
    return bins.length - before;
  }

  /** Counts a request. Returns by how many bins there are more now. */
  add(atMs: number, finestMs: number, prompt: number, output: number): number {
    if (this.requests > 0) {
      // Welford's running mean and sum of squared deviations.
      const gap = atMs - this.lastMs;
      const delta = gap - this.#gapMean;
      this.#gapMean += delta / this.requests;
      this.#gapSquares += delta * (gap - this.#gapMean);
    }
    this.requests++;
    this.lastMs = atMs;
    this.#prompt.add(prompt);
    this.#output.add(output);
    const bin = Math.floor(atMs / finestMs);
    const before = this.#bins.length;
    if (bin >= before) {
      const bins = new Float64Array(Math.max(bin + 1, before * 2, FIRST_BINS));
      bins.set(this.#bins);
      this.#bins = bins;
    }
    this.#bins[bin]++;
    return this.#bins.length - before;
  }

  summary(durationMs: number, finestMs: number, perBin: number, all: number): TrafficSummary {
    const binMs = perBin * finestMs;
    const bins = Array.from({ length: Math.max(1, Math.ceil((durationMs + 1) / binMs)) }, () => 0);
    for (const [i, count] of this.#bins.entries()) if (count > 0) bins[Math.floor(i / perBin)] += count;
    const full = bins.slice(0, Math.floor(durationMs / binMs));
    let low = Infinity;
    let high = 0;
    for (const n of full) {
      if (n < low) low = n;
      if (n > high) high = n;
    }
    const gaps = this.requests - 1;
    return {
      requests: this.requests,
      share: all === 0 ? 0 : this.requests / all,
      requestsPerS: durationMs >= SHORTEST_MS ? this.requests / (durationMs / 1_000) : 0,
      peakToTrough: full.length >= 2 && low > 0 ? high / low : undefined,
      gapCv: gaps >= 2 && this.#gapMean > 0 ? Math.sqrt(this.#gapSquares / gaps) / this.#gapMean : undefined,
      promptTokens: this.#prompt.summary(),
      outputTokens: this.#output.summary(),
      dailyAutocorrelation: autocorrelation(full, Math.round(MS_PER_DAY / binMs)),
      weeklyAutocorrelation: autocorrelation(full, Math.round(MS_PER_WEEK / binMs)),
      bins,
    };
  }
}

/**
 * A count of tokens that is far from all others takes as much room as its place in an array of so
 * many.
 */
const ROOM = 4;

class TokenCounts {
  /**
   * Counts up to its length; what is larger is in the map, until there is enough of it for the
   * array to be worth its room.
   */
  #counts = new Float64Array(16);
  readonly #large = new Map<number, number>();
  #total = 0;
  #sum = 0;
  #max = 0;

  add(tokens: number): void {
    this.#total++;
    this.#sum += tokens;
    if (tokens > this.#max) this.#max = tokens;
    if (tokens < this.#counts.length) {
      this.#counts[tokens]++;
      return;
    }
    this.#large.set(tokens, (this.#large.get(tokens) ?? 0) + 1);
    while (this.#large.size * ROOM > this.#counts.length) this.#grow();
  }

  #grow(): void {
    const counts = new Float64Array(this.#counts.length * 2);
    counts.set(this.#counts);
    for (const [tokens, n] of this.#large) {
      if (tokens >= counts.length) continue;
      counts[tokens] = n;
      this.#large.delete(tokens);
    }
    this.#counts = counts;
  }

  summary(): TokenSummary {
    const large = [...this.#large].sort((a, b) => a[0] - b[0]);
    const quantile = (q: number): number => this.#quantile(q, large);
    return {
      mean: this.#total === 0 ? 0 : this.#sum / this.#total,
      p5: quantile(0.05),
      p50: quantile(0.5),
      p95: quantile(0.95),
      p99: quantile(0.99),
      max: this.#max,
    };
  }

  /** The smallest count of tokens that at least a share q of the requests do not exceed. */
  #quantile(q: number, large: readonly (readonly [tokens: number, n: number])[]): number {
    let seen = 0;
    for (let tokens = 0; tokens < this.#counts.length; tokens++) {
      seen += this.#counts[tokens];
      if (seen >= q * this.#total) return tokens;
    }
    for (const [tokens, n] of large) {
      seen += n;
      if (seen >= q * this.#total) return tokens;
    }
    return this.#max;
  }
}

/**
 * Autocorrelation at a lag (biased estimator); undefined where the series is under two lags long
 * (but for its last, unfinished bin) or constant.
 */
function autocorrelation(series: readonly number[], lag: number): number | undefined {
  if (series.length < 2 * lag - 1) return undefined;
  const mean = series.reduce((a, b) => a + b, 0) / series.length;
  let variance = 0;
  let covariance = 0;
  for (let i = 0; i < series.length; i++) {
    variance += square(series[i] - mean);
    if (i + lag < series.length) covariance += (series[i] - mean) * (series[i + lag] - mean);
  }
  return variance === 0 ? undefined : covariance / variance;
}
