import { parentPort } from 'node:worker_threads';
import type { IntegerModel } from '../integer-model.js';
import { runHighs } from './run-highs.js';
import { runJavascriptLpSolver } from './run-javascript-lp-solver.js';
import type { IntegerAnswer } from './integer-solver.js';

/** What is asked of the worker. */
export interface Job {
  readonly solver: 'highs' | 'javascript-lp-solver';
  readonly model: IntegerModel;
  readonly timeLimitMs: number;
  readonly relativeGap: number;
  readonly start: { readonly columns: Int32Array; readonly values: Float64Array } | undefined;
}

/** What it says: solutions on the way, then the answer or an error. */
export type Report = { readonly improved: Float64Array; readonly bound: number | undefined } | { readonly answer: IntegerAnswer } | { readonly error: string };

const port = parentPort!;
port.on('message', (job: Job) => {
  const improve = (improved: Float64Array, bound: number | undefined): void => port.postMessage({ improved, bound } satisfies Report);
  const solve = job.solver === 'highs' ? runHighs(job, improve) : runJavascriptLpSolver(job);
  solve.then(
    (answer) => port.postMessage({ answer } satisfies Report),
    (error: unknown) => port.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Report),
  );
});
