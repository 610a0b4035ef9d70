import {
  type DemandForecast,
  type DemandKey,
  type DemandSeries,
  type Forecaster,
  messageOf,
  MS_PER_DAY,
  Pacer,
  PolicyContractError,
  type TelemetrySource,
} from '@sageserve/core';
import type { PlanSteps } from './plan-steps.js';
import type { KeyedForecast, PlanningOptions } from './planning-options.js';

/** What is made of every series. */
export interface ForecastShape {
  readonly stepMs: number;
  readonly horizonSteps: number;
  readonly levels: readonly number[];
}

/**
 * What it means for a plan that a series can't be forecast. A policy may still let go of what it
 * sees to be idle.
 */
const NOTHING_PLANNED_AWAY = 'no plan takes anything away there';

/**
 * The forecasts that a plan is made from. Where one fails the last one is used as far as it
 * reaches, then the fallback's.
 */
export class DemandForecasts {
  readonly #options: PlanningOptions;
  readonly #stepMs: number;
  readonly #horizonSteps: number;
  readonly #levels: readonly number[];
  /** A forecaster that breaks its contract is an error of the tick. */
  readonly #strict: boolean;
  readonly #last = new Map<string, DemandForecast>();

  constructor(options: PlanningOptions, { stepMs, horizonSteps, levels }: ForecastShape, strict: boolean) {
    this.#options = options;
    this.#stepMs = stepMs;
    this.#horizonSteps = horizonSteps;
    this.#levels = levels;
    this.#strict = strict;
  }

