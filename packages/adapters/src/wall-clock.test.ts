import { clockConformance } from '@sageserve/testing';
import { describe, expect, it, vi } from 'vitest';
import { createWallClock } from './wall-clock.js';

describe('createWallClock', () => {
  for (const check of clockConformance(() => ({
    clock: createWallClock(),
    pass: (ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  })))
    it(check.name, check.run);

  it('never goes back, whatever the system’s clock does', () => {
    const system = vi.spyOn(Date, 'now');
    try {
      const clock = createWallClock();
      system.mockReturnValue(2_000);
      expect(clock.nowMs()).toBe(2_000);
      system.mockReturnValue(1_000);
      expect(clock.nowMs()).toBe(2_000);
      system.mockReturnValue(2_001);
      expect(clock.nowMs()).toBe(2_001);
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
