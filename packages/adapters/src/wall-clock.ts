import type { Clock } from '@sageserve/core';

/** Node's timers fire at once for longer waits. */
const LONGEST_WAIT_MS = 0x7fffffff;

/**
 * The clock of this machine, in milliseconds since 1970, which never goes back and never stands
 * still: where the system's clock is set to an earlier time, it goes on from where it was.
 */
export function createWallClock(): Clock {
  let latest = -Infinity;
  let passedAt = performance.now();
  const nowMs = (): number => {
    const passed = performance.now();
    latest = Math.max(latest + (passed - passedAt), Date.now());
    passedAt = passed;
    return latest;
  };
  return {
    nowMs,
    async sleepUntilMs(atMs, signal) {
      for (;;) {
        signal?.throwIfAborted();
        const left = atMs - nowMs();
        if (left <= 0) return;
        await wait(Math.min(Math.ceil(left), LONGEST_WAIT_MS), signal);
      }
    },
  };
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
