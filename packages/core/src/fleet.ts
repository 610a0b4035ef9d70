import type { EndpointId, ModelId, RegionId, SkuId } from './ids.js';
import type { WorkloadTier } from './tiers.js';
import { MS_PER_MIN } from './units.js';

/**
 * How an instance is had, cheapest first: by putting a draining one back, by taking back a donated
 * one of the same model or of another, or on a new host.
 */
export type AcquisitionKind = 'resume' | 'reclaim' | 'redeploy' | 'new-vm';

/**
 * How long instances took of late from being asked for to being ready, by the way they were had.
 */
export interface ProvisioningDelay {
  /** How they were had. */
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
  /** Its name, once in a snapshot. */
  readonly endpointId: EndpointId;
  /** The model that it serves. */
  readonly modelId: ModelId;
  /** The region that it is in. */
  readonly regionId: RegionId;
  /** The hosts that its instances run on. */
  readonly skuId: SkuId;
  /** `shared`, or the name of a pool that serves only some tiers. */
  readonly pool: string;
  /** The tiers that it serves. */
  readonly tiers: readonly WorkloadTier[];
  /** GPUs that one instance takes, 1 or more. */
  readonly gpusPerInstance: number;
  /** The fewest instances that it may have, ready and provisioning together: 0 or more. */
  readonly minInstances: number;
  /** The most that it may have; `minInstances` or more. */
  readonly maxInstances: number;
  /** How many it began with, where that is known: a simulated fleet knows it. */
  readonly initialInstances?: number | undefined;
  /**
   * When its figures were read, in the host's time (ms); the snapshot's `takenAtMs` unless given.
   */
  readonly observedAtMs?: number | undefined;
  /** Instances that take requests; `undefined` where nobody has counted them. */
  readonly readyInstances: number | undefined;
  /** Instances that are asked for and not ready yet; `undefined` where nobody has counted them. */
  readonly provisioningInstances: number | undefined;
  /**
   * Instances that finish what they have and take nothing new; `undefined` where that is not known.
   */
  readonly drainingInstances: number | undefined;
  /**
   * KV-cache tokens in use ÷ capacity over ready instances, 0–1; `undefined` where none is ready or
   * none was read.
   */
  readonly kvCacheUtilization: number | undefined;
  /** Requests that no instance has begun; `undefined` where that is not known. */
  readonly queuedRequests: number | undefined;
  /** Prompt tokens of those; `undefined` where that is not known. */
  readonly queuedTokens: number | undefined;
  /** Requests that instances have begun and not ended; `undefined` where that is not known. */
  readonly runningRequests: number | undefined;
  /**
   * Prompt plus output tokens of requests that arrived for this endpoint's region and model, per
   * second over the last minute; `undefined` where that is not known.
   */
  readonly demandTokensPerS: number | undefined;
  /**
   * How long the last instances took from being asked for to being ready: the longest of the last
   * few (ms), whatever the way. Absent or `undefined` before the first.
   */
  readonly provisioningDelayMs?: number | undefined;
  /** The same apart, once for each way that was gone of late. Absent where a host does not tell. */
  readonly provisioningDelays?: readonly ProvisioningDelay[] | undefined;
}

/** An endpoint of which it is known how many instances it has and is getting. */
export interface CountedEndpoint extends EndpointSnapshot {
  /** Instances that take requests, 0 or more. */
  readonly readyInstances: number;
  /** Instances that are asked for and not ready yet, 0 or more. */
  readonly provisioningInstances: number;
}

/** Whether it is known how many instances an endpoint has and is getting. */
export function isCounted(endpoint: EndpointSnapshot): endpoint is CountedEndpoint {
  return endpoint.readyInstances !== undefined && endpoint.provisioningInstances !== undefined;
}

/**
 * Where an endpoint stands in a snapshot, or −1. It is looked for from `from` on, and then before
 * it: of decisions in the snapshot's order each is found at once, from behind the one before it.
 */
export function indexOfEndpoint({ endpoints }: FleetSnapshot, id: EndpointId, from = 0): number {
  for (let i = Math.max(0, from); i < endpoints.length; i++) if (endpoints[i]!.endpointId === id) return i;
  for (let i = Math.min(from, endpoints.length) - 1; i >= 0; i--) if (endpoints[i]!.endpointId === id) return i;
  return -1;
}

/**
 * An endpoint of which nothing is known but what it is: how many instances it has and what they do
 * is not.
 */
export function withoutFigures(endpoint: EndpointSnapshot): EndpointSnapshot {
  return {
    ...endpoint,
    readyInstances: undefined,
    provisioningInstances: undefined,
    drainingInstances: undefined,
    kvCacheUtilization: undefined,
    queuedRequests: undefined,
    queuedTokens: undefined,
    runningRequests: undefined,
    demandTokensPerS: undefined,
    provisioningDelayMs: undefined,
    provisioningDelays: undefined,
  };
}

/** GPUs and donated instances of one region and SKU. */
export interface CapacitySnapshot {
  /** The region. */
  readonly regionId: RegionId;
  /** The kind of hosts. */
  readonly skuId: SkuId;
  /** GPUs that there are; `undefined` where a cloud does not tell. */
  readonly gpuCapacity: number | undefined;
  /** GPUs held by endpoints, draining and spot instances; `undefined` where that is not known. */
  readonly gpusInUse: number | undefined;
  /**
   * Instances that earn as spot and can be reclaimed, by the model whose weights they hold. Absent
   * where nothing is donated.
   */
  readonly spotInstances?: ReadonlyMap<ModelId, number> | undefined;
}

/** Over how long a {@link DemandSnapshot} is a mean (ms). */
export const DEMAND_WINDOW_MS = 5 * MS_PER_MIN;

/** Interactive demand of one model as it comes from one region, wherever it is served. */
export interface DemandSnapshot {
  /** The model that was asked for. */
  readonly modelId: ModelId;
  /** The region that the requests came from. */
  readonly regionId: RegionId;
  /**
   * Prompt plus output tokens per second over the last {@link DEMAND_WINDOW_MS}; output counts as
   * it is known, when requests complete. `undefined` before anything was seen.
   */
  readonly interactiveTokensPerS: number | undefined;
}

/** Non-interactive work of one model that waits, over all regions. */
export interface BacklogSnapshot {
  /** The model that is to serve it. */
  readonly modelId: ModelId;
  /** Requests that are held back, 0 or more. */
  readonly requests: number;
  /** Prompt tokens of those requests; what they will put out is not known. */
  readonly promptTokens: number;
  /** Deadline of the most urgent one, in the host's time (ms); `Infinity` where nothing waits. */
  readonly earliestDeadlineAtMs: number;
  /** How many must end by `atMs`, in the host's time, for a few times ahead; both rise. */
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
  /** Every endpoint, once, in no order that means anything. */
  readonly endpoints: readonly EndpointSnapshot[];
  /** Each region and SKU once. Absent where a host does not know its GPUs. */
  readonly capacity?: readonly CapacitySnapshot[];
  /** Each model and region of origin once. Absent where a host does not tell demand by origin. */
  readonly demand?: readonly DemandSnapshot[];
  /** Each model once. Absent where nothing is held back. */
  readonly backlog?: readonly BacklogSnapshot[];
}
