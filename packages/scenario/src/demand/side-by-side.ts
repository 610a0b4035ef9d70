import { ConfigError, type DemandSeries, maxOf, minOf } from '@sageserve/core';
import { MOST_CELLS } from './demand-of-trace.js';

/**
 * Series from the first bucket of all to the last of all: a plan is made for one time. What a
 * series does not have was not observed. Throws `ConfigError`.
 */
export function sideBySide(series: readonly DemandSeries[], file: string): DemandSeries[] {
  const { stepMs } = series[0]!;
  const startMs = minOf(series.map((one) => one.startMs));
  const length = maxOf(series.map((one) => Math.round((one.startMs - startMs) / stepMs) + one.promptTokensPerS.length));
  if (series.length * length > MOST_CELLS)
    throw new ConfigError(
      '--demand',
      `${file} has ${series.length} series over ${length} buckets: more than ` +
        `${MOST_CELLS.toLocaleString('en-US')} in all`,
      {
        hint: 'Give longer buckets, or the last weeks.',
      },
    );
  return series.map((one) => {
    const before = (one.startMs - startMs) / stepMs;
    if (Math.abs(before - Math.round(before)) > 0.01)
      throw new ConfigError(
        '--demand',
        `${file}: the buckets of ${one.key.modelId} in ${one.key.regionId} begin at other times than those of others`,
        {
          hint: `All must lie a multiple of ${stepMs / 1_000} s apart.`,
        },
      );
    const wide = (column: Float64Array): Float64Array => {
      const all = new Float64Array(length).fill(NaN);
      all.set(column, Math.round(before));
      return all;
    };
    return {
      ...one,
      startMs,
      promptTokensPerS: wide(one.promptTokensPerS),
      outputTokensPerS: wide(one.outputTokensPerS),
      requestsPerS: wide(one.requestsPerS),
    };
  });
}
