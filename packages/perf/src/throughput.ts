import type { DeploymentPerformance, TokenMix } from '@sageserve/core';

/** Requests that a batch holds at most when throughput is estimated: vLLM's usual limit. */
const BATCH_LIMIT = 256;

/**
 * How long an iteration of prompt tokens alone may last (ms): three quarters of the 200 ms between
 * tokens that MLPerf Inference allows a server of Llama-2-70B, so that the decodes beside the
 * prompts have the rest.
 */
export const CHUNK_MS = 150;
/** Budgets are multiples of this, as engines are configured by people. */
const CHUNK_STEP = 128;
const LEAST_STEPS = 2;
/** 8,192 tokens: what vLLM's server takes on its largest GPUs. */
const MOST_STEPS = 64;

/**
 * Tokens that an iteration may take: the largest multiple of 128, from 256 to 8,192, of which an
 * iteration of prompt tokens alone lasts no longer than `chunkMs`.
 */
export function chunkTokens(performance: Pick<DeploymentPerformance, 'iterationMs'>, chunkMs = CHUNK_MS): number {
  let low = LEAST_STEPS;
  let high = MOST_STEPS;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (performance.iterationMs(middle * CHUNK_STEP, 0, 0, 0, 1) <= chunkMs) low = middle;
    else high = middle - 1;
  }
  return low * CHUNK_STEP;
}

/**
 * Prompt plus output tokens per second of a saturated instance whose prompts come in chunks: in a
 * steady state each iteration takes as many prompt tokens as the answers that it carries on need,
 * and the batch is the one with the highest rate of all that its memory and its token budget
 * ({@link chunkTokens}) hold. A fleet within its objectives sustains less.
 */
export function sustainedTokensPerS(
  performance: Pick<DeploymentPerformance, 'kvCapacityTokens' | 'iterationMs'>,
  { promptTokens, outputTokens }: TokenMix,
): number {
  const outputs = Math.max(1, outputTokens);
  const promptsPerOutput = promptTokens / outputs;
  const contextTokens = promptTokens + outputs / 2;
  const budget = chunkTokens(performance);
  const memory = performance.kvCapacityTokens / (promptTokens + outputs);
  const most = Math.floor(Math.min(BATCH_LIMIT, memory, budget / (1 + promptsPerOutput)));
  // One answer takes prompts that fill more than an iteration: there is not a decode in every one.
  if (most < 1) {
    const prefill = Math.min(budget - 1, promptTokens);
    return ((prefill + prefill / promptsPerOutput) * 1_000) / performance.iterationMs(prefill, 1, contextTokens, 0, 1);
  }
  let best = 0;
  for (let batch = 1; batch <= most; batch++) {
    // The prompts that a mean iteration has in it are as many as end: a part of one, where it takes
    // several.
    const ms = performance.iterationMs(batch * promptsPerOutput, batch, batch * contextTokens, 0, batch / outputs);
    best = Math.max(best, (batch * (1 + promptsPerOutput) * 1_000) / ms);
  }
  return best;
}
