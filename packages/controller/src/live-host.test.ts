import type { Clock, TickOptions, TickReport } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '@sageserve/testing';
import { runControlLoop } from './live-host.js';

const DEADLINE = 7_777;
const limits = { tickDeadlineMs: DEADLINE };

/** A clock that shows these times in turn after each sleep but those for deadlines, which last. */
function clockOf(times: readonly number[], sleep: (signal?: AbortSignal) => Promise<void> = () => Promise.resolve()) {
  let next = -1;
  const asked: number[] = [];
  const clock: Clock = {
    nowMs: () => times[Math.max(0, next)],
    sleepUntilMs(atMs, signal) {
      if (atMs === clock.nowMs() + DEADLINE)
        return new Promise((_, reject) => signal!.addEventListener('abort', () => reject(new Error('over'))));
      next++;
      asked.push(atMs);
      return sleep(signal);
    },
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
  await runControlLoop(loop, clockOf(times).clock, { ...limits, signal: end.signal });
  return ticked;
}

describe('runControlLoop', () => {
  it('gives a tick that is late by little its own time, and one that is very late the present', async () => {
    expect(await ticksAt([10_000, 20_001, 31_000, 41_001, 90_000])).toEqual([10_000, 20_000, 30_000, 41_001, 90_000]);
  });

  it('ends without a tick where it is aborted before or in its sleep, and with the error where the clock fails', async () => {
    const loop = { nextTickAtMs: 0, tick: () => Promise.reject(new Error('must not tick')) };
    await runControlLoop(loop, clockOf([0]).clock, { ...limits, signal: AbortSignal.abort() });
    const end = new AbortController();
    const asleep = clockOf([0], () => (end.abort(), Promise.reject(new Error('aborted'))));
    await runControlLoop(loop, asleep.clock, { ...limits, signal: end.signal });
    const quiet = new AbortController();
    await runControlLoop(loop, clockOf([0], async () => quiet.abort()).clock, { ...limits, signal: quiet.signal });
    expect(asleep.asked).toEqual([0]);
    await expect(
      runControlLoop(loop, clockOf([0], () => Promise.reject(new Error('no clock'))).clock, limits),
    ).rejects.toThrow('no clock');
    await expect(runControlLoop(loop, clockOf([0]).clock, limits)).rejects.toThrow('must not tick');
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
      runControlLoop(loop, clockOf([5, 5, 5]).clock, { ...limits, onTick: ({ atMs }) => reports.push(atMs) }),
    ).rejects.toThrow('enough');
    expect(reports).toEqual([5, 5]);
    n = 0;
    await expect(runControlLoop(loop, clockOf([5, 5, 5]).clock, limits)).rejects.toThrow('enough');
  });

  it('gives up what a tick waits for, and goes on', async () => {
    const clock = createVirtualClock();
    const end = new AbortController();
    const reasons: string[] = [];
    let nextTickAtMs = 0;
    const loop = {
      get nextTickAtMs() {
        return nextTickAtMs;
      },
      async tick(atMs: number, options?: TickOptions): Promise<TickReport> {
        nextTickAtMs = atMs + 60_000;
        const { signal } = options!;
        await new Promise<void>((resolve) => signal!.addEventListener('abort', () => resolve()));
        reasons.push((signal!.reason as Error).message);
        return { atMs, decisions: [], results: [], degradations: [] };
      },
    };
    const running = runControlLoop(loop, clock, { signal: end.signal, tickDeadlineMs: 3_000 });
    await clock.advanceMs(2_999);
    expect(reasons).toEqual([]);
    await clock.advanceMs(1);
    await clock.advanceMs(120_000);
    expect(reasons).toEqual(Array(3).fill('there was no answer within 3 s'));
    end.abort();
    await clock.advanceMs(10_000);
    await running;
    await expect(runControlLoop(loop, clock, { tickDeadlineMs: 0 })).rejects.toThrow('tickDeadlineMs');
  });

  it('ticks under its lease alone, and takes up what is remembered each time that it was won', async () => {
    const clock = createVirtualClock();
    const end = new AbortController();
    const lease = { held: false, fence: undefined as number | undefined };
    const seen: (string | number)[] = [];
    let nextTickAtMs = 0;
    const loop = {
      get nextTickAtMs() {
        return nextTickAtMs;
      },
      async restore() {
        seen.push(`restored under ${lease.fence}`);
      },
      async tick(atMs: number, options?: TickOptions): Promise<TickReport> {
        expect(options!.lease).toBe(lease);
        nextTickAtMs = atMs + 10_000;
        seen.push(atMs);
        return { atMs, decisions: [], results: [], degradations: [] };
      },
    };
    const running = runControlLoop(loop, clock, { signal: end.signal, lease });
    await clock.advanceMs(30_000);
    expect(seen).toEqual([]);
    Object.assign(lease, { held: true, fence: 1 });
    await clock.advanceMs(15_000);
    expect(seen).toEqual(['restored under 1', 31_000, 41_000]);
    lease.held = false;
    await clock.advanceMs(20_000);
    expect(seen).toHaveLength(3);
    // It was lost and won between two looks: somebody else may have acted.
    Object.assign(lease, { held: true, fence: 3 });
    await clock.advanceMs(1_000);
    lease.fence = 4;
    await clock.advanceMs(2_000);
    expect(seen.slice(3)).toEqual(['restored under 3', 66_000, 'restored under 4']);
    end.abort();
    await clock.advanceMs(1_000);
    await running;
  });
});
