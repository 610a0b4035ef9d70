import type { ScalingPolicy, WorkloadTier } from '@sageserve/core';
import { createReactiveScaling, type ReactiveScalingOptions } from './reactive.js';

/** One of several pools that share a region's GPUs but not their instances. */
export interface PoolLayout {
  readonly pool: string;
  readonly tiers: readonly WorkloadTier[];
  /** Share (0–1) of the endpoint's instances that the pool starts with. */
  readonly share: number;
  /**
   * Fewest instances of the pool. Unless given, the pools have the endpoint's floor between them,
   * those that come first one more where it can't be split evenly.
   */
  readonly minInstances?: number;
}

/**
 * Sixteen of twenty instances for interactive work and four for the rest: what clouds did before
 * (arXiv 2502.14617, section 5).
 */
export const SILOED_POOLS: readonly PoolLayout[] = [
  { pool: 'interactive', tiers: ['interactive-fast', 'interactive-normal'], share: 0.8 },
  { pool: 'batch', tiers: ['non-interactive'], share: 0.2 },
];

/** Scales each silo on its own utilisation. Meant for a fleet laid out by {@link SILOED_POOLS}. */
export function createSiloedScaling(options: ReactiveScalingOptions = {}): ScalingPolicy {
  return { ...createReactiveScaling(options), name: 'siloed' };
}
