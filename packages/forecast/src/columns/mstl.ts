import { type ColumnForecasterOptions, createColumnForecaster } from '../column-forecaster.js';
import type { RollingForecaster } from '../rolling.js';
import { ConfigError } from '@sageserve/core';
import { arimaMethod } from './arima.js';
import { type ColumnMethod, type ColumnModel, stepsPerDay } from './method.js';
import { decompose, stlWindows } from './stl.js';

export interface MstlOptions {
  /** Passes over the seasons; 2 by default. */
  readonly iterations?: number;
  /** Passes of each decomposition that weigh outliers down; 1 by default. */
  readonly robustIterations?: number;
}

/** Seasons taken out of a column one after another, and what is left. */
export interface MultipleDecomposition {
  readonly seasonal: readonly Float64Array[];
  readonly rest: Float64Array;
}

/**
 * Multiple seasonal-trend decomposition (Bandara, Hyndman and Bergmeir 2021): each period's season
 * is taken out by STL in turn, shortest first, and again with the others out of the way.
 */
export function decomposeSeasons(
  values: Float64Array,
  periods: readonly number[],
  options: MstlOptions = {},
): MultipleDecomposition {
  const { iterations = 2, robustIterations = 1 } = options;
  const seasonal = periods.map(() => new Float64Array(values.length));
  const rest = Float64Array.from(values);
  for (let pass = 0; pass < (periods.length > 1 ? iterations : 1); pass++) {
    for (const [k, period] of periods.entries()) {
      for (let t = 0; t < rest.length; t++) rest[t] += seasonal[k][t];
      const windows = stlWindows(period, 7 + 4 * (k + 1));
      const found = decompose(rest, windows, {
        innerIterations: 2,
        robustIterations,
        // As the authors' program does: a smoother changes little within a tenth of its window.
        trendJump: Math.ceil(windows.trend / 10),
        lowPassJump: Math.ceil(windows.lowPass / 10),
      });
      seasonal[k].set(found.seasonal);
      for (let t = 0; t < rest.length; t++) rest[t] -= seasonal[k][t];
    }
  }
  return { seasonal, rest };
}

/**
 * The seasons of day and week by MSTL, their last cycle repeated, and `trend` for what they leave
 * over.
 */
export function mstlMethod(trend: ColumnMethod, options: MstlOptions): ColumnMethod {
  for (const [name, value] of Object.entries({
    iterations: options.iterations ?? 2,
    robustIterations: options.robustIterations ?? 1,
  }))
    if (!Number.isInteger(value) || value < 0 || value > 100)
      throw new ConfigError(name, `must be a whole number from 0 to 100, not ${value}`);
  return {
    name: `mstl-${trend.name}`,
    minSteps: (stepMs) => Math.max(2 * stepsPerDay(stepMs), trend.minSteps(stepMs)),
    fit(values, context): ColumnModel {
      const day = stepsPerDay(context.stepMs);
      const periods = values.length >= 14 * day ? [day, 7 * day] : [day];
      const n = values.length;
      const { seasonal, rest } = decomposeSeasons(values, periods, options);
      const seasonAt = (t: number): number => {
        let sum = 0;
        for (const [k, period] of periods.entries()) sum += seasonal[k][t < n ? t : n - period + ((t - n) % period)];
        return sum;
      };
      const model = trend.fit(rest, context);
      return {
        parameters: { periods, ...model.parameters },
        rolling(history, origins, horizon) {
          const out = model.rolling(
            history.subarray(0, origins.at(-1) ?? 0).map((value, t) => value - seasonAt(t)),
            origins,
            horizon,
          );
          for (const [i, origin] of origins.entries())
            for (let h = 0; h < horizon; h++) out[i * horizon + h] += seasonAt(origin + h);
          return out;
        },
        ...(model.standardDeviations === undefined
          ? {}
          : { standardDeviations: (horizon: number) => model.standardDeviations!(horizon) }),
      };
    },
  };
}

export interface MstlForecasterOptions extends MstlOptions, ColumnForecasterOptions {
  /** What forecasts the part without seasons; ARIMA(2,1,1) by default. */
  readonly trend?: ColumnMethod;
}

export function createMstlForecaster(options: MstlForecasterOptions = {}): RollingForecaster {
  return createColumnForecaster(
    mstlMethod(options.trend ?? arimaMethod({ p: 2, d: 1, q: 1 }, { likelihood: 'conditional' }), options),
    options,
  );
}
