import { AsyncLocalStorage } from 'node:async_hooks';
import { messageOf } from '@sageserve/core';
import { leftBehind, tellOnce } from '@sageserve/fleet';
import { PreparationCache } from '@sageserve/scenario';
import { guardConsole } from '../terminal.js';
import { busyMs, yieldToEventLoop } from '../wall-clock.js';
import type { SweepTask } from './definition.js';
import { type SweepMeasures, runSweepTask } from './run-task.js';

/** What the pool hands to a worker thread. */
export interface WorkerTask {
  readonly task: SweepTask;
  /**
   * Requests and share of the run that is under way, by slot: written here, read by whoever shows
   * progress.
   */
  readonly progress: Float64Array;
  readonly slot: number;
}

export interface WorkerResult {
  readonly measures: SweepMeasures;
  readonly busySeconds: number;
}

// Runs of one fleet and seed come one after another, mostly to the same thread.
const cache = new PreparationCache();

/** A run of this thread. */
interface Run {
  /** Ends it with an error that nobody took. */
  fail(error: unknown): void;
}

/** Of which run what is called later was begun: a plug-in's timers outlive it. */
const begunBy = new AsyncLocalStorage<Run>();
let current: Run | undefined;

/** A timer of no time at all takes two. */
const TURNS = 3;
/** Messages that were told: what is left behind may fail again and again. */
guardConsole();
for (const name of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(name, (error: unknown) => {
    const run = begunBy.getStore() ?? current;
    if (run !== undefined && run === current) run.fail(error);
    // The run that it is of has its result, and the one that is under way has nothing to do with
    // it.
    else tellOnce(`after a run had ended, ${leftBehind(error) ?? messageOf(error)}`);
  });

/**
 * The entry of a worker thread. Throws an error with a message and nothing else: what a plug-in
 * threw may be something that no other thread can be told.
 */
export default async function work({ task, progress, slot }: WorkerTask): Promise<WorkerResult> {
  const before = busyMs();
  const stop = new AbortController();
  let measures: SweepMeasures;
  try {
    measures = await new Promise((resolve, reject) => {
      const run: Run = {
        fail(error) {
          reject(new Error(leftBehind(error) ?? messageOf(error)));
          stop.abort(error);
        },
      };
      current = run;
      const made = (): Promise<SweepMeasures> =>
        runSweepTask(task, {
          cache,
          onProgress(requests, share) {
            progress[2 * slot] = requests;
            progress[2 * slot + 1] = share ?? NaN;
          },
          signal: stop.signal,
        });
      // What it left behind and fails at once is still of this run.
      begunBy.run(run, made).then(async (found) => {
        for (let turn = 0; turn < TURNS; turn++) await yieldToEventLoop();
        resolve(found);
      }, reject);
    });
  } catch (error) {
    throw new Error(messageOf(error));
  } finally {
    current = undefined;
  }
  return { measures, busySeconds: (busyMs() - before) / 1_000 };
}
