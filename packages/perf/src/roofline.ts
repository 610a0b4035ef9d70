import type { Deployment, DeploymentPerformance, PerformanceModel } from '@sageserve/core';
import { gpuOf, kvCapacityTokens, shapeOf } from './deployment.js';
import { kvBytesPerToken, layerParameters } from './model-shapes.js';
import { sustainedTokensPerS } from './throughput.js';

/** Efficiencies and overheads of the roofline. */
export interface RooflineConstants {
  /** Share of the peak tensor rate that is reached. */
  readonly flopsShare: number;
  /** Share of the peak memory bandwidth that is reached. */
  readonly bandwidthShare: number;
  /** Fixed time of a layer (ms). */
  readonly layerMs: number;
  /** Share of the interconnect's bandwidth that the all-reduces reach. */
  readonly allReduceShare: number;
  /** Time that each running request adds to an iteration (ms). */
  readonly requestMs: number;
}

/**
 * Fitted on measured serving points (time per output token at a concurrency) of Llama-3.1-8B,
 * Llama-3.1-70B and Qwen3-32B on H100 and B200 under engines of 2025 (ai-dynamo/aiconfigurator,
 * Apache-2.0). `npm run verify -- roofline` prints its error on those at 16 bits. Engines of 2023,
 * which the tables for Llama-2-70B and Bloom-176B were measured on, are slower than this.
 */
export const ROOFLINE_2025: RooflineConstants = {
  flopsShare: 0.602,
  bandwidthShare: 0.893,
  layerMs: 0.0635,
  allReduceShare: 0.37,
  requestMs: 0.0153,
};

/**
 * Iteration time from first principles for any pair of model and GPU: the slower of arithmetic and
 * memory traffic, plus fixed time per layer, all-reduces and requests. At 16 bits, dense models.
 */
export function createRooflinePerformanceModel(constants: RooflineConstants = ROOFLINE_2025): PerformanceModel {
  return { name: 'roofline', forDeployment: (deployment) => roofline(deployment, constants) };
}

function roofline(deployment: Deployment, constants: RooflineConstants): DeploymentPerformance {
  const shape = shapeOf(deployment.modelId);
  const gpu = gpuOf(deployment.skuId);
  const gpus = deployment.gpusPerInstance;
  const { layers, hiddenSize, vocabularySize } = shape;
  const attentionWidth = shape.attentionHeads * shape.headDimension;
  const weights = layers * layerParameters(shape);
  const kvBytes = kvBytesPerToken(shape);
  const head = vocabularySize * hiddenSize;
  const msPerFlop = 1_000 / (gpus * gpu.bf16FlopsPerS * constants.flopsShare);
  const msPerByte = 1_000 / (gpus * gpu.memoryBytesPerS * constants.bandwidthShare);
  // Two all-reduces a layer, each moving 2 (n − 1) / n of the activations.
  const allReduceMsPerToken =
    (1_000 * 2 * layers * hiddenSize * 2 * ((2 * (gpus - 1)) / gpus)) /
    (gpu.interconnectBytesPerS * constants.allReduceShare);
  const fixedMs = layers * constants.layerMs;
  const performance = {
    kvCapacityTokens: kvCapacityTokens(deployment),
    iterationMs(
      prefillTokens: number,
      decodeRequests: number,
      kvTokens: number,
      prefillContextTokens: number,
      prefillRequests: number,
    ): number {
      const tokens = prefillTokens + decodeRequests;
      const sequences = decodeRequests + prefillRequests;
      // A prompt token attends to half of its own prompt on average, and to all of its earlier
      // chunks.
      const ownPrompt = prefillRequests > 0 ? prefillTokens / prefillRequests / 2 : 0;
      const earlier = prefillRequests > 0 ? prefillContextTokens / prefillRequests : 0;
      const attended = prefillTokens * (ownPrompt + earlier) + kvTokens;
      const flops = 2 * weights * tokens + 2 * head * sequences + 4 * layers * attentionWidth * attended;
      const bytes = 2 * weights + 2 * head + kvBytes * (kvTokens + prefillContextTokens + tokens);
      const computeMs = flops * msPerFlop;
      const memoryMs = bytes * msPerByte;
      return (
        (computeMs > memoryMs ? computeMs : memoryMs) +
        fixedMs +
        allReduceMsPerToken * tokens +
        constants.requestMs * decodeRequests
      );
    },
  };
  return { ...performance, maxTokensPerS: (mix) => sustainedTokensPerS(performance, mix) };
}
