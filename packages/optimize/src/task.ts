import type { PlacementProblem } from '@sageserve/core';
import { type Decimal, decimalOf, scaled } from './exact.js';

/**
 * `paper`: the paper's program. `artifact`: the weaker one of its artifact, every local peak in
 * full and nothing else. `flows`: with routing between regions. `lead-time`: over several windows.
 */
export type PlacementVariant = 'paper' | 'artifact' | 'flows' | 'lead-time';

/** USD per million tokens that are not served, or that could not be served at home. */
export interface UnmetPrices {
  readonly interactiveFast: number;
  readonly interactiveNormal: number;
  readonly nonInteractive: number;
  readonly localShare: number;
}

export interface PlacementFormulation {
  /** `flows` by default. */
  readonly variant?: PlacementVariant;
  /**
   * A price on every instance that is started or released, so that a plan changes only for a gain;
   * 0 by default.
   */
  readonly hysteresisUsd?: number;
  /**
   * Prices of unmet demand where the whole can't be met. By default 1,000 (interactive-fast), 300
   * (interactive-normal), 100 (non-interactive) and 30 times (local share) what the dearest
   * instance costs per token, so that less than a thousandth of an instance is left unmet rather
   * than bought.
   */
  readonly unmetUsdPerMillionTokens?: Partial<UnmetPrices>;
}

/**
 * Capacity is counted in millionths of a token/s, in whole numbers: sums of doubles are then exact.
 */
export const MICRO = 1e6;
/** As decimal places. */
export const MICRO_PLACES = 6;

/** USD an hour for one millionth of a token/s, of a USD per million tokens. */
export const USD_PER_MICRO_HOUR = 3_600 / 1e6 / MICRO;

/** What may be missing from a cover, cheapest first. */
export interface ShortageStep {
  readonly kind: 'interactive-fast' | 'interactive-normal' | 'non-interactive' | 'local-share';
  /** In micro-tokens/s. */
  readonly most: number;
  readonly usdPerMicro: number;
}

/** Capacity of one model over some regions must reach `required` micro-tokens/s. */
export interface Cover {
  readonly kind: 'local-service' | 'global-service' | 'residency';
  readonly name: string;
  readonly model: number;
  readonly regions: readonly number[];
  readonly required: number;
  /** What it would be without a demand budget. */
  readonly expected: number;
  readonly shortage: readonly ShortageStep[];
}

/**
 * A placement problem made ready for solvers: whole numbers in flat columns. Entry (model, region,
 * SKU) is at `(model × regions + region) × SKUs + SKU`, pair (model, SKU) at `model × SKUs + SKU`.
 */
export interface PlacementTask {
  readonly problem: PlacementProblem;
  readonly variant: PlacementVariant;
  readonly models: number;
  readonly regions: number;
  readonly skus: number;
  readonly windows: number;
  readonly windowHours: number;
  readonly current: Float64Array;
  readonly lower: Float64Array;
  /** Finite: never more than one entry alone could need. */
  readonly upper: Float64Array;
  /** Capacity of an instance in micro-tokens/s, by pair. */
  readonly capacity: Float64Array;
  readonly gpus: Float64Array;
  /** By region × SKU. */
  readonly gpuCapacity: Float64Array;
  /** What one instance less saves, and what one more costs, by pair: hysteresis counts in both. */
  readonly belowUsd: Float64Array;
  readonly aboveUsd: Float64Array;
  readonly hysteresisUsd: number;
  readonly covers: readonly Cover[];
  /** By window, then model × region, in micro-tokens/s. */
  readonly demand: readonly Float64Array[];
  readonly fastShare: Float64Array;
  /**
   * `undefined` where tokens are served anywhere for nothing. USD an hour for a micro-token/s, by
   * model × origin × serving; `Infinity` where it is forbidden.
   */
  readonly flowUsd: Float64Array | undefined;
  /** Whether some flow has a price, so that where capacity lies matters beyond the covers. */
  readonly flowPriced: boolean;
  readonly unmetUsd: {
    readonly fast: number;
    readonly normal: number;
    readonly deferrable: number;
    readonly local: number;
    readonly perInstance: number;
  };
  /** Tokens due by the end of each window, by model × window, in micro-tokens/s × windows. */
  readonly due: Float64Array;
}

/** A capacity or a demand in the unit of tasks. */
export function microOf(value: Decimal, rounding: 'up' | 'down'): number {
  return Number(scaled(value, MICRO_PLACES, rounding));
}

/** Decimal USD an hour for holding an instance, starting one, and changing one. */
export function exactPrices(
  task: PlacementTask,
  model: number,
  sku: number,
): { readonly hold: Decimal; readonly start: Decimal; readonly change: Decimal } {
  const { problem } = task;
  return {
    hold: decimalOf(problem.usdPerInstanceHour.at(model, 0, sku)),
    start: decimalOf(problem.startUsd.at(model, 0, sku)),
    change: decimalOf(task.hysteresisUsd),
  };
}
