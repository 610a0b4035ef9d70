import { performance } from 'node:perf_hooks';

/** The command's own clock: for rates and times left on a terminal, never for a decision. */
export function wallClockMs(): number {
  return performance.now();
}

/** Lets signals, files and the terminal have their turn. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
