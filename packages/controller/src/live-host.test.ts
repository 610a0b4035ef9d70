import type { Clock, TickReport } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { runControlLoop } from './live-host.js';

/** A clock that shows these times in turn after each sleep. */
function clockOf(times: readonly number[], sleep: (signal?: AbortSignal) => Promise<void> = () => Promise.resolve()) {
  let next = 0;
  const asked: number[] = [];
  const clock: Clock = {
    nowMs: () => times[next++],
    sleepUntilMs: (atMs, signal) => (asked.push(atMs), sleep(signal)),
  };
  return { clock, asked };
}

async function ticksAt(times: readonly number[]): Promise<number[]> {
  const end = new AbortController();
  const ticked: number[] = [];
  let nextTickAtMs = 10_000;
  const loop = {
    get nextTickAtMs() {
      return nextTickAtMs;
    },
    tick: async (nowMs: number): Promise<TickReport> => {
      ticked.push(nowMs);
      nextTickAtMs += 10_000;
      if (ticked.length === times.length) end.abort();
      return { atMs: nowMs, decisions: [], results: [], degradations: [] };
    },
  };
  await runControlLoop(loop, clockOf(times).clock, { signal: end.signal });
  return ticked;
}

describe('runControlLoop', () => {
  it('gives a tick that is late by little its own time, and one that is very late the present', async () => {
    expect(await ticksAt([10_000, 20_001, 31_000, 41_001, 90_000])).toEqual([10_000, 20_000, 30_000, 41_001, 90_000]);
  });

  it('ends without a tick where it is aborted before or in its sleep, and with the error where the clock fails', async () => {
    const loop = { nextTickAtMs: 0, tick: () => Promise.reject(new Error('must not tick')) };
    await runControlLoop(loop, clockOf([0]).clock, { signal: AbortSignal.abort() });
    const end = new AbortController();
    const asleep = clockOf([0], () => (end.abort(), Promise.reject(new Error('aborted'))));
    await runControlLoop(loop, asleep.clock, { signal: end.signal });
    const quiet = new AbortController();
    await runControlLoop(loop, clockOf([0], async () => quiet.abort()).clock, { signal: quiet.signal });
    expect(asleep.asked).toEqual([0]);
    await expect(runControlLoop(loop, clockOf([0], () => Promise.reject(new Error('no clock'))).clock)).rejects.toThrow(
      'no clock',
    );
    await expect(runControlLoop(loop, clockOf([0]).clock)).rejects.toThrow('must not tick');
  });

  it('tells of each tick, if anybody listens', async () => {
    let n = 0;
    const loop = {
      nextTickAtMs: 5,
      tick: async (atMs: number): Promise<TickReport> => {
        if (++n === 3) throw new Error('enough');
        return { atMs, decisions: [], results: [], degradations: [] };
      },
    };
    const reports: number[] = [];
    await expect(
      runControlLoop(loop, clockOf([5, 5, 5]).clock, { onTick: ({ atMs }) => reports.push(atMs) }),
    ).rejects.toThrow('enough');
    expect(reports).toEqual([5, 5]);
    n = 0;
    await expect(runControlLoop(loop, clockOf([5, 5, 5]).clock)).rejects.toThrow('enough');
  });
});
