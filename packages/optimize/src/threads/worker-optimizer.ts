import { ConfigError, type PlacementOptimizer, type PlacementSolution, SageServeError } from '@sageserve/core';
import { ThreadPool, unpackThrown } from '@sageserve/threads';
import {
  createPlacementOptimizer,
  DEFAULT_TIME_LIMIT_MS,
  type PLACEMENT_SOLVERS,
  type PlacementOptimizerOptions,
} from '../placement-optimizer.js';
import { after } from '../wall-clock.js';
import type { OptimizerJob, OptimizerReport } from './optimizer-job.js';
import { reviveGrids } from './revive-grids.js';

/**
 * Beyond the time limit, before a solve is ended by force. Solvers end between steps, and a plan
 * for a hundred models is a second or two late: that is worth more than none.
 */
const GRACE_MS = 5_000;

const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/optimizer-worker.js' : './optimizer-worker.js',
  import.meta.url,
);

export interface WorkerOptimizerOptions extends Omit<PlacementOptimizerOptions, 'solver'> {
  /** `auto` by default. A solver of one's own can't be sent to a thread. */
  readonly solver?: (typeof PLACEMENT_SOLVERS)[number];
}

/** An optimiser in threads of its own. */
export interface WorkerOptimizer extends PlacementOptimizer {
  /** Ends its threads. Solves under way and later ones reject with `ERR_SOLVER`. */
  close(): Promise<void>;
}

/**
 * The optimiser of {@link createPlacementOptimizer}, whatever its solver, in a worker thread: the
 * same solutions and errors, and the caller's thread is free while it computes. A thread starts
 * with the first solve, stays warm for the next without keeping the process alive, and solves at
 * once have one each.
 *
 * An abort rejects at once and ends the thread, and what misses its time limit (60 s unless given,
 * counted from when the thread begins) by more than 5 s is ended too: it has `timed-out` without a
 * target. A thread that dies is a `SageServeError` (`ERR_SOLVER`); the next solve has a new one.
 */
export function createWorkerOptimizer(options: WorkerOptimizerOptions = {}): WorkerOptimizer {
  const { solver = 'auto' } = options;
  if (typeof solver !== 'string')
    throw new ConfigError('solver', 'must be a name: a solver of one’s own can’t be sent to a thread', {
      hint: 'createPlacementOptimizer() takes it.',
    });
  // What is wrong with the options is said here, not by the thread.
  const { name } = createPlacementOptimizer(options);
  const workerData = structuredClone(options);
  const threads = new ThreadPool<OptimizerReport>({ worker: WORKER, workerData, most: Infinity, kept: 1 });
  return {
    name,
    solve(problem, { signal, ...limits } = {}) {
      const { timeLimitMs = DEFAULT_TIME_LIMIT_MS } = limits;
      return threads.run<PlacementSolution>({
        message: { problem, limits } satisfies OptimizerJob,
        signal,
        failed: (why) =>
          new SageServeError('ERR_SOLVER', `${name}: the thread of the optimiser failed: ${why.message}`, {
            cause: why,
          }),
        listen(call) {
          let stopTimer = (): void => {};
          return {
            settled: () => stopTimer(),
            report(report) {
              if ('started' in report) {
                // A limit that is none is for the optimiser to refuse.
                if (timeLimitMs > 0)
                  stopTimer = after(timeLimitMs + GRACE_MS, () => call.settle(() => timedOut(solver), 'ended'));
              } else if ('thrown' in report) {
                call.settle(() => {
                  throw unpackThrown(report.thrown);
                }, 'kept');
              } else call.settle(() => reviveGrids(report.solution), 'kept');
            },
          };
        },
      });
    },
    close: () => threads.close(new SageServeError('ERR_SOLVER', `${name}: the optimiser was closed`)),
  };
}

function timedOut(solver: string): PlacementSolution {
  return {
    status: 'timed-out',
    target: undefined,
    objectiveUsd: undefined,
    relativeGap: undefined,
    solver,
    notes: ['the thread was ended: it had no plan when the time limit was over'],
  };
}
