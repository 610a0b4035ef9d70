import type { DemandForecast, DemandSeries, ForecastColumn } from '@sageserve/core';
import { fillGaps, stepsPerDay } from '@sageserve/forecast';
import { type Network, TRAINED_LEVELS } from './network.js';
import { baseOf, STEP_FEATURES, WINDOW, windowSizes, writeWindow } from './windows.js';

export const COLUMNS = ['promptTokensPerS', 'outputTokensPerS'] as const;

/**
 * What a network says at the end of a history: both columns at once, read off its outputs at the
 * levels that were asked for.
 */
export function forecastWith(
  network: Network,
  history: DemandSeries,
  horizonSteps: number,
  reach: number,
  levels: readonly number[],
): DemandForecast {
  const { stepMs } = history;
  const day = stepsPerDay(stepMs);
  const { extras: width } = windowSizes(reach);
  const origin = history.promptTokensPerS.length;
  const steps = new Float32Array(COLUMNS.length * WINDOW * STEP_FEATURES);
  const extras = new Float32Array(COLUMNS.length * width);
  const columns = COLUMNS.map((name, c) => {
    const values = fillGaps(history[name], stepMs);
    const empty = !values.some((x) => x > 0);
    const scale = writeWindow(
      values,
      origin,
      day,
      reach,
      history.startMs,
      stepMs,
      steps,
      c * WINDOW * STEP_FEATURES,
      extras,
      c * width,
    );
    return { empty, scale, base: baseOf(values, origin, day, reach) };
  });
  const out = network.predict(COLUMNS.length, steps, extras);
  const outputs = TRAINED_LEVELS.length + 1;
  const [prompt, output] = columns.map(({ empty, scale, base }, c): ForecastColumn => {
    const read = (h: number, k: number): number =>
      empty ? 0 : Math.max(0, base[h] + scale * out[(c * reach + h) * outputs + k]);
    return {
      mean: Float64Array.from({ length: horizonSteps }, (_, h) => read(h, 0)),
      quantiles: levels.map((level) => ({
        level,
        values: Float64Array.from({ length: horizonSteps }, (_, h) =>
          Math.max(
            0,
            between(level, (k) => read(h, 1 + k)),
          ),
        ),
      })),
    };
  });
  return {
    startMs: history.startMs + origin * stepMs,
    stepMs,
    mean: prompt.mean.map((m, h) => m + output.mean[h]),
    // Errors of both columns are taken to come together.
    quantiles: prompt.quantiles.map(({ level, values }, q) => ({
      level,
      values: values.map((v, h) => v + output.quantiles[q].values[h]),
    })),
    promptTokensPerS: prompt,
    outputTokensPerS: output,
    method: 'neural',
  };
}

/**
 * A quantile between those that were trained, along straight lines; those beyond them go on at the
 * slope of the last two, on the logarithm of the tail's share.
 */
function between(level: number, trained: (k: number) => number): number {
  const last = TRAINED_LEVELS.length - 1;
  const k = TRAINED_LEVELS.findIndex((known) => known >= level);
  if (k > 0) {
    const share = (level - TRAINED_LEVELS[k - 1]) / (TRAINED_LEVELS[k] - TRAINED_LEVELS[k - 1]);
    return trained(k - 1) + share * (trained(k) - trained(k - 1));
  }
  if (k === 0) {
    const slope = (trained(1) - trained(0)) / Math.log(TRAINED_LEVELS[1] / TRAINED_LEVELS[0]);
    return trained(0) + slope * Math.log(level / TRAINED_LEVELS[0]);
  }
  const slope =
    (trained(last) - trained(last - 1)) / Math.log((1 - TRAINED_LEVELS[last - 1]) / (1 - TRAINED_LEVELS[last]));
  return trained(last) + slope * Math.log((1 - TRAINED_LEVELS[last]) / (1 - level));
}
