import type { Policy } from './policy.js';
import type { ModelId, SkuId } from './ids.js';

/** One way to run a model: how many GPUs of which SKU, tensor parallel, hold one replica. */
export interface Deployment {
  readonly modelId: ModelId;
  readonly skuId: SkuId;
  /** GPUs of one instance, which is also its tensor-parallel degree. */
  readonly gpusPerInstance: number;
}

/** The mean shape of requests, from which throughput follows. */
export interface TokenMix {
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/**
 * Speed and memory of one deployment.
 *
 * Contract: `iterationMs` is finite, positive, and does not decrease in any argument; it is called
 * for every iteration and allocates nothing.
 */
export interface DeploymentPerformance {
  /** KV-cache tokens that fit beside the weights on one instance. */
  readonly kvCapacityTokens: number;
  /**
   * Prompt plus output tokens per second that an instance sustains on this mix with a full batch.
   */
  maxTokensPerS(mix: TokenMix): number;
  /**
   * Duration of one iteration in milliseconds.
   * @param prefillTokens prompt tokens processed in it
   * @param decodeRequests running requests, each of which produces one token
   * @param kvTokens context tokens that those requests hold, in total
   * @param prefillContextTokens KV tokens that earlier chunks of the same prompts left, read again
   *   by a chunked prefill; 0 without chunking
   * @param prefillRequests how many requests the prompt tokens belong to
   */
  iterationMs(
    prefillTokens: number,
    decodeRequests: number,
    kvTokens: number,
    prefillContextTokens: number,
    prefillRequests: number,
  ): number;
}

/**
 * Knows how fast models run. Throws `ConfigError` for a deployment that can't work, such as weights
 * that do not fit.
 */
export interface PerformanceModel extends Policy {
  forDeployment(deployment: Deployment): DeploymentPerformance;
}
