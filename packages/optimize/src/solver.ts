import { SageServeError } from '@sageserve/core';
import type { IntegerModel } from './integer-model.js';
import type { PlacementTask } from './task.js';

export interface SolveRequest {
  /** Demand may be left unmet, at its price. */
  readonly elastic: boolean;
  readonly timeLimitMs: number;
  readonly relativeGap: number;
  readonly signal: AbortSignal | undefined;
  /** A plan to start from. */
  readonly start?: Float64Array | undefined;
}

/** What a solver found, not yet checked. */
export interface SolverAnswer {
  readonly status: 'optimal' | 'feasible' | 'infeasible' | 'timed-out' | 'not-found';
  /** Counts by entry, for each stage of the decision (one, but for `lead-time`). */
  readonly stages?: readonly Float64Array[];
  /** No plan costs less, flows and all. */
  readonly bound?: number;
  /** The program that was solved, where one was. */
  readonly model?: IntegerModel;
  /** USD by name of constraint: what one more GPU, or one token/s less, would save by the hour. */
  readonly shadowUsd?: ReadonlyMap<string, number>;
  readonly notes?: readonly string[];
  /** Who answered, where a solver asks others. */
  readonly solver?: string;
}

/**
 * Solves placement tasks; every answer is checked by the caller. A time limit ends with `feasible`
 * or `timed-out`; an abort rejects with the signal's reason.
 */
export interface PlacementSolver {
  readonly name: string;
  solve(task: PlacementTask, request: SolveRequest): Promise<SolverAnswer>;
}

/**
 * A solver gave a plan that breaks a constraint, or fractions for whole numbers. The program is
 * attached.
 */
export class PlacementSolverError extends SageServeError {
  static override readonly kind = 'PlacementSolverError';
  override readonly name = 'PlacementSolverError';
  readonly solver: string;
  readonly model: IntegerModel | undefined;

  constructor(solver: string, reason: string, model: IntegerModel | undefined, cause?: unknown) {
    super('ERR_PLACEMENT_SOLVER', `${solver}: ${reason}`, {
      hint: 'Try another solver; `model` holds the program, and formatLp() writes it for any other.',
      cause,
    });
    this.solver = solver;
    this.model = model;
  }
}
