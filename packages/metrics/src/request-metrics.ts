import { DEFAULT_OBJECTIVES, type TierObjective, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import { LatencySketch, type LatencySummary } from './latency-sketch.js';

/** What became of the requests of one group (or of several, merged). */
export interface RequestReport {
  readonly arrived: number;
  readonly completed: number;
  readonly rejected: number;
  /** Still queued, held or running when the run ended. */
  readonly unfinished: number;
  /**
   * Requests that met their objective ÷ requests that arrived: a dropped or unfinished one is a
   * miss. `undefined` where none arrived.
   */
  readonly sloAttainment: number | undefined;
  /** Non-interactive requests that did not finish by their deadline. */
  readonly deadlineMisses: number;
  /** Completions that met their objective, per second. */
  readonly goodputPerS: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly ttftMs: LatencySummary;
  readonly tbtMs: LatencySummary;
  readonly e2eMs: LatencySummary;
}

export interface RequestMetricsOptions {
  /** Groups beside the tier: model × region, usually. */
  readonly groups: number;
  readonly objectives?: Readonly<Record<WorkloadTier, TierObjective>>;
}

const TIERS = WORKLOAD_TIERS.length;
/** Share of the times between a request's tokens that may be longer than its objective allows. */
const SLOW_SHARE = 0.05;

/**
 * Counts and latencies by group and tier, in memory that does not grow with the number of requests.
 * TTFT = first token − arrival; E2E = last token − arrival; TBT = (E2E − TTFT) ÷ (output tokens −
 * 1), for outputs of two tokens and more.
 */
export class RequestMetrics {
  readonly groups: number;
  readonly #ttftObjectiveMs: Float64Array;
  readonly #tbtObjectiveMs: Float64Array;
  readonly #e2eObjectiveMs: Float64Array;
  /** Whether slow tokens count, by tier. */
  readonly #tbtP95: readonly boolean[];
  readonly #arrived: Float64Array;
  readonly #completed: Float64Array;
  readonly #rejected: Float64Array;
  readonly #met: Float64Array;
  readonly #late: Float64Array;
  /** What had met its objective when goodput stopped being counted. */
  #metInTime: Float64Array | undefined;
  readonly #promptTokens: Float64Array;
  readonly #outputTokens: Float64Array;
  readonly #ttft: LatencySketch[];
  readonly #tbt: LatencySketch[];
  readonly #e2e: LatencySketch[];

  constructor(options: RequestMetricsOptions) {
    const objectives = options.objectives ?? DEFAULT_OBJECTIVES;
    const cells = options.groups * TIERS;
    const column = (): Float64Array => new Float64Array(cells);
    const sketches = (): LatencySketch[] => Array.from({ length: cells }, () => new LatencySketch());
    this.groups = options.groups;
    this.#ttftObjectiveMs = Float64Array.from(WORKLOAD_TIERS, (tier) => objectives[tier].ttftMs ?? Infinity);
    this.#tbtObjectiveMs = Float64Array.from(WORKLOAD_TIERS, (tier) => objectives[tier].tbtMs ?? Infinity);
    this.#e2eObjectiveMs = Float64Array.from(WORKLOAD_TIERS, (tier) => objectives[tier].e2eMs ?? Infinity);
    this.#tbtP95 = WORKLOAD_TIERS.map((tier) => objectives[tier].tbtP95Ms !== undefined);
    this.#arrived = column();
    this.#completed = column();
    this.#rejected = column();
    this.#met = column();
    this.#late = column();
    this.#promptTokens = column();
    this.#outputTokens = column();
    this.#ttft = sketches();
    this.#tbt = sketches();
    this.#e2e = sketches();
  }

  arrive(group: number, tier: number, promptTokens: number): void {
    const cell = group * TIERS + tier;
    this.#arrived[cell]!++;
    this.#promptTokens[cell]! += promptTokens;
  }

  reject(group: number, tier: number): void {
    this.#rejected[group * TIERS + tier]!++;
  }

  /**
   * Takes times in milliseconds on the host's clock, where arrived ≤ firstToken ≤ completed.
   * `slowTokens` are those that came later after the one before than `tbtP95Ms` of the tier allows.
   */
  complete(
    group: number,
    tier: number,
    arrivedAtMs: number,
    firstTokenAtMs: number,
    completedAtMs: number,
    outputTokens: number,
    deadlineAtMs: number,
    slowTokens = 0,
  ): void {
    const cell = group * TIERS + tier;
    const ttftMs = firstTokenAtMs - arrivedAtMs;
    const e2eMs = completedAtMs - arrivedAtMs;
    const gaps = outputTokens - 1;
    this.#completed[cell]!++;
    this.#outputTokens[cell]! += outputTokens;
    this.#ttft[cell]!.record(ttftMs);
    this.#e2e[cell]!.record(e2eMs);
    const tbtMs = gaps > 0 ? (e2eMs - ttftMs) / gaps : 0;
    if (gaps > 0) this.#tbt[cell]!.record(tbtMs);
    const objectiveMs = this.#ttftObjectiveMs[tier]!;
    const late = objectiveMs === Infinity && !(completedAtMs <= deadlineAtMs);
    if (late) this.#late[cell]!++;
    if (
      !late &&
      ttftMs <= objectiveMs &&
      tbtMs <= this.#tbtObjectiveMs[tier]! &&
      e2eMs <= this.#e2eObjectiveMs[tier]! &&
      !(this.#tbtP95[tier]! && slowTokens > SLOW_SHARE * gaps)
    )
      this.#met[cell]!++;
  }

  /**
   * From now on completions no longer count for goodput: the time over which it is averaged is
   * over.
   */
  endGoodput(): void {
    this.#metInTime = Float64Array.from(this.#met);
  }

  /**
   * Merges the cells for which `include` holds. `durationMs` is the time over which goodput is
   * averaged.
   */
  report(durationMs: number, include: (group: number, tier: number) => boolean = () => true): RequestReport {
    let arrived = 0;
    let completed = 0;
    let rejected = 0;
    let met = 0;
    let metInTime = 0;
    let deadlineMisses = 0;
    let promptTokens = 0;
    let outputTokens = 0;
    const cells: number[] = [];
    for (let group = 0; group < this.groups; group++) {
      for (let tier = 0; tier < TIERS; tier++) {
        if (!include(group, tier)) continue;
        const cell = group * TIERS + tier;
        cells.push(cell);
        arrived += this.#arrived[cell]!;
        completed += this.#completed[cell]!;
        rejected += this.#rejected[cell]!;
        met += this.#met[cell]!;
        metInTime += (this.#metInTime ?? this.#met)[cell]!;
        if (this.#ttftObjectiveMs[tier] === Infinity)
          deadlineMisses += this.#late[cell]! + this.#arrived[cell]! - this.#completed[cell]!;
        promptTokens += this.#promptTokens[cell]!;
        outputTokens += this.#outputTokens[cell]!;
      }
    }
    return {
      arrived,
      completed,
      rejected,
      unfinished: arrived - completed - rejected,
      sloAttainment: arrived === 0 ? undefined : met / arrived,
      deadlineMisses,
      goodputPerS: durationMs > 0 ? metInTime / (durationMs / 1_000) : 0,
      promptTokens,
      outputTokens,
      ttftMs: LatencySketch.merged(cells.map((cell) => this.#ttft[cell]!)).summary(),
      tbtMs: LatencySketch.merged(cells.map((cell) => this.#tbt[cell]!)).summary(),
      e2eMs: LatencySketch.merged(cells.map((cell) => this.#e2e[cell]!)).summary(),
    };
  }
}
