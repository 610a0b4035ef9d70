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
  /** How many it began with, where that is known: a simulated fleet knows it. */
  readonly initialInstances?: number | undefined;
  readonly readyInstances: number;
  readonly provisioningInstances: number;
  readonly drainingInstances: number;
  /** KV-cache tokens in use ÷ capacity over ready instances, 0–1. */
  readonly kvCacheUtilization: number | undefined;
  readonly queuedRequests: number | undefined;
  readonly queuedTokens: number | undefined;
  readonly runningRequests: number | undefined;
  /**
   * Prompt plus output tokens of requests that arrived for this endpoint's region and model, per
   * second over the last minute.
   */
  readonly demandTokensPerS: number | undefined;
  /**
   * How long the last instances took from being asked for to being ready: the longest of the last
   * few. Absent or undefined before the first.
   */
  readonly provisioningDelayMs?: number | undefined;
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

/** Interactive demand of one model as it comes from one region, wherever it is served. */
export interface DemandSnapshot {
  readonly modelId: ModelId;
  readonly regionId: RegionId;
  /**
   * Prompt plus output tokens per second over the last five minutes; output counts as it is known,
   * when requests complete. `undefined` before anything was seen.
   */
  readonly interactiveTokensPerS: number | undefined;
}

/** Non-interactive work of one model that waits, over all regions. */
export interface BacklogSnapshot {
  readonly modelId: ModelId;
  readonly requests: number;
  /** Prompt tokens of those requests; what they will put out is not known. */
  readonly promptTokens: number;
  /** `Infinity` where nothing waits. */
  readonly earliestDeadlineAtMs: number;
  /** How many must end by then, for a few times ahead, rising. */
  readonly due: readonly { readonly atMs: number; readonly requests: number }[];
  /**
   * Prompt plus output tokens of non-interactive requests that arrived, per second over the last
   * hour; `undefined` before anything was seen.
   */
  readonly arrivedTokensPerS: number | undefined;
}

/**
 * The whole fleet at one moment. Borrowed for the duration of the call unless a host says
 * otherwise.
 */
export interface FleetSnapshot {
  readonly takenAtMs: number;
  readonly endpoints: readonly EndpointSnapshot[];
  readonly capacity: readonly CapacitySnapshot[];
  /** Absent where a host does not tell demand by origin. */
  readonly demand?: readonly DemandSnapshot[];
  /** Absent where nothing is held back. */
  readonly backlog?: readonly BacklogSnapshot[];
}
