import {
  type Awaitable,
  type DemandForecast,
  type DemandSeries,
  type Forecaster,
  isThenable,
  MS_PER_DAY,
  MS_PER_HOUR,
} from '@sageserve/core';
import { firstObserved, ForecastHistoryError, sliceHistory, TOKEN_COLUMNS } from './history.js';

/**
 * Forecasts of one column from several origins, origins × horizon, flat. NaN where none could be
 * made.
 */
export interface PastColumn {
  readonly mean: Float64Array;
  /** Standard deviation of the error; NaN where the forecaster has none. */
  readonly deviation: Float64Array;
}

/** What a forecaster said, or would have said, at each of several origins. */
export interface PastForecasts {
  readonly promptTokensPerS: PastColumn;
  readonly outputTokensPerS: PastColumn;
}

/**
 * A forecaster that can say what it would have forecast at earlier times, which calibration and
 * ensembles learn from.
 *
 * Contract: the forecast of an origin reads nothing at or after it. Origins ascend, count buckets
 * from the start of `history`, and are at most its length.
 */
export interface RollingForecaster extends Forecaster {
  rolling(history: DemandSeries, origins: readonly number[], horizonSteps: number): Awaitable<PastForecasts>;
}

/** z of the 0.9 quantile: how a deviation is read from a forecast that gives quantiles only. */
const Z90 = 1.281_551_565_544_6;

export function emptyPast(origins: number, horizonSteps: number): PastForecasts {
  const column = (): PastColumn => ({
    mean: new Float64Array(origins * horizonSteps).fill(NaN),
    deviation: new Float64Array(origins * horizonSteps).fill(NaN),
  });
  return { promptTokensPerS: column(), outputTokensPerS: column() };
}

/**
 * Any forecaster as a rolling one: one that is not is asked again with each shorter history, and
 * its answers are remembered.
 */
export function asRolling(forecaster: Forecaster): RollingForecaster {
  if (isRolling(forecaster)) return forecaster;
  const memory = new PastMemory();
  return {
    name: forecaster.name,
    minHistorySteps: forecaster.minHistorySteps,
    forecast: (history, horizonSteps, options) => forecaster.forecast(history, horizonSteps, options),
    rolling: (history, origins, horizonSteps) =>
      memory.recall(history, origins, horizonSteps, async (missing) => {
        const past = emptyPast(missing.length, horizonSteps);
        for (const [i, origin] of missing.entries()) {
          if (origin < forecaster.minHistorySteps) continue;
          const forecast = await forecastOrNothing(forecaster, sliceHistory(history, 0, origin), horizonSteps);
          if (forecast === undefined) continue;
          for (const name of TOKEN_COLUMNS) {
            const { mean, quantiles } = forecast[name];
            // Half an answer, or one that is no number, counts as none.
            if (mean.length < horizonSteps || !mean.every((x) => Number.isFinite(x) && x >= 0)) continue;
            past[name].mean.set(mean.subarray(0, horizonSteps), i * horizonSteps);
            const high = quantiles.find(({ level }) => level === 0.9)?.values;
            if (high === undefined) continue;
            for (let h = 0; h < horizonSteps; h++)
              past[name].deviation[i * horizonSteps + h] = Math.max(0, (high[h] - mean[h]) / Z90);
          }
        }
        return past;
      }),
  };
}

/**
 * A history that was too short then leaves a hole; any other failure is the forecaster's own and
 * goes on.
 */
async function forecastOrNothing(
  forecaster: Forecaster,
  history: DemandSeries,
  horizonSteps: number,
): Promise<DemandForecast | undefined> {
  try {
    return await forecaster.forecast(history, horizonSteps, { quantileLevels: [0.9] });
  } catch (error) {
    if (error instanceof ForecastHistoryError) return undefined;
    throw error;
  }
}

function isRolling(forecaster: Forecaster): forecaster is RollingForecaster {
  return typeof (forecaster as Partial<RollingForecaster>).rolling === 'function';
}

/** Steps between the origins that are learnt from: an hour, or one bucket where that is longer. */
export function strideOf(stepMs: number): number {
  return Math.max(1, Math.round(MS_PER_HOUR / stepMs));
}

