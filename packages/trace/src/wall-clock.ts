import { setTimeout } from 'node:timers/promises';

/** Waits a little, or until the signal aborts. */
export async function shortPause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}
