import { Worker } from 'node:worker_threads';
import { SageServeError } from '@sageserve/core';
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
  let idle: Worker | undefined;
  const forget = (): void => {
    idle = undefined;
  };
  return {
    name: solver,
    solve(model, { timeLimitMs, relativeGap, signal, start }) {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
      const worker = idle ?? new Worker(WORKER);
      idle = undefined;
      worker.off('error', forget).off('exit', forget);
      worker.ref();
      return new Promise<IntegerAnswer>((resolve, reject) => {
        let best: { values: Float64Array; bound: number | undefined } | undefined;
        const stopTimer = after(timeLimitMs + GRACE_MS, () =>
          end(() =>
            resolve(
              best === undefined
                ? { status: 'timed-out', integrality: 1e-6 }
                : {
                    status: 'feasible',
                    values: best.values,
                    integrality: 1e-6,
                    ...(best.bound === undefined ? {} : { bound: best.bound }),
                  },
            ),
          ),
        );
        const onAbort = (): void => end(() => reject(signal!.reason as Error));
        const onError = (error: Error): void =>
          end(() => reject(new SageServeError('ERR_SOLVER', `${solver} failed: ${error.message}`, { cause: error })));
        const onExit = (): void => onError(new Error('its thread ended'));
        const onMessage = (report: Report): void => {
          if ('improved' in report) {
            best = { values: report.improved, bound: report.bound };
            return;
          }
          if ('error' in report) {
            onError(new Error(report.error));
            return;
          }
          detach();
          worker.unref();
          // Of two that ran at once, one is enough to keep; one that dies while it waits is
          // forgotten.
          if (idle === undefined) {
            idle = worker;
            worker.once('error', forget).once('exit', forget);
          } else void worker.terminate();
          resolve(report.answer);
        };
        function detach(): void {
          stopTimer();
          signal?.removeEventListener('abort', onAbort);
          worker.off('error', onError).off('exit', onExit).off('message', onMessage);
        }
        function end(then: () => void): void {
          detach();
          void worker.terminate();
          then();
        }
        signal?.addEventListener('abort', onAbort, { once: true });
        worker.on('error', onError).on('exit', onExit).on('message', onMessage);
        worker.postMessage({ solver, model, timeLimitMs, relativeGap, start } satisfies Job);
      });
    },
  };
}
