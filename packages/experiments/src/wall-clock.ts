import { performance } from 'node:perf_hooks';
import { setTimeout as setTimer } from 'node:timers';
import { setTimeout } from 'node:timers/promises';

/** For rates, times left and how long something is waited for, never for a decision. */
export function wallClockMs(): number {
  return performance.now();
}

/** How long this thread has been at work: Node 20 has no processor time by thread. */
export function busyMs(): number {
  return performance.eventLoopUtilization().active;
}

/** Calls something after a while, unless the process has ended by then. */
export function later(ms: number, action: () => void): void {
  setTimer(action, ms).unref();
}

/** Calls something again and again; returns how to end that. */
export function repeatedly(everyMs: number, action: () => void): () => void {
  const timer = setInterval(action, everyMs);
  return () => {
    clearInterval(timer);
  };
}

/** Waits. Throws the signal's reason when it aborts. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {
    signal?.throwIfAborted();
  });
}

/** A promise that is not waited for longer than that. Rejects with an error that says so. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  try {
    return await Promise.race([
      promise,
      setTimeout(ms, undefined, { signal: over.signal, ref: false }).then(() => {
        throw new Error(`nothing came within ${ms / 1_000} s`);
      }),
    ]);
  } finally {
    over.abort();
  }
}

/** Lets signals, files and the terminal have their turn. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
