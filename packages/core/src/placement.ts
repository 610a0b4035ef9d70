import type { Policy } from './policy.js';
import { SageServeError } from './errors.js';
import type { ModelId, RegionId, SkuId } from './ids.js';
import type { TokenMix } from './performance.js';
import type { Awaitable } from './units.js';

/** Numbers over model × region × SKU, always in that order, in one flat column. */
export class PlacementGrid {
  readonly models: number;
  readonly regions: number;
  readonly skus: number;
  readonly values: Float64Array;

  constructor(models: number, regions: number, skus: number, values?: Float64Array) {
    if (values !== undefined && values.length !== models * regions * skus) {
      throw new SageServeError(
        'ERR_GRID_SHAPE',
        `a grid of ${models} × ${regions} × ${skus} needs ${models * regions * skus} values, not ${values.length}`,
      );
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
      throw new SageServeError(
        'ERR_GRID_INDEX',
        `(${model}, ${region}, ${sku}) is outside a grid of ${this.models} × ${this.regions} × ${this.skus}`,
      );
    }
    return (model * this.regions + region) * this.skus + sku;
  }
}

/**
 * Work that may run anywhere and any time before its deadline, such as a queue of non-interactive
 * requests.
 */
export interface DeferrableWork {
  readonly modelId: ModelId;
  readonly tokens: number;
  /**
   * From the start of the first window on; work due beyond the last window is owed in proportion to
   * the time that the windows cover.
   */
  readonly dueInMs: number;
}

/** The hourly question: how many instances of each model on each SKU each region should hold. */
export interface PlacementProblem {
  readonly models: readonly ModelId[];
  readonly regions: readonly RegionId[];
  readonly skus: readonly SkuId[];
  readonly current: PlacementGrid;
  readonly minInstances: PlacementGrid;
  /** `Infinity` where there is no bound. */
  readonly maxInstances: PlacementGrid;
  /**
   * Tokens/s that one instance sustains within its objective; 0 where the model cannot run on the
   * SKU. `[model][sku]` as a grid with one region.
   */
  readonly tokensPerSPerInstance: PlacementGrid;
  /** `[model][sku]` as a grid with one region. */
  readonly gpusPerInstance: PlacementGrid;
  /** GPUs by region and SKU, as a grid with one model; `Infinity` where there is no cap. */
  readonly gpuCapacity: PlacementGrid;
  /** `[model][sku]` as a grid with one region: instances of one SKU differ in GPUs. */
  readonly usdPerInstanceHour: PlacementGrid;
  /** Price of starting one instance, as a grid with one region. */
  readonly startUsd: PlacementGrid;
  /** Forecast tokens/s by window: one grid (with one SKU) for each. */
  readonly demandTokensPerS: readonly PlacementGrid[];
  /** Share (0–1) of a region's own peak that must be servable in it. */
  readonly localShare: number;
  /** Length of a window: an hour divided by the number of windows unless given. */
  readonly windowMs?: number;
  /**
   * How far demand may exceed `demandTokensPerS`, by window, with `demandBudget`: how many regions
   * of a model are at their worst at once (Bertsimas and Sim's Γ, 1 or more).
   */
  readonly demandExcessTokensPerS?: readonly PlacementGrid[];
  readonly demandBudget?: number;
  /**
   * Share (0–1) of the demand that is interactive-fast, as a grid with one SKU; the rest is
   * interactive-normal. All of it unless given.
   */
  readonly interactiveFastShare?: PlacementGrid;
  /**
   * `[model][origin region][serving region]`: USD per million tokens served there, 0 at home,
   * `Infinity` where residency forbids it. Free everywhere unless given.
   */
  readonly flowUsdPerMillionTokens?: PlacementGrid;
  readonly deferrable?: readonly DeferrableWork[];
  /**
   * Windows from the decision to start an instance until it serves, as a grid with one model: for
   * decisions over several windows. 0 unless given.
   */
  readonly provisioningWindows?: PlacementGrid;
}

/**
 * The demand that a plan was made for, window by window; grids are model × region with one SKU, in
 * tokens/s, NaN where it could not be forecast and what is held stays. It may reach past the plan's
 * validity.
 */
export interface PlannedDemand {
  readonly startMs: number;
  readonly stepMs: number;
  readonly expectedTokensPerS: readonly PlacementGrid[];
  /** The quantile that capacity is to carry. */
  readonly upperTokensPerS: readonly PlacementGrid[];
  /**
   * Mean shape of each model's requests of late, by position of the model; `undefined` where none
   * came.
   */
  readonly mix: readonly (TokenMix | undefined)[];
}

