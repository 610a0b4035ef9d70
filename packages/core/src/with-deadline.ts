import type { Clock } from './clock.js';
import { type Awaitable, MS_PER_S } from './units.js';

/** What `work` comes to, which is handed a signal that aborts when it has taken `limitMs`. */
export async function withDeadline<T>(
  clock: Clock,
  limitMs: number,
  work: (signal: AbortSignal) => Awaitable<T>,
): Promise<T> {
  const limit = new AbortController();
  const done = new AbortController();
  clock.sleepUntilMs(clock.nowMs() + limitMs, done.signal).then(
    () => limit.abort(new Error(`there was no answer within ${limitMs / MS_PER_S} s`)),
    // It was over before.
    () => undefined,
  );
  try {
    return await work(limit.signal);
  } finally {
    done.abort();
  }
}
