import type { DeploymentPerformance, TokenMix } from '@sageserve/core';

/** Requests that a batch holds at most when throughput is estimated: vLLM's usual limit. */
const BATCH_LIMIT = 256;

/**
 * Prompt plus output tokens per second of a saturated instance: as many requests as KV memory holds
 * at mid-output run together, and as many prompts are prefilled as requests end. Each prompt takes
 * one iteration in which the running requests decode too.
 */
export function sustainedTokensPerS(
  performance: Pick<DeploymentPerformance, 'kvCapacityTokens' | 'iterationMs'>,
  mix: TokenMix,
): number {
  const { promptTokens, outputTokens } = mix;
  const contextTokens = promptTokens + outputTokens / 2;
  const batch = Math.max(
    1,
    Math.min(BATCH_LIMIT, Math.floor(performance.kvCapacityTokens / (promptTokens + outputTokens))),
  );
  const decodeMs = performance.iterationMs(0, batch, batch * contextTokens, 0, 0);
  const mixedMs = performance.iterationMs(promptTokens, batch, batch * contextTokens, 0, 1);
  const roundMs = outputTokens * decodeMs + batch * Math.max(0, mixedMs - decodeMs);
  return (batch * (promptTokens + outputTokens)) / (roundMs / 1_000);
}