/** What should run where, and how much of each region's demand each region serves. */
export interface PlacementPlan {
  readonly models: readonly ModelId[];
  readonly regions: readonly RegionId[];
  readonly skus: readonly SkuId[];
  readonly target: PlacementGrid;
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /**
   * `[model][origin region][serving region]` in tokens/s, by window: the region router's weights.
   */
  readonly flowTokensPerS?: readonly PlacementGrid[];
  /** What to hold in each window of the demand, where the plan says so; its first is the target. */
  readonly schedule?: readonly PlacementGrid[];
  readonly demand?: PlannedDemand;
  /** Tokens/s that one instance was taken to sustain, `[model][sku]` as a grid with one region. */
  readonly tokensPerSPerInstance?: PlacementGrid;
}

/** What a plan costs beside what is held now, in the terms of the objective. */
export interface PlacementCost {
  /** Change of what is paid by the hour. */
  readonly holdingUsd: number;
  readonly startUsd: number;
  /** Tokens served away from home, by the hour. */
  readonly flowUsd: number;
  /** The price put on changes, which nobody pays. */
  readonly hysteresisUsd: number;
  /** The price put on what is not met, which nobody pays. */
  readonly unmetUsd: number;
}

/** Something the problem asks for and the plan does not give. */
export interface PlacementShortfall {
  /** Demand by tier, deferrable work, the share servable at home, or the fewest instances. */
  readonly kind: 'interactive-fast' | 'interactive-normal' | 'non-interactive' | 'local-share' | 'min-instances';
  readonly modelId: ModelId;
  /** The region that asks; absent where the formulation looks at all regions together. */
  readonly regionId?: RegionId;
  /** Position of the window; absent where it is the peak of all. */
  readonly window?: number;
  /** Tokens/s that are missing, or instances for `min-instances`. */
  readonly amount: number;
  /** Names of the constraints that leave no room. */
  readonly binding: readonly string[];
}

/** A constraint that the plan meets without room for one more (or one less) instance. */
export interface BindingConstraint {
  readonly name: string;
  readonly kind: 'gpu-capacity' | 'local-service' | 'global-service' | 'residency' | 'max-instances' | 'min-instances';
  /**
   * USD that one more GPU, or one token/s less to serve, would save by the hour; where the solver
   * knows.
   */
  readonly shadowUsd?: number;
}

/** An outcome is a value: an infeasible or unfinished solve is not an exception. */
export interface PlacementSolution {
  /**
   * `optimal`: within the relative gap that was asked for. `infeasible`: nothing meets the whole
   * problem. `timed-out`: nothing that does was found when time was up. `not-found`: nothing that
   * does was found, though time was left, and nothing proves that there is none. A target of the
   * last three is the best that leaves something unmet, and `shortfall` says what.
   */
  readonly status: 'optimal' | 'feasible' | 'infeasible' | 'timed-out' | 'not-found';
  readonly target: PlacementGrid | undefined;
  readonly objectiveUsd: number | undefined;
  /** (objective − bound) ÷ |objective|. */
  readonly relativeGap: number | undefined;
  /** Which solver answered. */
  readonly solver: string;
  /** No plan costs less than this, as far as the solver could prove. */
  readonly boundUsd?: number;
  readonly cost?: PlacementCost;
  /** `[model][origin region][serving region]` in tokens/s, by window. */
  readonly flowTokensPerS?: readonly PlacementGrid[];
  /** Empty where all is met. */
  readonly shortfall?: readonly PlacementShortfall[];
  readonly binding?: readonly BindingConstraint[];
  /** For decisions over several windows: what to hold in each. Its first is the target. */
  readonly schedule?: readonly PlacementGrid[];
  /** What happened on the way, for a person: which solvers were tried and why. */
  readonly notes?: readonly string[];
}

export interface PlacementOptions {
  readonly timeLimitMs?: number;
  /** 0 (proven optimal) unless given. */
  readonly relativeGap?: number;
  readonly signal?: AbortSignal;
}

/**
 * Solves the placement problem.
 *
 * Contract: a returned target satisfies every constraint of the problem, unless the status is
 * `infeasible`, `timed-out` or `not-found`, where it still keeps within GPUs and maxima; time limit
 * and abort end the solve. Throws `ConfigError`, naming the entry, for a malformed problem.
 */
export interface PlacementOptimizer extends Policy {
  solve(problem: PlacementProblem, options?: PlacementOptions): Awaitable<PlacementSolution>;
}
