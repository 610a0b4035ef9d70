/** Milliseconds in a second: every time in SageServe is in milliseconds. */
export const MS_PER_S = 1_000;
/** Milliseconds in a minute. */
export const MS_PER_MIN = 60_000;
/** Milliseconds in an hour. */
export const MS_PER_HOUR = 3_600_000;
/** Milliseconds in a day of 24 hours. */
export const MS_PER_DAY = 86_400_000;
/** Milliseconds in a week of seven such days. */
export const MS_PER_WEEK = 604_800_000;

/** A value, or a promise of it: what may be computed at once or in a worker. */
export type Awaitable<T> = T | PromiseLike<T>;

/** Whether a value is a promise, or anything else that `await` waits for. */
export function isThenable<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
