import { PreparationCache } from '../control/preparation-cache.js';
import { busyMs } from '../wall-clock.js';
import type { SweepTask } from './definition.js';
import { type SweepMeasures, runSweepTask } from './run-task.js';

/** What the pool hands to a worker thread. */
export interface WorkerTask {
  readonly task: SweepTask;
  /** Requests and share of the run that is under way, by slot: written here, read by whoever shows progress. */
  readonly progress: Float64Array;
  readonly slot: number;
}

export interface WorkerResult {
  readonly measures: SweepMeasures;
  readonly busySeconds: number;
}

// Runs of one fleet and seed come one after another, mostly to the same thread.
const cache = new PreparationCache();

/** The entry of a worker thread. */
export default async function work({ task, progress, slot }: WorkerTask): Promise<WorkerResult> {
  const before = busyMs();
  const measures = await runSweepTask(task, {
    cache,
    onProgress(requests, share) {
      progress[2 * slot] = requests;
      progress[2 * slot + 1] = share ?? NaN;
    },
  });
  return { measures, busySeconds: (busyMs() - before) / 1_000 };
}
