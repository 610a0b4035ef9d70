import { type Awaitable, type DemandForecast, type DemandSeries, type Forecaster, MS_PER_HOUR } from '@sageserve/core';
import { firstObserved, ForecastHistoryError, sliceHistory } from './history.js';

/** Forecasts of one column from several origins, origins × horizon, flat. NaN where none could be made. */
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
 * A forecaster that can say what it would have forecast at earlier times, which calibration and ensembles learn from.
 *
 * Contract: the forecast of an origin reads nothing at or after it. Origins ascend, count buckets from the start of `history`, and are at most its length.
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

/** Any forecaster as a rolling one: one that is not is asked again with each shorter history, and its answers are remembered. */
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
          for (const name of ['promptTokensPerS', 'outputTokensPerS'] as const) {
            past[name].mean.set(forecast[name].mean, i * horizonSteps);
            const high = forecast[name].quantiles[0]?.values;
            if (high === undefined) continue;
            for (let h = 0; h < horizonSteps; h++) past[name].deviation[i * horizonSteps + h] = Math.max(0, (high[h] - forecast[name].mean[h]) / Z90);
          }
        }
        return past;
      }),
  };
}

/** A history that was too short then leaves a hole; any other failure is the forecaster's own and goes on. */
async function forecastOrNothing(forecaster: Forecaster, history: DemandSeries, horizonSteps: number): Promise<DemandForecast | undefined> {
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
 * Origins on the full hours of the series' clock, oldest first: at most `count`, all before the end of the history, none before `earliest` buckets were seen.
 * On the clock, so that a forecaster that is asked every ten minutes looks back on the same ones each time.
 */
export function hourlyOrigins(history: DemandSeries, count: number, earliest: number): number[] {
  const stride = strideOf(history.stepMs);
  const base = Math.round(history.startMs / history.stepMs);
  const first = firstObserved(history) + Math.max(1, earliest);
  const end = history.promptTokensPerS.length - 1;
  const origins: number[] = [];
  for (let origin = end - ((((base + end) % stride) + stride) % stride); origin >= first && origins.length < count; origin -= stride) origins.push(origin);
  return origins.reverse();
}

/** How many series a forecaster remembers; the one that was not asked for longest goes first. */
const MAX_SERIES = 4_096;
/** Hours of forecasts that are remembered for a series: what the longest calibration and the ensembles under it look back on. */
const MAX_ORIGINS = 400;
const FINGERPRINT_STEPS = 144;

/** Forecasts of one series in one block of memory: for each, means and deviations of both columns. */
class SeriesMemory {
  readonly horizonSteps: number;
  readonly #slots = new Map<number, number>();
  #free: number[] = [];
  #prints = new Uint32Array(0);
  #data = new Float64Array(0);

  constructor(horizonSteps: number) {
    this.horizonSteps = horizonSteps;
  }

  /** Whether the forecast made at `at` is known, from a past that read as `print` says. */
  has(at: number, print: number): boolean {
    const slot = this.#slots.get(at);
    return slot !== undefined && this.#prints[slot] === print;
  }

  store(at: number, print: number, past: PastForecasts, i: number, horizonSteps: number): void {
    let slot = this.#slots.get(at);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#slots.size;
      this.#slots.set(at, slot);
      if (slot >= this.#prints.length) this.#grow(Math.max(16, 2 * slot));
    }
    this.#prints[slot] = print;
    for (const [c, column] of columnsOf(past).entries())
      this.#data.set(column.subarray(i * horizonSteps, (i + 1) * horizonSteps), (slot * PARTS + c) * this.horizonSteps);
  }

  read(at: number, into: PastForecasts, i: number, horizonSteps: number): void {
    const slot = this.#slots.get(at)!;
    for (const [c, column] of columnsOf(into).entries()) {
      const from = (slot * PARTS + c) * this.horizonSteps;
      column.set(this.#data.subarray(from, from + horizonSteps), i * horizonSteps);
    }
  }

  /** Forgets the oldest beyond `most`. */
  prune(most: number): void {
    if (this.#slots.size <= most) return;
    for (const at of [...this.#slots.keys()].sort((a, b) => a - b).slice(0, this.#slots.size - most)) {
      this.#free.push(this.#slots.get(at)!);
      this.#slots.delete(at);
    }
  }

  #grow(size: number): void {
    const prints = new Uint32Array(size);
    prints.set(this.#prints);
    this.#prints = prints;
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
 * Forecasts once made are facts: they are kept by series and time, so that each hour costs one forecast and not one for each hour that is looked back on.
 * Where the day before an origin no longer reads as it did (late data, another run), its forecast is made anew.
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
    const id = `${history.key.modelId}\n${history.key.regionId}\n${history.stepMs}`;
    let known = this.#series.get(id);
    if (known === undefined || known.horizonSteps < horizonSteps) known = new SeriesMemory(horizonSteps);
    this.#series.delete(id);
    this.#series.set(id, known);
    if (this.#series.size > MAX_SERIES) this.#series.delete(this.#series.keys().next().value!);
    const memory = known;
    const base = Math.round(history.startMs / history.stepMs);
    const prints = new Map(origins.map((origin) => [origin, fingerprintBefore(history, origin)]));
    const missing = origins.filter((origin) => !memory.has(base + origin, prints.get(origin)!));
    const finish = (made: PastForecasts | undefined): PastForecasts => {
      const past = emptyPast(origins.length, horizonSteps);
      const place = new Map(missing.map((origin, i) => [origin, i]));
      for (const [i, origin] of origins.entries()) {
        const madeAt = place.get(origin);
        if (madeAt === undefined) {
          memory.read(base + origin, past, i, horizonSteps);
          continue;
        }
        for (const [c, column] of columnsOf(past).entries())
          column.set(columnsOf(made!)[c].subarray(madeAt * horizonSteps, (madeAt + 1) * horizonSteps), i * horizonSteps);
        // A shorter look ahead than the memory is made for answers this time, and is not kept.
        if (horizonSteps === memory.horizonSteps) memory.store(base + origin, prints.get(origin)!, made!, madeAt, horizonSteps);
      }
      memory.prune(MAX_ORIGINS);
      return past;
    };
    if (missing.length === 0) return finish(undefined);
    const made = compute(missing);
    return made instanceof Promise ? made.then(finish) : finish(made as PastForecasts);
  }
}

/** A number that changes when the day before an origin does (FNV-1a over the bits of its buckets). */
function fingerprintBefore(history: DemandSeries, origin: number): number {
  const from = Math.max(0, origin - FINGERPRINT_STEPS);
  let hash = 0x811c9dc5;
  for (const column of [history.promptTokensPerS, history.outputTokensPerS]) {
    const words = new Uint32Array(column.buffer, column.byteOffset + from * 8, (origin - from) * 2);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193);
  }
  return hash >>> 0;
}
