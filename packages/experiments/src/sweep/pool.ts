import { fileURLToPath } from 'node:url';
import { messageOf } from '@sageserve/core';
import type { Piscina } from 'piscina';
import type { SweepTask } from './definition.js';
import type { WorkerResult, WorkerTask } from './sweep-worker.js';

/** Heap of a worker thread, MB: a week of the paper's traffic takes a tenth of it. */
const HEAP_MB = 4_096;

/** What the library says of a thread that is gone. */
const ENDED = /^worker exited with code/;

/** What a thread is at. */
export interface ThreadState<T> {
  readonly item: T | undefined;
  readonly requests: number;
  /** Share (0–1) of the run that is done, where it is known. */
  readonly share: number | undefined;
}

/** Simulates runs in worker threads, one in each. */
export class SweepPool<T extends { readonly task: SweepTask }> {
  readonly cores: number;
  readonly #pool: Piscina<WorkerTask, WorkerResult>;
  readonly #progress: Float64Array;
  readonly #at: (T | undefined)[];

  private constructor(cores: number, pool: Piscina<WorkerTask, WorkerResult>) {
    this.cores = cores;
    this.#pool = pool;
    this.#progress = new Float64Array(new SharedArrayBuffer(cores * 2 * Float64Array.BYTES_PER_ELEMENT));
    this.#at = new Array<T | undefined>(cores).fill(undefined);
  }

  /** Starts so many threads. */
  static async open<T extends { readonly task: SweepTask }>(cores: number): Promise<SweepPool<T>> {
    // Whoever imports this package for something else does not wait for it.
    const { Piscina } = await import('piscina');
    const pool = new Piscina<WorkerTask, WorkerResult>({
      filename: fileURLToPath(new URL('sweep-thread.cjs', import.meta.url)),
      minThreads: cores,
      maxThreads: cores,
      concurrentTasksPerWorker: 1,
      idleTimeout: Infinity,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    return new SweepPool<T>(cores, pool);
  }

  /** Requests that the runs under way have simulated, and what every thread is at. */
  threads(): ThreadState<T>[] {
    return this.#at.map((item, slot) => {
      const share = this.#progress[2 * slot + 1]!;
      return { item, requests: this.#progress[2 * slot]!, share: Number.isNaN(share) ? undefined : share };
    });
  }

  /**
   * Simulates one run; there may be as many at once as the pool has cores. Throws what the run
   * throws, and the signal's reason: its thread is ended then.
   */
  async run(item: T, signal: AbortSignal): Promise<WorkerResult> {
    const slot = this.#at.indexOf(undefined);
    if (slot === -1) throw new RangeError(`${this.cores} runs are under way`);
    this.#at[slot] = item;
    this.#progress[2 * slot] = 0;
    this.#progress[2 * slot + 1] = 0;
    try {
      return await this.#pool
        .run({ task: item.task, progress: this.#progress, slot }, { signal })
        .catch((error: unknown) => {
          throw ENDED.test(messageOf(error))
            ? new Error('something ended its thread with process.exit(): a plug-in does not, it throws an error')
            : error;
        });
    } finally {
      this.#at[slot] = undefined;
      this.#progress[2 * slot] = 0;
    }
  }

  /**
   * Runs everything, in order, as threads become free. `done` is told of each: of its result, or of
   * what went wrong.
   */
  async runAll(
    items: readonly T[],
    signal: AbortSignal,
    done: (item: T, result: WorkerResult | undefined, error: unknown) => void,
  ): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < items.length) {
        signal.throwIfAborted();
        const item = items[next++]!;
        let result: WorkerResult | undefined;
        let failure: unknown;
        try {
          result = await this.run(item, signal);
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
