import { SageServeError } from '@sageserve/core';
import { ThreadPool } from '@sageserve/threads';
import { after } from '../wall-clock.js';
import type { IntegerAnswer, IntegerSolver } from './integer-solver.js';
import type { Job, Report } from './job.js';

/** Beyond a solver's own time limit, before it is ended by force. */
const GRACE_MS = 250;

/** Sources are compiled into one folder, next to which the worker lies. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/solver-worker.js' : './solver-worker.js',
  import.meta.url,
);

/**
 * A library's solver in a thread of its own that is kept warm between solves, ended on abort or
 * when the library misses its own time limit, and started anew after that.
 */
export function createWorkerSolver(solver: Job['solver']): IntegerSolver {
  const failed = (error: Error): SageServeError =>
    new SageServeError('ERR_SOLVER', `${solver} failed: ${error.message}`, { cause: error });
  // Of two that ran at once, one is enough to keep.
  const threads = new ThreadPool<Report>({ worker: WORKER, most: Infinity, kept: 1 });
  return {
    name: solver,
    solve(model, { timeLimitMs, relativeGap, signal, start }) {
      return threads.run<IntegerAnswer>({
        message: { solver, model, timeLimitMs, relativeGap, start } satisfies Job,
        signal,
        failed,
        listen(call) {
          let best: IntegerAnswer = { status: 'timed-out', integrality: 1e-6 };
          return {
            settled: after(timeLimitMs + GRACE_MS, () => call.settle(() => best, 'ended')),
            report(report) {
              if ('improved' in report) {
                const { improved: values, bound } = report;
                best = {
                  status: 'feasible',
                  values,
                  integrality: 1e-6,
                  ...(bound === undefined ? {} : { bound }),
                };
              } else if ('error' in report) {
                call.settle(() => {
                  throw failed(new Error(report.error));
                }, 'ended');
              } else call.settle(() => report.answer, 'kept');
            },
          };
        },
      });
    },
  };
}
