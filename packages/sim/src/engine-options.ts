/** How an instance batches. Every field has a default in {@link DEFAULT_ENGINE}. */
export interface EngineOptions {
  /** Requests that one batch may hold. */
  readonly maxBatchRequests: number;
  /**
   * Tokens that one iteration may take: prompt tokens only, or prompt plus decode tokens with
   * chunked prefill. `Infinity` lifts the limit.
   */
  readonly maxBatchTokens: number;
  /**
   * Cut prompts into chunks that fill the iteration's token budget, as vLLM does, instead of taking
   * each whole.
   */
  readonly chunkedPrefill: boolean;
  /**
   * `growth`: KV memory grows by a token per request and iteration, and when it runs out the
   * request of lowest priority is put back and computed again. `reserve`: memory for the whole
   * output is set aside when decoding begins, as the paper's artifact does.
   */
  readonly kvAllocation: 'growth' | 'reserve';
  /**
   * Share (0–1) of KV memory that admission leaves free under `growth`, so that running requests
   * can grow.
   */
  readonly kvWatermark: number;
}

/** Limits of vLLM V1 on data-centre GPUs. */
export const DEFAULT_ENGINE: EngineOptions = {
  maxBatchRequests: 1_024,
  maxBatchTokens: 8_192,
  chunkedPrefill: false,
  kvAllocation: 'growth',
  kvWatermark: 0.01,
};
