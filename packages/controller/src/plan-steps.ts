import type { Awaitable } from '@sageserve/core';

/** How the steps of making a plan are run: a query, a forecast, a solve. */
export interface PlanSteps {
  /** Ends all of them. */
  readonly signal: AbortSignal | undefined;
  run<T>(step: (signal: AbortSignal | undefined) => Awaitable<T>): Promise<T>;
}

/** Steps of a plan for which time stands still: they take as long as they take. */
export function unlimitedSteps(signal: AbortSignal | undefined): PlanSteps {
  return { signal, run: async (step) => step(signal) };
}
