import { availableParallelism } from 'node:os';
import { MS_PER_DAY } from '@sageserve/core';
import type { Scenario } from '@sageserve/scenario';
import { BatchRing, type TraceStream } from '@sageserve/trace';
import type { RunPool } from './run-pool.js';

/** Starting a thread and loading all that it needs takes as long as making a million requests. */
const WORTH_A_THREAD = 2_000_000;

/** Whether a run has traffic that {@link trafficAhead} makes in less time, on this machine. */
export function trafficPays({ traffic }: Scenario, durationMs: number | undefined): boolean {
  if (traffic.requestsPerDay === undefined || durationMs === undefined) return false;
  return availableParallelism() > 1 && (traffic.requestsPerDay * durationMs) / MS_PER_DAY > WORTH_A_THREAD;
}

/**
 * The generated traffic of a scenario's run, made in a thread of a pool a little ahead of whoever
 * reads it: the same requests. `trace` is that traffic as this thread would make it. Throws the
 * signal's reason.
 */
export function trafficAhead(
  pool: RunPool<string>,
  scenario: Scenario,
  file: string | undefined,
  { dictionaries, startEpochMs }: TraceStream,
  signal: AbortSignal,
): TraceStream {
  return {
    dictionaries,
    startEpochMs,
    async *batches() {
      const ring = new BatchRing();
      let failure: { readonly error: unknown } | undefined;
      const made = pool
        .run('traffic', { kind: 'traffic', scenario, file, memory: ring.memory }, signal)
        .catch((error: unknown) => {
          failure = { error };
        })
        // A thread that is gone can't say so.
        .finally(() => {
          ring.end();
        });
      yield* ring.batches();
      await made;
      if (failure !== undefined) throw failure.error;
    },
  };
}
