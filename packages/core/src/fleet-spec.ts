import type { ModelId, RegionId, SkuId } from './ids.js';
import type { DeploymentPerformance } from './performance.js';
import type { WorkloadTier } from './tiers.js';

/** A kind of GPU host: what it costs and how long each way of getting an instance takes. */
export interface SkuSpec {
  /** Its name, once in a fleet. */
  readonly skuId: SkuId;
  /** Price of one GPU for an hour (US dollars); 0 where prices do not matter. */
  readonly usdPerGpuHour: number;
  /** What a GPU that is donated as spot earns in an hour (US dollars); 0 unless given. */
  readonly usdPerSpotGpuHour?: number;
  /** Reclaim a spot-donated instance that holds the model's weights (ms). */
  readonly reclaimMs: number;
  /** Redeploy a spot-donated instance that holds another model (ms). */
  readonly redeployMs: number;
  /** A new VM, or weights from another region (ms). */
  readonly newVmMs: number;
}

/**
 * Delays of arXiv 2502.14617, sections 2.3 and 6: about a minute, about ten minutes, and tens of
 * minutes.
 */
export const DEFAULT_ACQUISITION = { reclaimMs: 65_000, redeployMs: 600_000, newVmMs: 2_400_000 } as const;

/**
 * Round trip between two regions of which nothing is known (ms): in the range of the United States'
 * coasts and centre.
 */
export const DEFAULT_NETWORK_RTT_MS = 40;

/** One endpoint: the instances of one model on one SKU in one pool of one region. */
export interface EndpointSpec {
  /** The region that it is in: one of the fleet's. */
  readonly region: RegionId;
  /** The model that it serves: one of the fleet's. */
  readonly model: ModelId;
  /** The hosts that its instances run on: one of the fleet's. */
  readonly sku: SkuId;
  /** `shared`, or the name of a pool that serves only `tiers`. */
  readonly pool: string;
  /** Tiers that the pool serves. */
  readonly tiers: readonly WorkloadTier[];
  /** GPUs that one instance takes, 1 or more. */
  readonly gpusPerInstance: number;
  /** How fast one instance is. */
  readonly performance: DeploymentPerformance;
  /**
   * Tokens that one iteration of its engine takes, 1 or more: what vLLM calls
   * `max_num_batched_tokens`. What the host's engine would take unless given.
   */
  readonly maxBatchTokens?: number;
  /** Instances that are ready at the start, from `minInstances` to `maxInstances`. */
  readonly initialInstances: number;
  /**
   * Instances that are donated as spot at the start and hold the model's weights; 0 unless given.
   */
  readonly initialSpotInstances?: number;
  /** The fewest instances that it is scaled in to. */
  readonly minInstances: number;
  /** The most instances that it is scaled out to. */
  readonly maxInstances: number;
}

/** A fleet without its traffic: what a simulator and a controller of a real one both start from. */
export interface FleetSpec {
  /** Regions, in the order of their indices. */
  readonly regions: readonly RegionId[];
  /** Models, in the order of their indices. */
  readonly models: readonly ModelId[];
  /** Kinds of GPU hosts, in the order of their indices. */
  readonly skus: readonly SkuSpec[];
  /** Every endpoint; there may be several of one model in a region. */
  readonly endpoints: readonly EndpointSpec[];
  /** GPUs by region and SKU, `[region][sku]`: they hold endpoints, draining and spot instances. */
  readonly gpuCapacity: readonly (readonly number[])[];
  /**
   * Round trips between regions (ms), `[from][to]`. Charged to a request that is served away from
   * home, all of it before its first token.
   */
  readonly networkRttMs: readonly (readonly number[])[];
}
