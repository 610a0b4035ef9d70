import { SageServeError } from './errors.js';
import type { ModelId, RegionId, SkuId } from './ids.js';
import type { Awaitable } from './units.js';

/** Numbers over model × region × SKU, always in that order, in one flat column. */
export class PlacementGrid {
  readonly models: number;
  readonly regions: number;
  readonly skus: number;
  readonly values: Float64Array;

  constructor(models: number, regions: number, skus: number, values?: Float64Array) {
    if (values !== undefined && values.length !== models * regions * skus) {
      throw new SageServeError('ERR_GRID_SHAPE', `a grid of ${models} × ${regions} × ${skus} needs ${models * regions * skus} values, not ${values.length}`);
    }
    this.models = models;
    this.regions = regions;
    this.skus = skus;
    this.values = values ?? new Float64Array(models * regions * skus);
  }

  /** Throws `SageServeError` (ERR_GRID_INDEX) outside the grid. */
  at(model: number, region: number, sku: number): number {
    return this.values[this.#offset(model, region, sku)]!;
  }

  set(model: number, region: number, sku: number, value: number): void {
    this.values[this.#offset(model, region, sku)] = value;
  }

  #offset(model: number, region: number, sku: number): number {
    if (!(model >= 0 && model < this.models && region >= 0 && region < this.regions && sku >= 0 && sku < this.skus)) {
      throw new SageServeError('ERR_GRID_INDEX', `(${model}, ${region}, ${sku}) is outside a grid of ${this.models} × ${this.regions} × ${this.skus}`);
    }
    return (model * this.regions + region) * this.skus + sku;
  }
}

/** The hourly question: how many instances of each model on each SKU each region should hold. */
export interface PlacementProblem {
  readonly models: readonly ModelId[];
  readonly regions: readonly RegionId[];
  readonly skus: readonly SkuId[];
  readonly current: PlacementGrid;
  readonly minInstances: PlacementGrid;
  readonly maxInstances: PlacementGrid;
  /** Tokens/s that one instance sustains within its objective; 0 where the model cannot run on the SKU. `[model][sku]` as a grid with one region. */
  readonly tokensPerSPerInstance: PlacementGrid;
  readonly gpusPerInstance: PlacementGrid;
  /** GPUs by region and SKU, as a grid with one model; `Infinity` where there is no cap. */
  readonly gpuCapacity: PlacementGrid;
  readonly usdPerInstanceHour: Float64Array;
  /** Price of starting one instance, as a grid with one region. */
  readonly startUsd: PlacementGrid;
  /** Forecast tokens/s by window: one grid (with one SKU) for each. */
  readonly demandTokensPerS: readonly PlacementGrid[];
  /** Share (0–1) of a region's own peak that must be servable in it. */
  readonly localShare: number;
}

/** What should run where, and how much of each region's demand each region serves. */
export interface PlacementPlan {
  readonly models: readonly ModelId[];
  readonly regions: readonly RegionId[];
  readonly skus: readonly SkuId[];
  readonly target: PlacementGrid;
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

/** An outcome is a value: an infeasible or unfinished solve is not an exception. */
export interface PlacementSolution {
  readonly status: 'optimal' | 'feasible' | 'infeasible' | 'timed-out';
  readonly target: PlacementGrid | undefined;
  readonly objectiveUsd: number | undefined;
  readonly relativeGap: number | undefined;
  readonly solver: string;
}

export interface PlacementOptions {
  readonly timeLimitMs?: number;
  readonly relativeGap?: number;
  readonly signal?: AbortSignal;
}

/** Solves the placement problem. Contract: a returned target satisfies every constraint of the problem; time limit and abort end the solve. */
export interface PlacementOptimizer {
  readonly name: string;
  solve(problem: PlacementProblem, options?: PlacementOptions): Awaitable<PlacementSolution>;
}
