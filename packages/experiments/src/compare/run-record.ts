import { MS_PER_MIN, type TierObjective, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import { LatencySketch } from '@sageserve/metrics';
import type { EndpointSample, RequestOutcome, RequestTable, SimulationObserver } from '@sageserve/sim';

/** Length of a point in the series of a record. */
const RECORD_STEP_MS = 10 * MS_PER_MIN;
const MINUTES = 60;
const TIERS = WORKLOAD_TIERS.length;
/** Share of requests that are at most so slow, for the distributions. */
export const DISTRIBUTION_LEVELS = [
  0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999,
] as const;

/**
 * What one run looked like over time, small enough to be kept for every strategy. Times are in
 * seconds from the start of the run, at the end of each ten minutes.
 */
export interface RunRecord {
  readonly timeS: readonly number[];
  /** Requests that arrived, per second, by tier. */
  readonly arrivalsPerS: readonly (readonly number[])[];
  /** Ready and provisioning instances of the fleet, means over the step. */
  readonly readyInstances: readonly number[];
  readonly provisioningInstances: readonly number[];
  /** Ready instances by region, in the order of `regions`. */
  readonly readyByRegion: readonly (readonly number[])[];
  readonly regions: readonly string[];
  /** KV-cache utilisation, mean over ready instances. */
  readonly utilization: readonly (number | null)[];
  /** By tier: 95th percentile of the requests that ended in the step, in milliseconds. */
  readonly ttftP95Ms: readonly (readonly (number | null)[])[];
  readonly e2eP95Ms: readonly (readonly (number | null)[])[];
  /** By tier, at {@link DISTRIBUTION_LEVELS}. */
  readonly ttftDistributionMs: readonly (readonly (number | null)[])[];
  /** Means within a request; one of a single token has none. */
  readonly tbtDistributionMs: readonly (readonly (number | null)[])[];
  readonly e2eDistributionMs: readonly (readonly (number | null)[])[];
  /**
   * By minute of the hour, over all hours: arrivals per second, ready instances, and the 95th
   * percentile of TTFT of interactive-fast requests that arrived in it.
   */
  readonly byMinute: {
    readonly arrivalsPerS: readonly number[];
    readonly readyInstances: readonly number[];
    readonly ttftP95Ms: readonly (number | null)[];
  };
  /** Milliseconds since 1970 at the start, where the trace has a date. */
  readonly startEpochMs: number | undefined;
  readonly objectives: Readonly<Record<WorkloadTier, TierObjective>>;
}

/** What a run is known by besides what its record watches. */
export type RunRecordContext = Pick<RunRecord, 'startEpochMs' | 'objectives'>;

/** Watches a run and makes its record, in memory that grows with its length in steps only. */
export class RunRecorder implements SimulationObserver {
  readonly #regions: readonly string[];
  readonly #durationMs: number;
  readonly #timeS: number[] = [];
  readonly #arrivals: number[][] = WORKLOAD_TIERS.map(() => []);
  readonly #ready: number[] = [];
  readonly #provisioning: number[] = [];
  readonly #byRegion: number[][];
  readonly #utilization: (number | null)[] = [];
  readonly #ttftP95: (number | null)[][] = WORKLOAD_TIERS.map(() => []);
  readonly #e2eP95: (number | null)[][] = WORKLOAD_TIERS.map(() => []);
  readonly #ttft = WORKLOAD_TIERS.map(() => new LatencySketch());
  readonly #tbt = WORKLOAD_TIERS.map(() => new LatencySketch());
  readonly #e2e = WORKLOAD_TIERS.map(() => new LatencySketch());
  #stepTtft = WORKLOAD_TIERS.map(() => new LatencySketch());
  #stepE2e = WORKLOAD_TIERS.map(() => new LatencySketch());
  readonly #minuteTtft = Array.from({ length: MINUTES }, () => new LatencySketch());
  readonly #minuteArrivals = new Float64Array(MINUTES);
  readonly #minuteReady = new Float64Array(MINUTES);
  readonly #minuteSamples = new Float64Array(MINUTES);
  /** Requests that arrived in the step, by tier; they are counted when they end. */
  readonly #arrivedAt: Float64Array[] = WORKLOAD_TIERS.map(() => new Float64Array(1));
  readonly #step = {
    ready: 0,
    provisioning: 0,
    utilization: 0,
    utilizationWeight: 0,
    samples: 0,
    byRegion: [] as number[],
  };
  #minuteMs = -1;

  /** `durationMs` is when the run ends, where that is known beforehand. */
  constructor(regions: readonly string[], durationMs = Infinity) {
    this.#regions = regions;
    this.#durationMs = durationMs;
    this.#byRegion = regions.map(() => []);
    this.#step.byRegion = regions.map(() => 0);
  }

  onRequestEnd(requests: RequestTable, slot: number, outcome: RequestOutcome, endedAtMs: number): void {
    const tier = requests.tier[slot]!;
    const arrivedMs = requests.arrivedAtMs[slot]!;
    const step = Math.floor(arrivedMs / RECORD_STEP_MS);
    let counts = this.#arrivedAt[tier]!;
    if (step >= counts.length) {
      const grown = new Float64Array(Math.max(step + 1, 2 * counts.length));
      grown.set(counts);
      counts = this.#arrivedAt[tier] = grown;
    }
    counts[step]!++;
    const minute = Math.floor(arrivedMs / MS_PER_MIN) % MINUTES;
    this.#minuteArrivals[minute]!++;
    if (outcome !== 'completed') return;
    const ttftMs = requests.firstTokenAtMs[slot]! - arrivedMs;
    const e2eMs = endedAtMs - arrivedMs;
    // What ends after the run belongs to the distributions, not to its last ten minutes.
    const after = endedAtMs > this.#durationMs;
    (after ? this.#ttft : this.#stepTtft)[tier]!.record(ttftMs);
    (after ? this.#e2e : this.#stepE2e)[tier]!.record(e2eMs);
    const between = requests.outputTokens[slot]! - 1;
    if (between > 0) this.#tbt[tier]!.record((e2eMs - ttftMs) / between);
    if (tier === 0) this.#minuteTtft[minute]!.record(ttftMs);
  }

  onSample(sample: EndpointSample): void {
    const step = this.#step;
    if (sample.timeMs !== this.#minuteMs) {
      if (this.#minuteMs >= 0) step.samples++;
      if (this.#minuteMs >= 0 && this.#minuteMs % RECORD_STEP_MS === 0) this.#close(this.#minuteMs);
      this.#minuteMs = sample.timeMs;
      this.#minuteSamples[this.#minuteOfHour()]!++;
    }
    step.ready += sample.readyInstances;
    step.provisioning += sample.provisioningInstances;
    step.byRegion[this.#regions.indexOf(sample.endpointId.slice(0, sample.endpointId.indexOf('/')))]! +=
      sample.readyInstances;
    this.#minuteReady[this.#minuteOfHour()]! += sample.readyInstances;
    if (sample.kvCacheUtilization !== undefined) {
      step.utilization += sample.kvCacheUtilization * sample.readyInstances;
      step.utilizationWeight += sample.readyInstances;
    }
  }

  /** To be called after the run. */
  record(durationMs: number, context: RunRecordContext): RunRecord {
    this.#step.samples++;
    if (this.#minuteMs > 0) this.#close(this.#minuteMs);
    // Of a moment at the end nothing can be said per second, nor of its percentiles.
    const rest = durationMs - (this.#timeS.length - 1) * RECORD_STEP_MS;
    if (this.#timeS.length > 1 && rest < RECORD_STEP_MS / 2) this.#dropLast();
    const steps = this.#timeS.length;
    for (const [t] of WORKLOAD_TIERS.entries()) {
      for (let s = 0; s < steps; s++) {
        const lengthMs = Math.min(RECORD_STEP_MS, durationMs - s * RECORD_STEP_MS);
        this.#arrivals[t]!.push(round((this.#arrivedAt[t]![s] ?? 0) / (lengthMs / 1_000)));
      }
      this.#ttft[t]!.merge(this.#stepTtft[t]!);
      this.#e2e[t]!.merge(this.#stepE2e[t]!);
    }
    const levels = (sketch: LatencySketch): (number | null)[] =>
      DISTRIBUTION_LEVELS.map((level) => known(sketch.quantile(level)));
    const minutes = (of: (minute: number) => number): number[] =>
      Array.from({ length: MINUTES }, (_, m) => round(of(m)));
    const hours = (m: number): number => Math.max(1, this.#minuteSamples[m]!);
    return {
      timeS: this.#timeS,
      arrivalsPerS: this.#arrivals,
      readyInstances: this.#ready,
      provisioningInstances: this.#provisioning,
      readyByRegion: this.#byRegion,
      regions: this.#regions,
      utilization: this.#utilization,
      ttftP95Ms: this.#ttftP95,
      e2eP95Ms: this.#e2eP95,
      ttftDistributionMs: this.#ttft.map(levels),
      tbtDistributionMs: this.#tbt.map(levels),
      e2eDistributionMs: this.#e2e.map(levels),
      byMinute: {
        arrivalsPerS: minutes((m) => this.#minuteArrivals[m]! / (60 * hours(m))),
        readyInstances: minutes((m) => this.#minuteReady[m]! / hours(m)),
        ttftP95Ms: this.#minuteTtft.map((sketch) => known(sketch.quantile(0.95))),
      },
      ...context,
    };
  }

  #dropLast(): void {
    for (const series of [this.#timeS, this.#ready, this.#provisioning, this.#utilization]) series.pop();
    for (const series of [...this.#byRegion, ...this.#ttftP95, ...this.#e2eP95]) series.pop();
  }

  /** A sample at the end of a minute belongs to that minute. */
  #minuteOfHour(): number {
    return (Math.ceil(this.#minuteMs / MS_PER_MIN) - 1) % MINUTES;
  }

  #close(atMs: number): void {
    const step = this.#step;
    this.#timeS.push(atMs / 1_000);
    const mean = (sum: number): number => round(step.samples === 0 ? 0 : sum / step.samples);
    this.#ready.push(mean(step.ready));
    this.#provisioning.push(mean(step.provisioning));
    for (const [r, sum] of step.byRegion.entries()) this.#byRegion[r]!.push(mean(sum));
    this.#utilization.push(step.utilizationWeight === 0 ? null : round(step.utilization / step.utilizationWeight));
    for (let t = 0; t < TIERS; t++) {
      this.#ttftP95[t]!.push(known(this.#stepTtft[t]!.quantile(0.95)));
      this.#e2eP95[t]!.push(known(this.#stepE2e[t]!.quantile(0.95)));
      this.#ttft[t]!.merge(this.#stepTtft[t]!);
      this.#e2e[t]!.merge(this.#stepE2e[t]!);
    }
    this.#stepTtft = WORKLOAD_TIERS.map(() => new LatencySketch());
    this.#stepE2e = WORKLOAD_TIERS.map(() => new LatencySketch());
    Object.assign(step, {
      ready: 0,
      provisioning: 0,
      utilization: 0,
      utilizationWeight: 0,
      samples: 0,
      byRegion: this.#regions.map(() => 0),
    });
  }
}

const round = (value: number): number => Number(value.toPrecision(5));
const known = (value: number | undefined): number | null => (value === undefined ? null : round(value));
