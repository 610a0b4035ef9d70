import { performance } from 'node:perf_hooks';
import { setTimeout as setTimer } from 'node:timers';
import { setTimeout } from 'node:timers/promises';

/** The command's own clock: for rates and times left on a terminal, never for a decision. */
export function wallClockMs(): number {
  return performance.now();
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

/** Lets signals, files and the terminal have their turn. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
