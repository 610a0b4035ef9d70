import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.js';
import { orAborted } from './or-aborted.js';
import { withDeadline } from './with-deadline.js';

describe('withDeadline', () => {
  it('aborts what has taken its time, and nothing that was over before', async () => {
    const asleep: { atMs: number; wake: () => void; signal: AbortSignal }[] = [];
    const clock: Clock = {
      nowMs: () => 500,
      sleepUntilMs: (atMs, signal) =>
        new Promise((wake, reject) => {
          asleep.push({ atMs, wake, signal: signal! });
          signal!.addEventListener('abort', () => reject(signal!.reason as Error));
        }),
    };
    let given: AbortSignal | undefined;
    const never = withDeadline(clock, 3_000, (signal) => {
      given = signal;
      return orAborted(new Promise(() => undefined), signal);
    });
    expect([asleep[0]!.atMs, given!.aborted]).toEqual([3_500, false]);
    asleep[0]!.wake();
    await expect(never).rejects.toThrow('there was no answer within 3 s');
    const done = withDeadline(clock, 3_000, (signal) => {
      given = signal;
      return 5;
    });
    // Nobody is left asleep.
    expect([await done, given!.aborted, asleep[1]!.signal.aborted]).toEqual([5, false, true]);
  });
});

describe('orAborted', () => {
  it('is what the work comes to, or the reason at once', async () => {
    const end = new AbortController();
    const reason = new Error('enough');
    expect(await orAborted(1, end.signal)).toBe(1);
    expect(await orAborted(Promise.resolve(2), undefined)).toBe(2);
    await expect(orAborted(Promise.reject(new Error('broken')), end.signal)).rejects.toThrow('broken');
    const waiting = orAborted(new Promise(() => undefined), end.signal);
    end.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(orAborted(3, end.signal)).rejects.toBe(reason);
  });
});
