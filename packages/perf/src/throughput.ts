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

/** Work of an engine, whatever requests it belongs to. */
export interface EngineWork {
  readonly promptTokens: number;
  /** Requests that the prompt tokens belong to. */
  readonly prompts: number;
  /** Output tokens but the first of each request, which comes with its prompt. */
  readonly decodes: number;
  /** Context that those decodes read, in tokens: prompt and answer so far, for each. */
  readonly contextTokens: number;
}

/** What an iteration of an engine may hold. */
export interface BatchLimits {
  readonly maxBatchTokens: number;
  readonly maxBatchRequests: number;
  readonly chunkedPrefill: boolean;
}

/** Batches of a twelfth more each time are looked at. */
const MORE = 13 / 12;

/**
 * How long a saturated instance takes for some work, in milliseconds: its decodes in batches of the
 * size that is fastest of those that memory and the limits allow, prompts beside them as far as
 * there is room, and what is left of the prompts in iterations of their own. Nothing waits for
 * anything else: there are other requests beside it.
 */
export function saturatedMs(
  performance: Pick<DeploymentPerformance, 'kvCapacityTokens' | 'iterationMs'>,
  { maxBatchTokens, maxBatchRequests, chunkedPrefill }: BatchLimits,
  { promptTokens, prompts, decodes, contextTokens }: EngineWork,
): number {
  const tokensEach = prompts > 0 ? promptTokens / prompts : 0;
  // An engine that cuts no prompts takes one of any length whole, and counts no decodes beside it.
  const budget = Math.min(
    performance.kvCapacityTokens,
    chunkedPrefill ? maxBatchTokens : Math.max(maxBatchTokens, tokensEach),
  );
  const promptsMs = (tokens: number): number =>
    tokens > 0 ? (tokens / budget) * performance.iterationMs(budget, 0, 0, 0, budget / tokensEach) : 0;
  if (decodes === 0) return promptsMs(promptTokens);
  const contextEach = contextTokens / decodes;
  const most = Math.max(
    1,
    Math.floor(
      Math.min(
        maxBatchRequests,
        chunkedPrefill ? maxBatchTokens - (promptTokens > 0 ? 1 : 0) : Infinity,
        performance.kvCapacityTokens / contextEach,
      ),
    ),
  );
  let least = Infinity;
  for (let batch = 1; ; batch = Math.min(most, Math.ceil(batch * MORE))) {
    const iterations = decodes / batch;
    const room = Math.min(budget - (chunkedPrefill ? batch : 0), performance.kvCapacityTokens - batch * contextEach);
    const beside = Math.min(promptTokens, iterations * Math.max(0, room));
    const each = beside / iterations;
    const ms = iterations * performance.iterationMs(each, batch, batch * contextEach, 0, each / (tokensEach || 1));
    least = Math.min(least, ms + promptsMs(promptTokens - beside));
    if (batch === most) return least;
  }
}