  /** The last forecast of each series, by its name. */
  save(): ReadonlyMap<string, DemandForecast> {
    return new Map(this.#last);
  }

  restore(last: ReadonlyMap<string, DemandForecast>): void {
    this.#last.clear();
    for (const [name, forecast] of last) this.#last.set(name, forecast);
  }

  /**
   * Forecasts every series of the keys that can be had, and gives the series too. Tells what could
   * not be had in `degradations`. Throws the signal's reason, and a breach where that is strict.
   */
  async all(
    telemetry: TelemetrySource,
    keys: readonly DemandKey[],
    nowMs: number,
    degradations: string[],
    steps: PlanSteps,
  ): Promise<{ forecasts: KeyedForecast[]; series: readonly DemandSeries[] }> {
    const { historyMs = 14 * MS_PER_DAY } = this.#options;
    const epochMs = this.#options.epochMs?.() ?? 0;
    const forecasts: KeyedForecast[] = [];
    let seen: readonly DemandSeries[] = [];
    let unknown = 'no series came for it';
    try {
      seen = await steps.run((signal) =>
        telemetry.demand(keys, nowMs - historyMs, this.#stepMs, signal === undefined ? {} : { signal }),
      );
    } catch (error) {
      steps.signal?.throwIfAborted();
      unknown = messageOf(error);
    }
    // Forecasters compute for long without a pause.
    const pacer = new Pacer();
    for (const [i, key] of keys.entries()) {
      if (pacer.late) await pacer.turn(steps.signal);
      const name = `${key.modelId} in ${key.regionId}`;
      try {
        const series = seen[i];
        if (series === undefined) throw new Error(unknown);
        const { modelId, regionId } = series.key;
        if (modelId !== key.modelId || regionId !== key.regionId)
          throw new Error(`the series that came for it is of ${modelId} in ${regionId}`);
        const dated = { ...series, startMs: series.startMs + epochMs };
        const made = await this.#one(dated, nowMs + epochMs, name, degradations, steps);
        if (made !== undefined) forecasts.push({ key, forecast: { ...made, startMs: made.startMs - epochMs } });
      } catch (error) {
        steps.signal?.throwIfAborted();
        this.#rethrowBreach(error);
        const kept = this.#kept(name, nowMs + epochMs);
        degradations.push(
          `demand of ${name} is not known (${messageOf(error)}); ` +
            (kept === undefined ? NOTHING_PLANNED_AWAY : 'its last forecast stays'),
        );
        if (kept !== undefined) forecasts.push({ key, forecast: { ...kept, startMs: kept.startMs - epochMs } });
      }
    }
    return { forecasts, series: seen };
  }

  /** In the order: the forecaster, its last forecast, the fallback. Times are since 1970 here. */
  async #one(
    series: DemandSeries,
    nowMs: number,
    name: string,
    degradations: string[],
    steps: PlanSteps,
  ): Promise<DemandForecast | undefined> {
    if (series.stepMs !== this.#stepMs)
      throw new Error(`it comes in buckets of ${series.stepMs} ms, not of ${this.#stepMs} ms`);
    // A forecaster answers "nothing" where nothing was seen, but what is not known is not nothing.
    if (this.#options.needsHistory !== false && !series.promptTokensPerS.some((tokens) => tokens >= 0))
      throw new Error('nothing was observed');
    const endMs = series.startMs + series.promptTokensPerS.length * series.stepMs;
    // Where the newest buckets are not there yet, the forecast begins before now: it is made long
    // enough, and cut.
    const behind = Math.max(0, Math.round((nowMs - endMs) / this.#stepMs));
    const make = async (forecaster: Forecaster): Promise<DemandForecast> => {
      const forecast = await steps.run((signal) =>
        forecaster.forecast(series, this.#horizonSteps + behind, {
          quantileLevels: this.#levels,
          ...(signal === undefined ? {} : { signal }),
        }),
      );
      return fromStep(forecast, behind);
    };
    try {
      const forecast = await make(this.#options.forecaster);
      this.#last.set(name, forecast);
      return forecast;
    } catch (error) {
      steps.signal?.throwIfAborted();
      this.#rethrowBreach(error);
      const why = `the forecast of ${name} failed (${messageOf(error)})`;
      const kept = this.#kept(name, nowMs);
      if (kept !== undefined) {
        degradations.push(`${why}; its last forecast stays`);
        return kept;
      }
      const { fallbackForecaster } = this.#options;
      if (fallbackForecaster !== undefined) {
        try {
          const forecast = await make(fallbackForecaster);
          degradations.push(`${why}; ${fallbackForecaster.name} answers`);
          return forecast;
        } catch (second) {
          steps.signal?.throwIfAborted();
          degradations.push(
            `${why}, and so did ${fallbackForecaster.name} (${messageOf(second)}); ${NOTHING_PLANNED_AWAY}`,
          );
          return undefined;
        }
      }
      degradations.push(`${why}; ${NOTHING_PLANNED_AWAY}`);
      return undefined;
    }
  }

  #rethrowBreach(error: unknown): void {
    if (this.#strict && error instanceof PolicyContractError) throw error;
  }

  /**
   * What the last forecast of a series says from now on, its last bucket held; undefined where it
   * no longer reaches to now.
   */
  #kept(name: string, nowMs: number): DemandForecast | undefined {
    const last = this.#last.get(name);
    if (last === undefined) return undefined;
    const passed = Math.round((nowMs - last.startMs) / this.#stepMs);
    return passed >= 0 && passed < last.mean.length ? fromStep(last, passed, this.#horizonSteps) : undefined;
  }
}

export function quantileOf(forecast: DemandForecast, level: number): Float64Array {
  return forecast.quantiles.find((quantile) => quantile.level === level)?.values ?? forecast.mean;
}

/**
 * A forecast from its `from`-th bucket on, `steps` long: its last bucket stands for what lies
 * beyond.
 */
export function fromStep(forecast: DemandForecast, from: number, steps = forecast.mean.length - from): DemandForecast {
  const cut = (values: Float64Array): Float64Array =>
    Float64Array.from({ length: steps }, (_, h) => values[Math.min(from + h, values.length - 1)]);
  const column = ({ mean, quantiles }: DemandForecast['promptTokensPerS']): DemandForecast['promptTokensPerS'] => ({
    mean: cut(mean),
    quantiles: quantiles.map(({ level, values }) => ({ level, values: cut(values) })),
  });
  return {
    ...column(forecast),
    startMs: forecast.startMs + from * forecast.stepMs,
    stepMs: forecast.stepMs,
    promptTokensPerS: column(forecast.promptTokensPerS),
    outputTokensPerS: column(forecast.outputTokensPerS),
    method: forecast.method,
  };
}
