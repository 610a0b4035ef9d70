import type { Awaitable } from '@sageserve/core';

/**
 * What `work` comes to, or the signal's reason as soon as it aborts, whether the work listens to it
 * or not.
 */
export function orAborted<T>(work: Awaitable<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(work);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    const done = (): void => signal.removeEventListener('abort', abort);
    Promise.resolve(work).then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        // Whatever was thrown goes on as it is.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        reject(error);
      },
    );
  });
}
