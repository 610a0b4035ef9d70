import {
  type Clock,
  ConfigError,
  type ControlLoop,
  type Lease,
  MS_PER_S,
  type TickReport,
  withDeadline,
} from '@sageserve/core';

export interface ControlHostOptions {
  /** Ends the loop; one that is in a tick ends it first. */
  readonly signal?: AbortSignal;
  readonly onTick?: (report: TickReport) => void;
  /**
   * Under which the loop runs: without it in hand no tick is made. Without this option it always
   * runs.
   */
  readonly lease?: Lease;
  /** What a tick waits for is given up after this long (ms, default 10 s). */
  readonly tickDeadlineMs?: number;
}

/**
 * Drives a control loop by a clock until it is aborted: takes up what a loop before it remembered,
 * sleeps until the loop wants to run, calls it with the time that it asked for (or the present one
 * where that lies more than one tick back), and goes on. Under a lease it runs while that is held,
 * and takes up what is remembered each time that it was won. Resolves when aborted; a tick that
 * throws ends it with that error. Throws `ConfigError` for a deadline that is not above 0.
 */
export async function runControlLoop(loop: ControlLoop, clock: Clock, options: ControlHostOptions = {}): Promise<void> {
  const { signal, onTick, lease, tickDeadlineMs = 10 * MS_PER_S } = options;
  if (!(tickDeadlineMs > 0)) throw new ConfigError('tickDeadlineMs', `must be above 0, not ${tickDeadlineMs}`);
  const ended = (): boolean => signal?.aborted ?? false;
  const isHeld = (): boolean => lease === undefined || lease.held;
  const sleep = async (atMs: number): Promise<void> => {
    try {
      await clock.sleepUntilMs(atMs, signal);
    } catch (error) {
      if (!ended()) throw error;
    }
  };
  /** The fence under which was restored last; undefined where it has to be done. */
  let restoredUnder: { readonly fence: number | undefined } | undefined;
  while (!ended()) {
    if (!isHeld()) {
      restoredUnder = undefined;
      await sleep(clock.nowMs() + LEASE_CHECK_MS);
      continue;
    }
    if (restoredUnder === undefined || restoredUnder.fence !== lease?.fence) {
      restoredUnder = { fence: lease?.fence };
      await withDeadline(clock, tickDeadlineMs, async (limit) => loop.restore?.({ signal: limit }));
      continue;
    }
    const atMs = loop.nextTickAtMs;
    await sleep(lease === undefined ? atMs : Math.min(atMs, clock.nowMs() + LEASE_CHECK_MS));
    if (ended() || !isHeld() || clock.nowMs() < atMs) continue;
    const nowMs = behind(atMs, clock.nowMs());
    const report = await withDeadline(clock, tickDeadlineMs, (limit) =>
      loop.tick(nowMs, { signal: limit, ...(lease === undefined ? {} : { lease }) }),
    );
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
/** How often is looked whether the lease is held. */
const LEASE_CHECK_MS = 1_000;
