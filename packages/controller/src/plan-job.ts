import { type Awaitable, orAborted } from '@sageserve/core';
import type { PlanSteps } from './plan-steps.js';
import type { PlanOutcome } from './planning.js';

/**
 * A plan that is made beside the ticks. It has no clock: ticks tell it the time, and a step that
 * has taken too long by then is given up, whether it listens or not.
 */
export class PlanJob {
  readonly startedAtMs: number;
  readonly #limitMs: number;
  readonly #ended = new AbortController();
  #nowMs: number;
  #step: { readonly sinceMs: number; readonly controller: AbortController } | undefined;
  #outcome: PlanOutcome | undefined;
  #error: { readonly thrown: unknown } | undefined;

  constructor(make: (steps: PlanSteps) => Promise<PlanOutcome>, nowMs: number, stepLimitMs: number) {
    this.startedAtMs = nowMs;
    this.#nowMs = nowMs;
    this.#limitMs = stepLimitMs;
    make({ signal: this.#ended.signal, run: (step) => this.#run(step) }).then(
      (outcome) => (this.#outcome = outcome),
      (thrown: unknown) => (this.#error = { thrown }),
    );
  }

  /** Whether there is an outcome to be taken. */
  get done(): boolean {
    return this.#outcome !== undefined || this.#error !== undefined;
  }

  /** What came of it. Throws what making it threw. */
  take(): PlanOutcome {
    if (this.#error !== undefined) throw this.#error.thrown;
    return this.#outcome!;
  }

  /** Says what time it is: a step that has taken too long by then is given up. */
  tell(nowMs: number): void {
    this.#nowMs = nowMs;
    const step = this.#step;
    if (step !== undefined && nowMs - step.sinceMs >= this.#limitMs)
      step.controller.abort(new Error(`there was no answer within ${Math.round((nowMs - step.sinceMs) / 1_000)} s`));
  }

  /** Ends it: nothing will come of it. */
  end(reason: unknown): void {
    this.#ended.abort(reason);
    this.#step?.controller.abort(reason);
  }

  async #run<T>(step: (signal: AbortSignal) => Awaitable<T>): Promise<T> {
    this.#ended.signal.throwIfAborted();
    const controller = new AbortController();
    this.#step = { sinceMs: this.#nowMs, controller };
    try {
      return await orAborted(step(controller.signal), controller.signal);
    } finally {
      this.#step = undefined;
    }
  }
}
