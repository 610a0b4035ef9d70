import type { Clock } from '@sageserve/core';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by `ms` and wakes, in order of their times, those who slept until then. Resolves
   * once they have had their turn.
   */
  advanceMs(ms: number): Promise<void>;
}

/** Awaits in a row, each of what is there already, that a sleeper has before time goes on. */
const TURNS = 200;

export function createVirtualClock(startMs = 0): VirtualClock {
  let now = startMs;
  let sleepers: Sleeper[] = [];
  return {
    nowMs: () => now,
    sleepUntilMs(atMs, signal) {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
      if (atMs <= now) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const abort = (): void => {
          sleepers = sleepers.filter((s) => s !== sleeper);
          reject(signal!.reason as Error);
        };
        const sleeper: Sleeper = {
          atMs,
          wake() {
            signal?.removeEventListener('abort', abort);
            resolve();
          },
        };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', abort, { once: true });
      });
    },
    async advanceMs(ms) {
      if (!(ms >= 0)) throw new RangeError(`time only goes on, not by ${ms} ms`);
      const end = now + ms;
      // Who is about to sleep gets there first.
      await turns();
      for (;;) {
        const next = sleepers.filter((s) => s.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        sleepers = sleepers.filter((s) => s !== next);
        now = next.atMs;
        next.wake();
        // What the sleeper does next, and whatever that awaits at once, comes before later
        // sleepers.
        await turns();
      }
      now = end;
    },
  };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
}
