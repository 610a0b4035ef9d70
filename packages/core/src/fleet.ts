import type { EndpointId, ModelId, RegionId, SkuId } from './ids.js';
import type { WorkloadTier } from './tiers.js';

/** One endpoint at one moment. What is unknown is `undefined`, never 0. */
export interface EndpointSnapshot {
  readonly endpointId: EndpointId;
  readonly modelId: ModelId;
  readonly regionId: RegionId;
  readonly skuId: SkuId;
  /** `shared`, or the name of a pool that serves only some tiers. */
  readonly pool: string;
  readonly tiers: readonly WorkloadTier[];
  readonly gpusPerInstance: number;
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly readyInstances: number;
  readonly provisioningInstances: number;
  readonly drainingInstances: number;
  /** KV-cache tokens in use ÷ capacity over ready instances, 0–1. */
  readonly kvCacheUtilization: number | undefined;
  readonly queuedRequests: number | undefined;
  readonly queuedTokens: number | undefined;
  readonly runningRequests: number | undefined;
  /** Prompt plus output tokens of requests that arrived for this endpoint's region and model, per second over the last minute. */
  readonly demandTokensPerS: number | undefined;
}

/** GPUs and donated instances of one region and SKU. */
export interface CapacitySnapshot {
  readonly regionId: RegionId;
  readonly skuId: SkuId;
  readonly gpuCapacity: number;
  /** GPUs held by endpoints, draining and spot instances. */
  readonly gpusInUse: number;
  /** Instances that earn as spot and can be reclaimed, by the model whose weights they hold. */
  readonly spotInstances: ReadonlyMap<ModelId, number>;
}

/** The whole fleet at one moment. Borrowed for the duration of the call unless a host says otherwise. */
export interface FleetSnapshot {
  readonly takenAtMs: number;
  readonly endpoints: readonly EndpointSnapshot[];
  readonly capacity: readonly CapacitySnapshot[];
}
