import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@sageserve/core';
import { unpackThrown } from '@sageserve/threads';
import type { Piscina } from 'piscina';
import type { WorkerResult, WorkerTask } from './run-worker.js';
import type { ThreadJob, ThreadJobs } from './thread-jobs.js';

/** Heap of a worker thread, MB: a week of the paper's traffic takes a tenth of it. */
const HEAP_MB = 4_096;

/** What the library says of a thread that is gone. */
const ENDED = /^worker exited with code/;

/** What it says of an answer to a job that was given up. */
const LATE = /^Unexpected message from Worker/;

/** What a thread is at. */
export interface ThreadState<T> {
  readonly item: T | undefined;
  readonly requests: number;
  /** Share (0–1) of the job that is done, where it is known. */
  readonly share: number | undefined;
}

/** What a thread made of a job. */
export interface Done<K extends keyof ThreadJobs> {
  readonly answer: ThreadJobs[K]['answer'];
  readonly busySeconds: number;
}

/** Does jobs in worker threads, one in each at a time. `T` is what a job is called by. */
export class RunPool<T> {
  readonly cores: number;
  readonly #pool: Piscina<WorkerTask, WorkerResult>;
  readonly #progress: Float64Array;
  readonly #at: ({ readonly item: T } | undefined)[];
  /** Jobs that wait for a thread, in order. */
  readonly #waiting = new Set<() => void>();

  private constructor(cores: number, pool: Piscina<WorkerTask, WorkerResult>) {
    this.cores = cores;
    this.#pool = pool;
    this.#progress = new Float64Array(new SharedArrayBuffer(cores * 2 * Float64Array.BYTES_PER_ELEMENT));
    this.#at = new Array<{ readonly item: T } | undefined>(cores).fill(undefined);
  }

  /** Starts so many threads. */
  static async open<T>(cores: number): Promise<RunPool<T>> {
    // Whoever imports this package for something else does not wait for it.
    const { Piscina } = await import('piscina');
    const pool = new Piscina<WorkerTask, WorkerResult>({
      filename: fileURLToPath(new URL('run-thread.cjs', import.meta.url)),
      minThreads: cores,
      maxThreads: cores,
      concurrentTasksPerWorker: 1,
      idleTimeout: Infinity,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    // Who answers at the moment in which its job is given up is waited for by nobody.
    pool.on('error', (error: Error) => {
      if (!LATE.test(error.message)) throw error;
    });
    return new RunPool<T>(cores, pool);
  }

  /** Requests that the jobs under way have simulated or read, and what every thread is at. */
  threads(): ThreadState<T>[] {
    return this.#at.map((at, slot) => {
      const share = this.#progress[2 * slot + 1]!;
      return { item: at?.item, requests: this.#progress[2 * slot]!, share: Number.isNaN(share) ? undefined : share };
    });
  }

  /**
   * Does one job as soon as a thread is free, in the order of the calls. Throws what the job
   * throws, and the signal's reason: its thread is ended then.
   */
  async run<K extends keyof ThreadJobs>(item: T, job: ThreadJob<K>, signal: AbortSignal): Promise<Done<K>> {
    // As many may wait as there are jobs, and each is told of the signal.
    setMaxListeners(0, signal);
    while (!this.#at.includes(undefined)) await this.#turn(signal);
    signal.throwIfAborted();
    const slot = this.#at.indexOf(undefined);
    this.#at[slot] = { item };
    this.#progress[2 * slot] = 0;
    this.#progress[2 * slot + 1] = 0;
    try {
      const task = { job: job as ThreadJob, progress: this.#progress, slot };
      const { answer, thrown, busySeconds } = await this.#pool.run(task, { signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw ENDED.test(messageOf(error))
          ? new Error('something ended its thread with process.exit(): a plug-in does not, it throws an error')
          : error;
      });
      if (thrown !== undefined) throw unpackThrown(thrown);
      return { answer: answer as Done<K>['answer'], busySeconds };
    } finally {
      this.#at[slot] = undefined;
      this.#progress[2 * slot] = 0;
      for (const turn of this.#waiting) {
        turn();
        break;
      }
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(turn);
        signal.removeEventListener('abort', onAbort);
      };
      const turn = (): void => {
        end();
        resolve();
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      this.#waiting.add(turn);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /**
   * Does everything, in order, as threads become free. `done` is told of each: of what came of it,
   * or of what went wrong.
   */
  async runAll<K extends keyof ThreadJobs>(
    items: readonly T[],
    jobOf: (item: T) => ThreadJob<K>,
    signal: AbortSignal,
    done: (item: T, result: Done<K> | undefined, error: unknown) => void,
  ): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < items.length) {
        signal.throwIfAborted();
        const item = items[next++]!;
        let result: Done<K> | undefined;
        let failure: unknown;
        try {
          result = await this.run(item, jobOf(item), signal);
        } catch (error) {
          signal.throwIfAborted();
          failure = error;
        }
        done(item, result, failure);
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.cores, items.length) }, lane));
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
