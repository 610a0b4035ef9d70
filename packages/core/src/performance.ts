import type { Policy } from './policy.js';
import type { ModelId, SkuId } from './ids.js';

/** One way to run a model: how many GPUs of which SKU, tensor parallel, hold one replica. */
export interface Deployment {
  /** The model that is run. */
  readonly modelId: ModelId;
  /** The hosts that it is run on. */
  readonly skuId: SkuId;
  /** GPUs of one instance, which is also its tensor-parallel degree: 1 or more. */
  readonly gpusPerInstance: number;
}

/** The mean shape of requests, from which throughput follows. */
export interface TokenMix {
  /** Tokens of a mean prompt, 0 or more. */
  readonly promptTokens: number;
  /** Tokens of a mean answer, 0 or more. */
  readonly outputTokens: number;
}

/**
 * Speed and memory of one deployment.
 *
 * Contract: `iterationMs` is finite, positive, and does not decrease in any argument; it is called
 * for every iteration and allocates nothing.
 */
export interface DeploymentPerformance {
  /** KV-cache tokens that fit beside the weights on one instance, above 0. */
  readonly kvCapacityTokens: number;
  /**
   * Prompt plus output tokens per second that an instance sustains on this mix with a full batch,
   * above 0.
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
  /**
   * Speed and memory of `deployment`. The same one gives the same figures; what is returned may be
   * kept and does not change.
   */
  forDeployment(deployment: Deployment): DeploymentPerformance;
}
