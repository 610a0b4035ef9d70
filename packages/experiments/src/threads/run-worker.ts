import { AsyncLocalStorage } from 'node:async_hooks';
import { messageOf } from '@sageserve/core';
import { leftBehind, tellOnce } from '@sageserve/fleet';
import { PreparationCache } from '@sageserve/scenario';
import { packThrown, type Thrown } from '@sageserve/threads';
import { guardConsole } from '../terminal.js';
import { busyMs, yieldToEventLoop } from '../wall-clock.js';
import { doJob, type ThreadAnswer, type ThreadJob } from './thread-jobs.js';

/** What the pool hands to a worker thread. */
export interface WorkerTask {
  readonly job: ThreadJob;
  /**
   * Requests and share of the job that is under way, by slot: written here, read by whoever shows
   * progress.
   */
  readonly progress: Float64Array;
  readonly slot: number;
}

/** What came of a job: one of `answer` and `thrown`. */
export interface WorkerResult {
  readonly answer?: ThreadAnswer;
  readonly thrown?: Thrown;
  readonly busySeconds: number;
}

// Runs of one fleet and seed come one after another, mostly to the same thread.
const cache = new PreparationCache();

/** A job of this thread. */
interface Current {
  /** Ends it with an error that nobody took. */
  fail(error: unknown): void;
}

/** Of which job what is called later was begun: a plug-in's timers outlive it. */
const begunBy = new AsyncLocalStorage<Current>();
let current: Current | undefined;

/** A timer of no time at all takes two. */
const TURNS = 3;
/** Messages that were told: what is left behind may fail again and again. */
guardConsole();
for (const name of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(name, (error: unknown) => {
    const job = begunBy.getStore() ?? current;
    if (job !== undefined && job === current) job.fail(error);
    // The run that it is of has its result, and the one that is under way has nothing to do with
    // it.
    else tellOnce(`after a run had ended, ${leftBehind(error) ?? messageOf(error)}`);
  });

/**
 * The entry of a worker thread. Never throws: what a plug-in threw may be something that no other
 * thread can be told as it is.
 */
export default async function work({ job, progress, slot }: WorkerTask): Promise<WorkerResult> {
  const before = busyMs();
  const stop = new AbortController();
  try {
    const answer = await new Promise<ThreadAnswer>((resolve, reject) => {
      const own: Current = {
        fail(error) {
          const behind = leftBehind(error);
          reject(behind === undefined ? asError(error) : new Error(behind));
          stop.abort(error);
        },
      };
      current = own;
      const made = (): Promise<ThreadAnswer> =>
        doJob(job, {
          cache,
          onProgress(requests, share) {
            progress[2 * slot] = requests;
            progress[2 * slot + 1] = share ?? NaN;
          },
          signal: stop.signal,
        });
      // What it left behind and fails at once is still of this job.
      begunBy.run(own, made).then(async (found) => {
        for (let turn = 0; turn < TURNS; turn++) await yieldToEventLoop();
        resolve(found);
      }, reject);
    });
    return { answer, busySeconds: (busyMs() - before) / 1_000 };
  } catch (error) {
    return { thrown: packThrown(asError(error)), busySeconds: (busyMs() - before) / 1_000 };
  } finally {
    current = undefined;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error));
}
