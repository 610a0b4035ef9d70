import type { EndpointId, ModelId, RegionId, SkuId } from './ids.js';
import type { WorkloadTier } from './tiers.js';

/**
 * How an instance is had, cheapest first: by putting a draining one back, by taking back a donated one
 * of the same model or of another, or on a new host.
 */
export type AcquisitionKind = 'resume' | 'reclaim' | 'redeploy' | 'new-vm';

/** How long instances took of late from being asked for to being ready, by the way they were had. */
export interface ProvisioningDelay {
  readonly way: AcquisitionKind;
  /** How many of the last instances it is measured from, 1 or more. */
  readonly count: number;
  /** Half of them took no longer (ms). */
  readonly medianMs: number;
  /** Nine in ten took no longer (ms); the longest, of few. */
  readonly upperMs: number;
}

/** One endpoint at one moment. What is unknown is `undefined`, never 0. */
export interface EndpointSnapshot {
  readonly endpointId: EndpointId;
  readonly modelId: ModelId;
  readonly regionId: RegionId;
  readonly skuId: SkuId;
  /** `shared`, or the name of a pool that serves only some tiers. */
  readonly pool: string;
  /** The tiers that it serves. */
  readonly tiers: readonly WorkloadTier[];
  readonly gpusPerInstance: number;
  /** The fewest and the most instances that it may have, ready and provisioning together. */
  readonly minInstances: number;
  readonly maxInstances: number;
  /** How many it began with, where that is known: a simulated fleet knows it. */
  readonly initialInstances?: number | undefined;
  /** When its figures were read, in the host's time (ms); the snapshot's `takenAtMs` unless given. */
  readonly observedAtMs?: number | undefined;
  /** Instances that take requests. */
  readonly readyInstances: number | undefined;
  /** Instances that are asked for and not ready yet. */
  readonly provisioningInstances: number | undefined;
  /** Instances that finish what they have and take nothing new. */
  readonly drainingInstances: number | undefined;
  /** KV-cache tokens in use ÷ capacity over ready instances, 0–1. */
  readonly kvCacheUtilization: number | undefined;
  /** Requests that no instance has begun. */
  readonly queuedRequests: number | undefined;
  /** Prompt tokens of those. */
  readonly queuedTokens: number | undefined;
  /** Requests that instances have begun and not ended. */
  readonly runningRequests: number | undefined;
  /**
   * Prompt plus output tokens of requests that arrived for this endpoint's region and model, per
   * second over the last minute.
   */
  readonly demandTokensPerS: number | undefined;
  /**
   * How long the last instances took from being asked for to being ready: the longest of the last
   * few, whatever the way. Absent or undefined before the first.
   */
  readonly provisioningDelayMs?: number | undefined;
  /** The same apart for each way that was gone of late. Absent where a host does not tell. */
  readonly provisioningDelays?: readonly ProvisioningDelay[] | undefined;
}

/** An endpoint of which it is known how many instances it has and is getting. */
export interface CountedEndpoint extends EndpointSnapshot {
  readonly readyInstances: number;
  readonly provisioningInstances: number;
}

/** Whether it is known how many instances an endpoint has and is getting. */
export function isCounted(endpoint: EndpointSnapshot): endpoint is CountedEndpoint {
  return endpoint.readyInstances !== undefined && endpoint.provisioningInstances !== undefined;
}

/** GPUs and donated instances of one region and SKU. */
export interface CapacitySnapshot {
  readonly regionId: RegionId;
  readonly skuId: SkuId;
  /** GPUs that there are; `undefined` where a cloud does not tell. */
  readonly gpuCapacity: number | undefined;
  /** GPUs held by endpoints, draining and spot instances. */
  readonly gpusInUse: number | undefined;
  /**
   * Instances that earn as spot and can be reclaimed, by the model whose weights they hold. Absent
   * where nothing is donated.
   */
  readonly spotInstances?: ReadonlyMap<ModelId, number> | undefined;
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
  /** When it was taken, in the host's time (ms); nothing in it is newer. */
  readonly takenAtMs: number;
  /** Each once. */
  readonly endpoints: readonly EndpointSnapshot[];
  /** Absent where a host does not know its GPUs. */
  readonly capacity?: readonly CapacitySnapshot[];
  /** Absent where a host does not tell demand by origin. */
  readonly demand?: readonly DemandSnapshot[];
  /** Absent where nothing is held back. */
  readonly backlog?: readonly BacklogSnapshot[];
}
