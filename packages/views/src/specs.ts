import type { ModelId, RegionId, WorkloadTier } from '@sageserve/core';

/** Instances that share the work of one model and some tiers in one region. */
export interface PoolSpec {
  /** Names the pool. */
  readonly key: string;
  readonly modelId: ModelId;
  readonly regionId: RegionId;
  /**
   * What it serves. Of two pools that serve one tier of a model in a region, requests go to the
   * first that was set, which may pass them on to the second.
   */
  readonly tiers: readonly WorkloadTier[];
}

/** What is known of an instance without reading its load. */
export interface InstanceSpec {
  /** Names it in the whole fleet. */
  readonly instanceId: string;
  /** Whether it takes new requests. */
  readonly isReady: boolean;
  /** Tokens that its KV cache holds; `undefined` where that is not known. */
  readonly kvCapacityTokens: number | undefined;
}