/**
 * Origins on the full hours of the series' clock, oldest first: at most `count`, all before the end
 * of the history, none before `earliest` buckets were seen. On the clock, so that a forecaster that
 * is asked every ten minutes looks back on the same ones each time.
 */
export function hourlyOrigins(history: DemandSeries, count: number, earliest: number): number[] {
  const stride = strideOf(history.stepMs);
  const base = Math.round(history.startMs / history.stepMs);
  const first = firstObserved(history) + Math.max(1, earliest);
  const end = history.promptTokensPerS.length - 1;
  const origins: number[] = [];
  for (
    let origin = end - ((((base + end) % stride) + stride) % stride);
    origin >= first && origins.length < count;
    origin -= stride
  )
    origins.push(origin);
  return origins.reverse();
}

/** How many series a forecaster remembers; the one that was not asked for longest goes first. */
export const MAX_SERIES = 4_096;
/**
 * Forecasts that are remembered for a series: what the longest calibration and the ensembles under
 * it look back on.
 */
const MAX_ORIGINS = 400;
/** Time before an origin that must still read as it did for its forecast to stand. */
const FINGERPRINT_MS = 2 * MS_PER_DAY;

/** What a forecast was made from, as far as it can be told apart. */
interface Past {
  /** Of the newest days before the origin. */
  readonly print: number;
  /** Buckets from the first that was observed. */
  readonly available: number;
}

/**
 * Forecasts of one series in one block of memory: for each, means and deviations of both columns.
 */
class SeriesMemory {
  readonly horizonSteps: number;
  readonly stride: number;
  readonly #slots = new Map<number, number>();
  #free: number[] = [];
  #prints = new Uint32Array(0);
  /** Buckets that were there when no forecast could be made; −1 where one was. */
  #tooFew = new Int32Array(0);
  #data = new Float64Array(0);

  constructor(horizonSteps: number, stride: number) {
    this.horizonSteps = horizonSteps;
    this.stride = stride;
  }

