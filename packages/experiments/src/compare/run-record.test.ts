import { DEFAULT_OBJECTIVES } from '@sageserve/core';
import type { EndpointSample } from '@sageserve/sim';
import { describe, expect, it } from 'vitest';
import { RunRecorder, type RunRecord } from './run-record.js';

const MINUTE = 60_000;

/** A run of so long with two ready instances, sampled at the end of each minute and of the run. */
function recordOf(durationMs: number): RunRecord {
  const recorder = new RunRecorder(['r'], durationMs);
  const sample = (timeMs: number): void =>
    recorder.onSample({ timeMs, endpointId: 'r/m/gpu', readyInstances: 2, provisioningInstances: 0 } as EndpointSample);
  for (let at = MINUTE; at < durationMs; at += MINUTE) sample(at);
  sample(durationMs);
  return recorder.record(durationMs, { startEpochMs: undefined, objectives: DEFAULT_OBJECTIVES });
}

describe('the record of a run', () => {
  it('ends with a step that is long enough to say something of', () => {
    for (const [durationMs, ends] of [
      [30 * MINUTE, [600, 1_200, 1_800]],
      [30 * MINUTE + 1_000, [600, 1_200, 1_800]],
      [34 * MINUTE, [600, 1_200, 1_800]],
      [37 * MINUTE, [600, 1_200, 1_800, 2_220]],
      [MINUTE, [60]],
    ] as const) {
      const { timeS, readyInstances, arrivalsPerS, readyByRegion, utilization, ttftP95Ms } = recordOf(durationMs);
      expect(timeS).toEqual(ends);
      expect(readyInstances).toEqual(ends.map(() => 2));
      for (const series of [...arrivalsPerS, ...readyByRegion, utilization, ...ttftP95Ms])
        expect(series).toHaveLength(ends.length);
    }
  });
});
