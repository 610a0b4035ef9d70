import type { DemandSeries, ModelId, TokenMix } from '@sageserve/core';

/**
 * Mean prompt and output tokens of each model's requests over the last `steps` buckets of the
 * series; a model without requests is left out.
 */
export function recentMix(series: readonly DemandSeries[], steps: number): Map<ModelId, TokenMix> {
  const sums = new Map<ModelId, { prompt: number; output: number; requests: number }>();
  for (const { key, promptTokensPerS, outputTokensPerS, requestsPerS } of series) {
    const sum = sums.get(key.modelId) ?? { prompt: 0, output: 0, requests: 0 };
    for (let t = Math.max(0, requestsPerS.length - steps); t < requestsPerS.length; t++) {
      if (!(requestsPerS[t] > 0 && promptTokensPerS[t] >= 0 && outputTokensPerS[t] >= 0)) continue;
      sum.prompt += promptTokensPerS[t];
      sum.output += outputTokensPerS[t];
      sum.requests += requestsPerS[t];
    }
    sums.set(key.modelId, sum);
  }
  const mix = new Map<ModelId, TokenMix>();
  for (const [id, { prompt, output, requests }] of sums)
    if (requests > 0) mix.set(id, { promptTokens: prompt / requests, outputTokens: output / requests });
  return mix;
}
