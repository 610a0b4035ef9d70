import { ConfigError, type Deployment, UnknownPolicyError } from '@sageserve/core';
import { GPU_SHAPES, type GpuShape } from './gpu-shapes.js';
import { kvBytesPerToken, MODEL_SHAPES, type ModelShape, weightBytes } from './model-shapes.js';

/**
 * Share of GPU memory that an engine takes for weights and KV cache: vLLM's default
 * `gpu_memory_utilization`.
 */
export const GPU_MEMORY_SHARE = 0.9;

const MOST_GPUS = 100_000;

/** Throws `UnknownPolicyError` for a model without a shape. */
export function shapeOf(model: string): ModelShape {
  const shape = MODEL_SHAPES.find((m) => m.modelId === model);
  if (shape === undefined)
    throw new UnknownPolicyError(
      'model',
      model,
      MODEL_SHAPES.map((m) => m.modelId),
    );
  return shape;
}

/** Throws `UnknownPolicyError` for a GPU without constants. */
export function gpuOf(sku: string): GpuShape {
  const gpu = GPU_SHAPES.find((g) => g.skuId === sku);
  if (gpu === undefined)
    throw new UnknownPolicyError(
      'SKU',
      sku,
      GPU_SHAPES.map((g) => g.skuId),
    );
  return gpu;
}

/** KV tokens that fit beside the weights. Throws `ConfigError` where none do. */
export function kvCapacityTokens(deployment: Deployment): number {
  const shape = shapeOf(deployment.modelId);
  const gpu = gpuOf(deployment.skuId);
  const { gpusPerInstance } = deployment;
  if (!(Number.isInteger(gpusPerInstance) && gpusPerInstance >= 1 && gpusPerInstance <= MOST_GPUS))
    throw new ConfigError('gpusPerInstance', `must be a whole number from 1 to ${MOST_GPUS}, not ${gpusPerInstance}`);
  const free = GPU_MEMORY_SHARE * deployment.gpusPerInstance * gpu.memoryBytes - weightBytes(shape);
  const tokens = Math.floor(free / kvBytesPerToken(shape));
  if (!(tokens > 0)) {
    const needed = Math.ceil(weightBytes(shape) / (GPU_MEMORY_SHARE * gpu.memoryBytes));
    throw new ConfigError(
      'gpusPerInstance',
      `${deployment.modelId} does not fit ${deployment.gpusPerInstance} × ${deployment.skuId}: its weights take ` +
        `${(weightBytes(shape) / 1e9).toFixed(0)} GB`,
      {
        hint: `Its weights alone need ${needed} of these GPUs.`,
      },
    );
  }
  return tokens;
}
