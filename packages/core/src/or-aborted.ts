import type { Awaitable } from './units.js';

/**
 * What `work` comes to, or the signal's reason as soon as it aborts, whether the work listens to it
 * or not. What the work comes to later is heard by nobody.
 */
export async function orAborted<T>(work: Awaitable<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}
