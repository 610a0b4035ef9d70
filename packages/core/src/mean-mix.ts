import type { DemandSeries } from './demand.js';
import type { ModelId } from './ids.js';
import type { TokenMix } from './performance.js';

/**
 * Mean prompt and output tokens of each model's requests over the last `steps` buckets of the
 * series, all unless given. A bucket that was not wholly observed is left out, and so is a model
 * without requests.
 */
export function meanMix(series: readonly DemandSeries[], steps = Infinity): Map<ModelId, TokenMix> {
  const sums = new Map<ModelId, { prompt: number; output: number; requests: number }>();
  for (const { key, promptTokensPerS, outputTokensPerS, requestsPerS } of series) {
    const sum = sums.get(key.modelId) ?? { prompt: 0, output: 0, requests: 0 };
    for (let t = Math.max(0, requestsPerS.length - steps); t < requestsPerS.length; t++) {
      const [prompt, output, requests] = [promptTokensPerS[t]!, outputTokensPerS[t]!, requestsPerS[t]!];
      if (!(requests > 0 && prompt >= 0 && output >= 0)) continue;
      sum.prompt += prompt;
      sum.output += output;
      sum.requests += requests;
    }
    sums.set(key.modelId, sum);
  }
  const mix = new Map<ModelId, TokenMix>();
  for (const [id, { prompt, output, requests }] of sums)
    if (requests > 0) mix.set(id, { promptTokens: prompt / requests, outputTokens: output / requests });
  return mix;
}
