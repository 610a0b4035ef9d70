import { expect, it } from 'vitest';
import type { DemandSeries } from './demand.js';
import { modelId, regionId } from './ids.js';
import { meanMix } from './mean-mix.js';

const series = (
  model: string,
  prompt: readonly number[],
  output: readonly number[],
  requests: readonly number[],
): DemandSeries => ({
  key: { modelId: modelId(model), regionId: regionId('r') },
  startMs: 0,
  stepMs: 600_000,
  promptTokensPerS: Float64Array.from(prompt),
  outputTokensPerS: Float64Array.from(output),
  requestsPerS: Float64Array.from(requests),
});

it('the shape of requests is their mean over the last buckets, of all regions, where all of it was seen', () => {
  const mix = meanMix(
    [
      series('a', [9_999, 100, 200], [9_999, 10, 20], [1, 1, 1]),
      series('a', [0, 600], [0, 0], [1, 1]),
      // What was not seen says nothing; neither does a bucket without requests, or of which a part
      // is missing.
      series('b', [NaN, 50, 70, 80], [5, NaN, 7, 8], [1, 1, NaN, 2]),
      series('b', [100], [100], [0]),
      series('c', [5, 5], [5, 5], [0, NaN]),
      series('d', [0, 8], [4, 0], [2, 2]),
    ],
    2,
  );
  expect([...mix]).toEqual([
    [modelId('a'), { promptTokens: 900 / 4, outputTokens: 30 / 4 }],
    [modelId('b'), { promptTokens: 40, outputTokens: 4 }],
    [modelId('d'), { promptTokens: 2, outputTokens: 1 }],
  ]);
  expect(meanMix([series('b', [NaN, 50, 6], [5, NaN, 2], [1, 1, 2])], 9).get(modelId('b'))).toEqual({
    promptTokens: 3,
    outputTokens: 1,
  });
});
