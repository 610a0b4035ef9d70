import { clockConformance } from '@sageserve/testing';
import { describe, expect, it, vi } from 'vitest';
import { createWallClock } from './wall-clock.js';

describe('createWallClock', () => {
  for (const check of clockConformance(() => ({
    clock: createWallClock(),
    pass: (ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  })))
    it(check.name, check.run);

  it('never goes back and never stands still, whatever the system’s clock does', async () => {
    const system = vi.spyOn(Date, 'now');
    try {
      system.mockReturnValue(2_000);
      const clock = createWallClock();
      expect(clock.nowMs()).toBe(2_000);
      system.mockReturnValue(1_000);
      const before = clock.nowMs();
      expect(before).toBeGreaterThanOrEqual(2_000);
      await new Promise((resolve) => setTimeout(resolve, 15));
      // It goes on all the same, or a lease would be held for ever.
      expect(clock.nowMs()).toBeGreaterThan(before + 5);
      system.mockReturnValue(90_000);
      expect(clock.nowMs()).toBe(90_000);
    } finally {
      system.mockRestore();
    }
  });

  it('wakes nobody at once who sleeps for months', async () => {
    const end = new AbortController();
    const clock = createWallClock();
    const asleep = clock.sleepUntilMs(clock.nowMs() + 1e12, end.signal);
    const first = await Promise.race([
      asleep.then(() => 'woke'),
      new Promise((r) => setTimeout(() => r('sleeps'), 30)),
    ]);
    expect(first).toBe('sleeps');
    end.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('enough');
  });
});
