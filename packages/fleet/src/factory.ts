import type { ModelId, PlacementPlan, RegionRouter, ReleasePolicy, Rng, ScalingPolicy } from '@sageserve/core';
import type { PoolLayout } from '@sageserve/scaling';
import type { PolicyOptions } from './policy-options.js';

/** What a factory may use beside its own options. */
export interface FactoryContext {
  readonly rng: Rng;
  /** Names of the fleet's regions, in the order of their indices. */
  readonly regions: readonly string[];
  /** Names of the fleet's models. */
  readonly models: readonly string[];
  /** The plan in force, for policies that follow it. */
  readonly plan: () => PlacementPlan | undefined;
  /**
   * KV-cache utilisation of a model's endpoints at the largest load within the objectives;
   * undefined where it was not measured. It is measured for a factory that reads this property,
   * before the run begins.
   */
  readonly kvWithinObjectives: (modelId: ModelId) => number | undefined;
}

/** What a strategy asks of forecast and placement. */
export interface StrategyPlanning {
  /** One plan for the peak of the hour, as in the paper, or one for each bucket of the horizon. */
  readonly windows: 'peak' | 'each';
  /**
   * Non-interactive work in the program: the paper's share of the last hour, or what waits, within
   * so many hours.
   */
  readonly deferrable: 'buffer' | { readonly drainHours: number };
  /**
   * Share (under 1) of what an instance carries within its objectives that is left free in the
   * plan; below 0 it is planned fuller than that, up to its full throughput.
   */
  readonly headroom: number;
  /** Quantile of the forecast that capacity must carry; the fleet's unless given. */
  readonly demandQuantile?: number;
  /** How often a plan is made (ms); every hour unless given. */
  readonly everyMs?: number;
  /** Knows the future: for the bound that nothing real can beat. */
  readonly foresight?: boolean;
}

/** Makes a policy from options. One call serves one run. */
export type Factory<T> = (options: PolicyOptions, context: FactoryContext) => T;

/** A scaling strategy: a policy, and how it lays out the fleet. */
export interface Strategy {
  readonly scaling: ScalingPolicy;
  /** Pools that each endpoint is split into; one shared pool where it is undefined. */
  readonly pools?: readonly PoolLayout[];
  /** Takes the place of the fleet's release policy. */
  readonly release?: ReleasePolicy;
  /** Takes the place of the fleet's region router, given that. */
  readonly regionRouter?: (otherwise: RegionRouter) => RegionRouter;
  /** Forecasts and plans; without it the strategy is reactive only. */
  readonly planning?: StrategyPlanning;
}
