import { type DemandKey, type DemandSeries, type ModelId, MS_PER_MIN, MS_PER_S, type RegionId } from '@sageserve/core';
import { DemandRecorder } from '@sageserve/metrics';

/**
 * How long a whole minute's counts are dated before its end, so that they fall into the bucket in
 * which they came.
 */
const WITHIN_MS = 1;
/** A minute that nobody watched is a gap, not a quiet one. */
const MAX_SILENCE_MS = 2 * MS_PER_MIN;
/** Minutes over which a snapshot's demand is a mean. */
const RECENT_MINUTES = 5;
const HOUR_MINUTES = 60;

/** Sums by cell over the last minutes. */
class RecentSums {
  readonly #minutes: Float64Array[];
  readonly #sums: Float64Array;
  #next = 0;
  #filled = 0;

  constructor(cells: number, minutes: number) {
    this.#minutes = Array.from({ length: minutes }, () => new Float64Array(cells));
    this.#sums = new Float64Array(cells);
  }

  push(counts: Float64Array): void {
    const oldest = this.#minutes[this.#next];
    for (let c = 0; c < counts.length; c++) this.#sums[c] += counts[c] - oldest[c];
    oldest.set(counts);
    this.#next = (this.#next + 1) % this.#minutes.length;
    this.#filled = Math.min(this.#filled + 1, this.#minutes.length);
  }

  perS(cell: number): number | undefined {
    return this.#filled === 0 ? undefined : Math.max(0, this.#sums[cell]) / ((this.#filled * MS_PER_MIN) / MS_PER_S);
  }
}

/**
 * Demand as a controller is given it: prompt tokens as they arrive, output tokens as they are
 * known, when a request completes. Interactive demand by model and region of origin, which is what
 * is forecast; of non-interactive work the last hour by model. Counted in plain columns and
 * recorded once a minute, so that an arrival costs two additions.
 */
export class DemandTelemetry {
  readonly #recorders: readonly DemandRecorder[];
  readonly #promptTokens: Float64Array;
  readonly #outputTokens: Float64Array;
  readonly #requests: Float64Array;
  readonly #recent: RecentSums;
  readonly #deferrable: Float64Array;
  readonly #lastHour: RecentSums;
  readonly #scratch: Float64Array;

  /** `history` ends where the run begins: its buckets are recorded before time 0. */
  constructor(models: readonly ModelId[], regions: readonly RegionId[], history: readonly DemandSeries[]) {
    this.#recorders = models.flatMap((modelId) =>
      regions.map((regionId) => new DemandRecorder({ modelId, regionId }, { maxSilenceMs: MAX_SILENCE_MS })),
    );
    const cells = this.#recorders.length;
    this.#promptTokens = new Float64Array(cells);
    this.#outputTokens = new Float64Array(cells);
    this.#requests = new Float64Array(cells);
    this.#scratch = new Float64Array(cells);
    this.#recent = new RecentSums(cells, RECENT_MINUTES);
    this.#deferrable = new Float64Array(models.length);
    this.#lastHour = new RecentSums(models.length, HOUR_MINUTES);
    for (const series of history) {
      const m = models.indexOf(series.key.modelId);
      const r = regions.indexOf(series.key.regionId);
      if (m !== -1 && r !== -1) record(this.#recorders[m * regions.length + r], series);
    }
    for (const recorder of this.#recorders) recorder.observedUntil(0);
  }

  /** An interactive request came: `cell` counts models × regions. */
  arrive(cell: number, promptTokens: number): void {
    this.#promptTokens[cell] += promptTokens;
    this.#requests[cell]++;
  }

  complete(cell: number, outputTokens: number): void {
    this.#outputTokens[cell] += outputTokens;
  }

  /** Tokens of non-interactive requests: prompts as they arrive, outputs as they end. */
  defer(model: number, tokens: number): void {
    this.#deferrable[model] += tokens;
  }

  /**
   * Takes in what was counted since the last call; with `seen` false it is lost, as while telemetry
   * is down.
   */
  minute(nowMs: number, seen: boolean): void {
    if (seen) {
      for (const [cell, recorder] of this.#recorders.entries()) {
        if (this.#requests[cell] > 0 || this.#outputTokens[cell] > 0)
          recorder.record(nowMs - WITHIN_MS, this.#promptTokens[cell], this.#outputTokens[cell], this.#requests[cell]);
        recorder.observedUntil(nowMs);
        this.#scratch[cell] = this.#promptTokens[cell] + this.#outputTokens[cell];
      }
      this.#recent.push(this.#scratch);
      this.#lastHour.push(this.#deferrable);
    }
    this.#promptTokens.fill(0);
    this.#outputTokens.fill(0);
    this.#requests.fill(0);
    this.#deferrable.fill(0);
  }

  /** Interactive prompt and output tokens of a cell over the last minutes. */
  interactiveTokensPerS(cell: number): number | undefined {
    return this.#recent.perS(cell);
  }

  deferrableTokensPerS(model: number): number | undefined {
    return this.#lastHour.perS(model);
  }

  /** One series in the simulator's own time. */
  one(key: DemandKey, nowMs: number, sinceMs: number): DemandSeries {
    const own = this.#recorders.find(
      ({ key: { modelId, regionId } }) => modelId === key.modelId && regionId === key.regionId,
    );
    if (own !== undefined) return own.series(nowMs, sinceMs);
    const { startMs, stepMs, requestsPerS } = this.#recorders[0].series(nowMs, sinceMs);
    const unknown = (): Float64Array => new Float64Array(requestsPerS.length).fill(NaN);
    return {
      key,
      startMs,
      stepMs,
      promptTokensPerS: unknown(),
      outputTokensPerS: unknown(),
      requestsPerS: unknown(),
    };
  }

  /**
   * What every series holds of the run at `nowMs`, models × regions, in the time that
   * `startEpochMs` is the start of.
   */
  series(nowMs: number, startEpochMs: number): DemandSeries[] {
    return this.#recorders.map((recorder) => {
      const all = recorder.series(nowMs);
      const series = all.startMs < 0 ? recorder.series(nowMs, 0) : all;
      return { ...series, startMs: startEpochMs + series.startMs };
    });
  }
}

/** Records a series bucket by bucket so that it ends at time 0. */
function record(recorder: DemandRecorder, series: DemandSeries): void {
  const seconds = series.stepMs / MS_PER_S;
  const buckets = series.promptTokensPerS.length;
  const startMs = -buckets * series.stepMs;
  for (let t = 0; t < buckets; t++) {
    const fromMs = startMs + t * series.stepMs;
    const untilMs = fromMs + series.stepMs;
    if (Number.isNaN(series.promptTokensPerS[t]) || Number.isNaN(series.outputTokensPerS[t])) continue;
    for (let at = fromMs; at <= untilMs; at += MS_PER_MIN) recorder.observedUntil(at);
    recorder.observedUntil(untilMs);
    const requests = series.requestsPerS[t];
    recorder.record(
      untilMs - WITHIN_MS,
      series.promptTokensPerS[t] * seconds,
      series.outputTokensPerS[t] * seconds,
      Number.isNaN(requests) ? 0 : requests * seconds,
    );
  }
}
