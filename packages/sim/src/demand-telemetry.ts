import type { DemandSeries, ModelId, RegionId } from '@sageserve/core';
import { DemandRecorder } from '@sageserve/metrics';

/** How long a whole minute's counts are dated before its end, so that they fall into the bucket in which they came. */
const WITHIN_MS = 1;

/**
 * Interactive demand by model and region of origin, as a forecaster is given it: prompt tokens as they arrive, output tokens as they are known, when a request completes.
 * Counted in plain columns and recorded once a minute, so that an arrival costs two additions.
 */
export class DemandTelemetry {
  readonly recorders: readonly DemandRecorder[];
  readonly #promptTokens: Float64Array;
  readonly #outputTokens: Float64Array;
  readonly #requests: Float64Array;

  constructor(models: readonly ModelId[], regions: readonly RegionId[]) {
    this.recorders = models.flatMap((modelId) => regions.map((regionId) => new DemandRecorder({ modelId, regionId })));
    this.#promptTokens = new Float64Array(this.recorders.length);
    this.#outputTokens = new Float64Array(this.recorders.length);
    this.#requests = new Float64Array(this.recorders.length);
    this.minute(0);
  }

  /** A request came: `cell` counts models × regions. */
  arrive(cell: number, promptTokens: number): void {
    this.#promptTokens[cell] += promptTokens;
    this.#requests[cell]++;
  }

  complete(cell: number, outputTokens: number): void {
    this.#outputTokens[cell] += outputTokens;
  }

  /** Records what was counted since the last call. */
  minute(nowMs: number): void {
    for (const [cell, recorder] of this.recorders.entries()) {
      if (this.#requests[cell] > 0 || this.#outputTokens[cell] > 0)
        recorder.record(nowMs - WITHIN_MS, this.#promptTokens[cell], this.#outputTokens[cell], this.#requests[cell]);
      recorder.observedUntil(nowMs);
    }
    this.#promptTokens.fill(0);
    this.#outputTokens.fill(0);
    this.#requests.fill(0);
  }

  /** What every series holds at `nowMs`, models × regions, in the time that `startEpochMs` is the start of. */
  series(nowMs: number, startEpochMs: number): DemandSeries[] {
    return this.recorders.map((recorder) => {
      const series = recorder.series(nowMs);
      return { ...series, startMs: startEpochMs + series.startMs };
    });
  }
}
