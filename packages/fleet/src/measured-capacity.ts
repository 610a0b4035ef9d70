import type { TokenMix } from '@sageserve/core';

/** What one deployment carries while every tier meets its objective. */
export interface MeasuredCapacity {
  /** Share (0–1) of its full throughput. */
  readonly throughputShare: number;
  /**
   * Mean KV-cache utilisation at that load: models differ in how much of their memory they fill
   * before they are slow.
   */
  readonly kvCacheUtilization: number;
  /** Mean tokens of the requests that it was measured with: those of the scenario. */
  readonly mix: TokenMix;
}

/** By `model/sku/gpus`. */
export type MeasuredCapacities = ReadonlyMap<string, MeasuredCapacity>;

export function deploymentKey(model: string, sku: string, gpusPerInstance: number): string {
  return `${model}/${sku}/${gpusPerInstance}`;
}
