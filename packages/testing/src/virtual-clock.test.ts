import { describe, expect, it } from 'vitest';
import { clockConformance } from './model-suites.js';
import { createVirtualClock } from './virtual-clock.js';

describe('createVirtualClock', () => {
  for (const check of clockConformance(() => {
    const clock = createVirtualClock(5);
    return { clock, pass: (ms) => clock.advanceMs(ms) };
  })) {
    it(check.name, check.run);
  }

  it('wakes sleepers in order of time, also those who go back to sleep', async () => {
    const clock = createVirtualClock();
    const log: string[] = [];
    const every = async (name: string, ms: number): Promise<void> => {
      for (let at = ms; at <= 60; at += ms) {
        await clock.sleepUntilMs(at);
        log.push(`${name}${clock.nowMs()}`);
      }
    };
    void every('a', 20);
    void every('b', 30);
    await clock.advanceMs(100);
    expect(log).toEqual(['a20', 'b30', 'a40', 'b60', 'a60']);
    expect(clock.nowMs()).toBe(100);
  });
});
