import { ConfigError, type DeploymentPerformance } from '@sageserve/core';
import { PiecewiseLinear } from './piecewise-linear.js';
import { sustainedTokensPerS } from './throughput.js';

export interface TokenTablesOptions {
  readonly batchTokens: readonly number[];
  readonly promptMs: readonly number[];
  readonly tokenMs: readonly number[];
  /** A batch with prompts and decodes lasts the prompt time at all its tokens × this. */
  readonly mixedFactor: number;
  /** Added to every iteration (ms). */
  readonly overheadMs: number;
  readonly kvCapacityTokens: number;
}

/**
 * The paper's artifact: two tables over one measure of the batch, prompt tokens plus decoding
 * requests, continued linearly on both sides. Context length plays no part.
 */
export function createTokenTablesPerformance(options: TokenTablesOptions): DeploymentPerformance {
  const { mixedFactor, overheadMs, kvCapacityTokens } = options;
  if (!(kvCapacityTokens > 0)) throw new ConfigError('kvCapacityTokens', `must be above 0, not ${kvCapacityTokens}`);
  const prompt = new PiecewiseLinear(options.batchTokens, options.promptMs, { below: 'extend' });
  const token = new PiecewiseLinear(options.batchTokens, options.tokenMs, { below: 'extend' });
  const performance = {
    kvCapacityTokens,
    iterationMs(prefillTokens: number, decodeRequests: number): number {
      if (prefillTokens === 0) return token.at(decodeRequests) + overheadMs;
      if (decodeRequests === 0) return prompt.at(prefillTokens) + overheadMs;
      return mixedFactor * prompt.at(prefillTokens + decodeRequests) + overheadMs;
    },
  };
  return { ...performance, maxTokensPerS: (mix) => sustainedTokensPerS(performance, mix) };
}
