import type { Clock, ControlLoop, TickReport } from '@sageserve/core';

export interface ControlHostOptions {
  /** Ends the loop between two ticks. */
  readonly signal?: AbortSignal;
  readonly onTick?: (report: TickReport) => void;
}

/**
 * Drives a control loop by a clock until it is aborted: sleeps until the loop wants to run, calls
 * it with the time that it asked for (or the present one where that lies more than one tick back),
 * and goes on. Resolves when aborted; a tick that throws ends it with that error.
 */
export async function runControlLoop(loop: ControlLoop, clock: Clock, options: ControlHostOptions = {}): Promise<void> {
  const { signal, onTick } = options;
  const ended = (): boolean => signal?.aborted ?? false;
  while (!ended()) {
    const atMs = loop.nextTickAtMs;
    try {
      await clock.sleepUntilMs(atMs, signal);
    } catch (error) {
      if (ended()) return;
      throw error;
    }
    if (ended()) return;
    const report = await loop.tick(behind(atMs, clock.nowMs()));
    onTick?.(report);
  }
}

/**
 * A tick that comes late by little keeps its own time, so that cadences stay in step; one that
 * comes very late is told so.
 */
function behind(atMs: number, nowMs: number): number {
  return nowMs - atMs > LATE_MS ? nowMs : atMs;
}

const LATE_MS = 1_000;
