import type { IntegerModel } from '../integer-model.js';

interface IntegerSolveOptions {
  readonly timeLimitMs: number;
  readonly relativeGap: number;
  readonly signal: AbortSignal | undefined;
  /** Values of some columns that belong to a solution; a solver that can, starts from it. */
  readonly start?: { readonly columns: Int32Array; readonly values: Float64Array } | undefined;
}

/** What a solver says, to be checked before it is believed. */
export interface IntegerAnswer {
  readonly status: 'optimal' | 'feasible' | 'infeasible' | 'timed-out' | 'not-found';
  /** By column; present with `optimal` and `feasible`. */
  readonly values?: Float64Array;
  /** No solution has a lower objective, the model's constant included. */
  readonly bound?: number;
  /**
   * By row, of the relaxation that lets whole numbers be fractions: how the objective changes with
   * the row's bound.
   */
  readonly rowDuals?: Float64Array;
  /** How far from a whole number a value may be and still stand for it. */
  readonly integrality: number;
}

/**
 * Solves integer programs; an adapter over a library. A time limit ends with `feasible` or
 * `timed-out`; an abort rejects with the signal's reason.
 */
export interface IntegerSolver {
  readonly name: string;
  solve(model: IntegerModel, options: IntegerSolveOptions): Promise<IntegerAnswer>;
}
