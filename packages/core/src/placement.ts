import type { Policy } from './policy.js';
import { SageServeError } from './errors.js';
import type { ModelId, RegionId, SkuId } from './ids.js';
import type { TokenMix } from './performance.js';
import type { Awaitable } from './units.js';

/** Numbers over model × region × SKU, always in that order, in one flat column. */
export class PlacementGrid {
  /** How many models; 1 where the numbers are the same for all. */
  readonly models: number;
  /** How many regions; 1 where the numbers are the same for all. */
  readonly regions: number;
  /** How many SKUs; 1 where there is nothing to tell apart by them. */
  readonly skus: number;
  /** The numbers, SKU by SKU of the first region of the first model, and so on. The grid's own. */
  readonly values: Float64Array;

  /**
   * A grid of `values`, which it takes over, or of zeros. Throws `SageServeError` (ERR_GRID_SHAPE)
   * where they are not as many as the grid has places.
   */
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

  /** The number at a place. Throws `SageServeError` (ERR_GRID_INDEX) outside the grid. */
  at(model: number, region: number, sku: number): number {
    return this.values[this.#offset(model, region, sku)]!;
  }

  /** Puts `value` at a place. Throws `SageServeError` (ERR_GRID_INDEX) outside the grid. */
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
  /** The model that is to do it: one of the problem's. */
  readonly modelId: ModelId;
  /** Prompt plus output tokens, 0 or more. */
  readonly tokens: number;
  /**
   * Its deadline (ms, above 0), from the start of the first window on; work due beyond the last
   * window is owed in proportion to the time that the windows cover.
   */
  readonly dueInMs: number;
}

/**
 * {@link PlacementProblem.localShare} where nothing else is said: that of the SageServe paper
 * (arXiv 2502.14617).
 */
export const DEFAULT_LOCAL_SHARE = 0.8;

/** Quantile of the forecast that capacity is to carry where nothing else is said. */
export const DEFAULT_DEMAND_QUANTILE = 0.9;

/** The hourly question: how many instances of each model on each SKU each region should hold. */
export interface PlacementProblem {
  /** The models, each once, one or more, in the order of every grid. */
  readonly models: readonly ModelId[];
  /** The regions, each once, one or more, in the order of every grid. */
  readonly regions: readonly RegionId[];
  /** The kinds of hosts, each once, one or more, in the order of every grid. */
  readonly skus: readonly SkuId[];
  /** Instances that are held now: whole numbers. */
  readonly current: PlacementGrid;
  /** The fewest instances to hold: whole numbers, no more than `maxInstances`. */
  readonly minInstances: PlacementGrid;
  /** The most instances to hold: whole numbers, or `Infinity` where there is no bound. */
  readonly maxInstances: PlacementGrid;
  /**
   * Tokens/s that one instance sustains within its objective; 0 where the model cannot run on the
   * SKU. `[model][sku]` as a grid with one region.
   */
  readonly tokensPerSPerInstance: PlacementGrid;
  /** GPUs that one instance takes: `[model][sku]` as a grid with one region. */
  readonly gpusPerInstance: PlacementGrid;
  /** GPUs by region and SKU, as a grid with one model; `Infinity` where there is no cap. */
  readonly gpuCapacity: PlacementGrid;
  /**
   * Price of one instance for an hour (US dollars): `[model][sku]` as a grid with one region, since
   * instances of one SKU differ in GPUs.
   */
  readonly usdPerInstanceHour: PlacementGrid;
  /** Price of starting one instance (US dollars): `[model][sku]` as a grid with one region. */
  readonly startUsd: PlacementGrid;
  /** Forecast tokens/s by window, one or more: one grid, with one SKU, for each. */
  readonly demandTokensPerS: readonly PlacementGrid[];
  /**
   * Share (0–1) of a region's own peak that must be servable in it: usually {@link
   * DEFAULT_LOCAL_SHARE}.
   */
  readonly localShare: number;
  /** Length of a window (ms, 1 or more): an hour divided by the number of windows unless given. */
  readonly windowMs?: number;
  /**
   * How far demand may exceed `demandTokensPerS` (tokens/s), by window. Given with `demandBudget`
   * or not at all; nothing exceeds it unless given.
   */
  readonly demandExcessTokensPerS?: readonly PlacementGrid[];
  /** How many regions of a model are at their worst at once (Bertsimas and Sim's Γ, 1 or more). */
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
  /** Work to be done beside the demand; none unless given. */
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
  /** Beginning of the first window, in the host's time (ms). */
  readonly startMs: number;
  /** Length of a window (ms). */
  readonly stepMs: number;
  /** The mean, one grid for each window. */
  readonly expectedTokensPerS: readonly PlacementGrid[];
  /** The quantile that capacity is to carry, for the same windows. */
  readonly upperTokensPerS: readonly PlacementGrid[];
  /**
   * Mean shape of each model's requests of late, by position of the model; `undefined` where none
   * came.
   */
  readonly mix: readonly (TokenMix | undefined)[];
}

/** What should run where, and how much of each region's demand each region serves. */
export interface PlacementPlan {
  /** The models, in the order of every grid. */
  readonly models: readonly ModelId[];
  /** The regions, in the order of every grid. */
  readonly regions: readonly RegionId[];
  /** The kinds of hosts, in the order of every grid. */
  readonly skus: readonly SkuId[];
  /** Instances to hold, ready and provisioning together: whole numbers. */
  readonly target: PlacementGrid;
  /** When it was made, in the host's time (ms), which also names it: no two plans share it. */
  readonly validFromMs: number;
  /** The end of the time that it was made for (ms). It may stay in force for a while after it. */
  readonly validUntilMs: number;
  /**
   * What goes where: `[model][origin region][serving region]` in tokens/s, by window: the region
   * router's weights. The windows are those of the demand or, without it, equal parts of the
   * validity. Absent where the plan says nothing of it.
   */
  readonly flowTokensPerS?: readonly PlacementGrid[];
  /**
   * What to hold in each window of the demand; its first is the target. Absent where that holds for
   * all.
   */
  readonly schedule?: readonly PlacementGrid[];
  /** The demand that it was made for. Absent where it does not say. */
  readonly demand?: PlannedDemand;
  /**
   * Tokens/s that one instance was taken to sustain, `[model][sku]` as a grid with one region.
   * Absent where it does not say.
   */
  readonly tokensPerSPerInstance?: PlacementGrid;
  /**
   * The {@link PlacementProblem.localShare} that it was made for, which a policy that departs from
   * it keeps too; {@link DEFAULT_LOCAL_SHARE} unless given.
   */
  readonly localShare?: number;
}

/**
 * What a plan costs beside what is held now, in the terms of the objective, which is their sum (US
 * dollars).
 */
export interface PlacementCost {
  /** Change of what is paid by the hour: below 0 where less is held. */
  readonly holdingUsd: number;
  /** What starting instances costs, once. */
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
  /** The model that falls short. */
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
  /** Its name, as in the program that was solved. */
  readonly name: string;
  /** What it asks for. */
  readonly kind: 'gpu-capacity' | 'local-service' | 'global-service' | 'residency' | 'max-instances' | 'min-instances';
  /**
   * USD that one more GPU, or one token/s less to serve, would save by the hour. Absent where the
   * solver does not know.
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
  /** Instances to hold, whole numbers; `undefined` where there is no plan at all. */
  readonly target: PlacementGrid | undefined;
  /** What the target costs, see {@link PlacementCost}; `undefined` without one. */
  readonly objectiveUsd: number | undefined;
  /** (objective − bound) ÷ |objective|, 0 or more; `undefined` where no bound is known. */
  readonly relativeGap: number | undefined;
  /** Which solver answered. */
  readonly solver: string;
  /** No plan costs less than this. Absent where the solver proves nothing. */
  readonly boundUsd?: number;
  /** What the objective is made of. Absent without a target. */
  readonly cost?: PlacementCost;
  /**
   * `[model][origin region][serving region]` in tokens/s, by window. Absent where the formulation
   * has no flows.
   */
  readonly flowTokensPerS?: readonly PlacementGrid[];
  /** What is not met; empty where all is, absent without a target. */
  readonly shortfall?: readonly PlacementShortfall[];
  /** What leaves no room, what it is worth first. Absent without a target. */
  readonly binding?: readonly BindingConstraint[];
  /**
   * For decisions over several windows: what to hold in each. Its first is the target. Absent
   * otherwise.
   */
  readonly schedule?: readonly PlacementGrid[];
  /**
   * What happened on the way, for a person: which solvers were tried and why. Absent where nothing
   * is to tell.
   */
  readonly notes?: readonly string[];
}

/** How a problem is to be solved. */
export interface PlacementOptions {
  /** How long it may take (ms, above 0); as long as the optimiser thinks fit unless given. */
  readonly timeLimitMs?: number;
  /** A gap that is good enough: a share from 0 to below 1, 0 (proven optimal) unless given. */
  readonly relativeGap?: number;
  /**
   * Ends it: it is to reject soon after with the signal's reason. Absent: the time limit ends it.
   */
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
  /**
   * The best plan for `problem`, which is the caller's and not changed. The solution is the
   * caller's too.
   */
  solve(problem: PlacementProblem, options?: PlacementOptions): Awaitable<PlacementSolution>;
}
