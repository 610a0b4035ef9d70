import { createVirtualClock } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { orAborted } from './or-aborted.js';
import { withDeadline } from './with-deadline.js';

describe('withDeadline', () => {
  it('aborts what has taken its time, and nothing that was over before', async () => {
    const clock = createVirtualClock();
    const signals: AbortSignal[] = [];
    const never = withDeadline(clock, 3_000, (signal) => {
      signals.push(signal);
      return orAborted(new Promise(() => undefined), signal);
    });
    const failed = expect(never).rejects.toThrow('there was no answer within 3 s');
    await clock.advanceMs(2_999);
    expect(signals[0].aborted).toBe(false);
    await clock.advanceMs(1);
    await failed;
    const done = await withDeadline(clock, 3_000, (signal) => {
      signals.push(signal);
      return 5;
    });
    await clock.advanceMs(10_000);
    expect([done, signals[1].aborted]).toEqual([5, false]);
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