  /**
   * Whether the forecast made at `at` is known from such a past. That none could be made holds
   * until there is more history.
   */
  has(at: number, { print, available }: Past): boolean {
    const slot = this.#slots.get(at);
    return (
      slot !== undefined &&
      this.#prints[slot] === print &&
      (this.#tooFew[slot] === -1 || available <= this.#tooFew[slot])
    );
  }

  store(at: number, { print, available }: Past, past: PastForecasts, i: number): void {
    let slot = this.#slots.get(at);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#slots.size;
      this.#slots.set(at, slot);
      if (slot >= this.#prints.length) this.#grow(Math.max(16, 2 * slot));
    }
    const { horizonSteps } = this;
    this.#prints[slot] = print;
    this.#tooFew[slot] = Number.isNaN(past.promptTokensPerS.mean[i * horizonSteps]) ? available : -1;
    for (const [c, column] of columnsOf(past).entries())
      this.#data.set(column.subarray(i * horizonSteps, (i + 1) * horizonSteps), (slot * PARTS + c) * horizonSteps);
  }

  read(at: number, into: PastForecasts, i: number): void {
    const slot = this.#slots.get(at)!;
    for (const [c, column] of columnsOf(into).entries()) {
      const from = (slot * PARTS + c) * this.horizonSteps;
      column.set(this.#data.subarray(from, from + this.horizonSteps), i * this.horizonSteps);
    }
  }

  /**
   * Stores the forecasts that were missing, in the order of their origins, and returns those of all
   * origins. Origins count from `base`.
   */
  join(
    base: number,
    origins: readonly number[],
    pasts: readonly Past[],
    missing: readonly number[],
    made: PastForecasts | undefined,
  ): PastForecasts {
    const past = emptyPast(origins.length, this.horizonSteps);
    let next = 0;
    for (let i = 0; i < origins.length; i++) {
      const origin = origins[i];
      if (next < missing.length && missing[next] === origin) this.store(base + origin, pasts[i], made!, next++);
      this.read(base + origin, past, i);
    }
    this.prune(MAX_ORIGINS);
    return past;
  }

  /**
   * Forgets what is beyond `most`: times between the hours first, which are not looked back on,
   * then the oldest.
   */
  prune(most: number): void {
    if (this.#slots.size <= most) return;
    const between = (at: number): number => (at % this.stride === 0 ? 1 : 0);
    for (const at of [...this.#slots.keys()]
      .sort((a, b) => between(a) - between(b) || a - b)
      .slice(0, this.#slots.size - most)) {
      this.#free.push(this.#slots.get(at)!);
      this.#slots.delete(at);
    }
  }

  #grow(size: number): void {
    const prints = new Uint32Array(size);
    prints.set(this.#prints);
    this.#prints = prints;
    const tooFew = new Int32Array(size);
    tooFew.set(this.#tooFew);
    this.#tooFew = tooFew;
    const data = new Float64Array(size * PARTS * this.horizonSteps);
    data.set(this.#data);
    this.#data = data;
  }
}

const PARTS = 4;

function columnsOf({ promptTokensPerS, outputTokensPerS }: PastForecasts): readonly Float64Array[] {
  return [promptTokensPerS.mean, promptTokensPerS.deviation, outputTokensPerS.mean, outputTokensPerS.deviation];
}

/**
 * Forecasts once made are facts: they are kept by series, horizon and time, so that each hour costs
 * one forecast and not one for each hour that is looked back on. Where the two days before an
 * origin no longer read as they did (late data, another run), its forecast is made anew.
 */
export class PastMemory {
  readonly #series = new Map<string, SeriesMemory>();

  /** `compute` is called with the origins that are not known. Synchronous where it is. */
  recall(
    history: DemandSeries,
    origins: readonly number[],
    horizonSteps: number,
    compute: (missing: readonly number[]) => Awaitable<PastForecasts>,
  ): Awaitable<PastForecasts> {
    const id = `${history.key.modelId}\n${history.key.regionId}\n${history.stepMs}\n${horizonSteps}`;
    const memory = this.#series.get(id) ?? new SeriesMemory(horizonSteps, strideOf(history.stepMs));
    this.#series.delete(id);
    this.#series.set(id, memory);
    if (this.#series.size > MAX_SERIES) this.#series.delete(this.#series.keys().next().value!);
    const base = Math.round(history.startMs / history.stepMs);
    const pasts = pastsOf(history, origins);
    const missing = origins.filter((origin, i) => !memory.has(base + origin, pasts[i]));
    if (missing.length === 0) return memory.join(base, origins, pasts, missing, undefined);
    const made = compute(missing);
    const join = (late: PastForecasts): PastForecasts => memory.join(base, origins, pasts, missing, late);
    return isThenable(made) ? made.then(join) : join(made);
  }
}

/** Odd, so that no bit is lost in its powers. */
const HASH_BASE = 0x01000193;
/** Used within one call of {@link pastsOf} only. */
let scratch = new Int32Array(0);

/**
 * For each origin, a hash of the two days before it: a polynomial over the mixed bits of each
 * bucket, so that all of them cost one pass.
 */
function pastsOf(history: DemandSeries, origins: readonly number[]): Past[] {
  const length = origins.at(-1) ?? 0;
  const bitsOf = (column: Float64Array): Uint32Array => new Uint32Array(column.buffer, column.byteOffset, 2 * length);
  const prompt = bitsOf(history.promptTokensPerS);
  const output = bitsOf(history.outputTokensPerS);
  if (scratch.length <= length) scratch = new Int32Array(2 * length + 1);
  const prefix = scratch;
  prefix[0] = 0;
  for (let t = 0; t < length; t++) {
    const bits = mix(mix(mix(mix(prompt[2 * t]) ^ prompt[2 * t + 1]) ^ output[2 * t]) ^ output[2 * t + 1]);
    prefix[t + 1] = (Math.imul(prefix[t], HASH_BASE) + bits) | 0;
  }
  const window = Math.max(1, Math.round(FINGERPRINT_MS / history.stepMs));
  let power = 1;
  for (let k = 0; k < window; k++) power = Math.imul(power, HASH_BASE);
  const first = firstObserved(history);
  return origins.map((origin) => {
    const from = origin - window;
    const print = from <= 0 ? prefix[origin] : prefix[origin] - Math.imul(prefix[from], power);
    return { print: (print ^ Math.min(origin, window)) >>> 0, available: origin - first };
  });
}

/** The finaliser of MurmurHash3: every bit reaches every other. */
function mix(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
