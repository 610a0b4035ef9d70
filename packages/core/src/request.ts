import type { ModelId, RegionIndex } from './ids.js';
import type { WorkloadTier } from './tiers.js';

/**
 * What a policy may know of a request. Borrowed: the host reuses the object, so copy what must
 * outlive the call. The true output length is not in it, and hosts must not let it leak through any
 * other field.
 */
export interface RequestView {
  readonly requestId: number;
  readonly modelId: ModelId;
  readonly tier: WorkloadTier;
  readonly originRegion: RegionIndex;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  readonly promptTokens: number;
  /**
   * The limit that the client set on the output, which is usually far above what will be produced.
   */
  readonly maxOutputTokens: number;
}
