import { Worker } from 'node:worker_threads';

/** A call that has a thread. It is settled once; what comes after that is not heard. */
export interface ThreadCall<T> {
  /** The call's outcome is what `outcome` returns or throws; its thread is kept or ended. */
  settle(outcome: () => T, thread: 'kept' | 'ended'): void;
}

/** What is to be done on a thread. */
export interface ThreadRequest<T, Report> {
  /** What the thread is sent. */
  readonly message: unknown;
  readonly signal: AbortSignal | undefined;
  /** Hears what the thread says. `settled` is called once the call is. */
  readonly listen: (call: ThreadCall<T>) => {
    readonly report: (report: Report) => void;
    readonly settled?: () => void;
  };
  /** The error of a call whose thread has died, or that can't be sent. */
  readonly failed: (why: Error) => Error;
}

export interface ThreadPoolOptions {
  /** The module that a thread runs, and its `workerData`. */
  readonly worker: URL;
  readonly workerData?: unknown;
  /** Calls that have a thread at once; further ones wait for their turn. */
  readonly most: number;
  /** Threads that are kept warm between calls. */
  readonly kept: number;
}

/** Threads have the flags of the process; with that of a script given as text they can't start. */
const INHERITED = process.execArgv.some((flag) => flag.startsWith('--input-type')) ? { execArgv: [] } : {};

/**
 * Threads that answer one call at a time. They start with the first call, wait warm for the next
 * without keeping the process alive, are ended when a call is aborted, and are replaced when they
 * die.
 */
export class ThreadPool<Report> {
  readonly #options: ThreadPoolOptions;
  readonly #alive = new Set<Worker>();
  readonly #idle: Worker[] = [];
  /** In order: each starts a call, or ends it where there is an error. */
  readonly #waiting = new Set<(error?: Error) => void>();
  readonly #running = new Set<(error: Error) => void>();
  #busy = 0;
  #closed: Error | undefined;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /**
   * Sends a message to a thread and hears its reports until the call is settled. Rejects with the
   * signal's reason as soon as it aborts, with the reason of `close`, and with what `failed` makes
   * of the death of the thread.
   */
  run<T>(request: ThreadRequest<T, Report>): Promise<T> {
    const { signal } = request;
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#busy < this.#options.most) return this.#start(request);
    return new Promise((resolve, reject) => {
      const turn = (error?: Error): void => {
        this.#waiting.delete(turn);
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve(this.#start(request));
        else reject(error);
      };
      const onAbort = (): void => turn(signal!.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(turn);
    });
  }

  /** Ends all threads; calls under way and later ones reject with `reason`. */
  async close(reason: Error): Promise<void> {
    this.#closed ??= reason;
    for (const end of [...this.#waiting, ...this.#running]) end(this.#closed);
    await Promise.all([...this.#alive].map((worker) => worker.terminate()));
  }

  #start<T>({ message, signal, listen, failed }: ThreadRequest<T, Report>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let worker: Worker;
      try {
        worker = this.#idle.pop() ?? this.#open();
      } catch (error) {
        reject(failed(error as Error));
        this.#startNext();
        return;
      }
      this.#busy++;
      worker.ref();
      const call: ThreadCall<T> = {
        settle: (outcome, thread) => {
          if (!this.#running.delete(fail)) return;
          signal?.removeEventListener('abort', onAbort);
          worker.off('error', onError).off('messageerror', onError).off('exit', onExit).off('message', onMessage);
          settled?.();
          this.#release(worker, thread);
          // What `outcome` throws is what the call rejects with.
          resolve(new Promise((done) => done(outcome())));
        },
      };
      const end = (error: Error, thread: 'kept' | 'ended'): void =>
        call.settle(() => {
          throw error;
        }, thread);
      const fail = (error: Error): void => end(error, 'ended');
      const onAbort = (): void => fail(signal!.reason as Error);
      const onError = (error: Error): void => fail(failed(error));
      const onExit = (code: number): void => onError(new Error(`its thread ended with code ${code}`));
      this.#running.add(fail);
      const { report: onMessage, settled } = listen(call);
      signal?.addEventListener('abort', onAbort, { once: true });
      worker.on('error', onError).on('messageerror', onError).on('exit', onExit).on('message', onMessage);
      try {
        worker.postMessage(message);
      } catch (error) {
        end(failed(error as Error), 'kept');
      }
    });
  }

  #open(): Worker {
    const { worker: module, workerData } = this.#options;
    const worker = new Worker(module, { workerData, ...INHERITED });
    const forget = (): void => {
      this.#alive.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
    };
    // For good: an error that nobody hears would end the process.
    worker.on('error', forget).on('exit', forget);
    this.#alive.add(worker);
    return worker;
  }

  #release(worker: Worker, thread: 'kept' | 'ended'): void {
    this.#busy--;
    if (thread === 'kept' && this.#idle.length < this.#options.kept && this.#alive.has(worker)) {
      worker.unref();
      this.#idle.push(worker);
    } else void worker.terminate();
    this.#startNext();
  }

  #startNext(): void {
    for (const turn of this.#waiting) return turn();
  }
}
