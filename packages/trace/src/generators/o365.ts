import {
  createRng,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MIN,
  Pacer,
  power,
  type Rng,
  TIER_NON_INTERACTIVE,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import { BATCH_CAPACITY, BatchColumns, createDictionaries, type TraceStream } from '../request-batch.js';
import { SERVEGEN_RATE_NOISE } from './calibration.js';
import { gamma, gammaDeviate, normalDeviate, weibullShape } from './distributions.js';
import { type CheckedO365Options, checkO365Options, mean, type O365TraceOptions } from './o365-options.js';
import { createQuantileSampler, type Quantiles } from './quantile-sampler.js';
import { TimeSorter } from './time-sorter.js';

/**
 * Sunday, 12 May 2024, 00:00 UTC: the start of the Azure week that the shape was calibrated on, and
 * so of the week that generated traffic stands for.
 */
const REFERENCE_SUNDAY_MS = Date.UTC(2024, 4, 12);

/**
 * Traffic in the shape of a large office suite's: regions × models × tiers, each cell a
 * superposition of a few bursty clients whose renewal processes are stretched by the cell's rate.
 * Constant memory, any length; the same options give the same bytes. Throws `ConfigError` with the
 * option's path.
 */
export function generateO365Trace(options: O365TraceOptions): TraceStream {
  const checked = checkO365Options(options);
  const dictionaries = createDictionaries({
    regions: options.regions.map((r) => r.name),
    models: options.models.map((m) => m.name),
  });
  return {
    dictionaries,
    startEpochMs: REFERENCE_SUNDAY_MS + checked.startHourOfWeek * MS_PER_HOUR,
    async *batches() {
      const generator = new O365Generator(checked);
      const pacer = new Pacer();
      while (!generator.ended) {
        yield generator.next(pacer);
        // Each batch is long enough for a look at the clock.
        if (pacer.late) await pacer.turn();
      }
    },
  };
}

/** Rate of one region × model × tier, and its noise. */
interface Cell {
  readonly region: number;
  readonly model: number;
  readonly tier: number;
  readonly baseRatePerMs: number;
  readonly phaseHours: number;
  /** Rate by hour of the week, and its mean. */
  readonly shape: readonly number[];
  readonly shapeMean: number;
  /** How much of the shape the cell follows. */
  readonly depth: number;
  readonly noiseRng: Rng;
  noise: number;
  ratePerMs: number;
}

class O365Generator {
  readonly #options: CheckedO365Options;
  readonly #cells: Cell[] = [];
  readonly #cellOf: Int32Array;
  readonly #shareOf: Float64Array;
  readonly #inverseShape: Float64Array;
  readonly #gapScale: Float64Array;
  /** Operational time (expected arrivals) left to each stream's next arrival. */
  readonly #left: Float64Array;
  readonly #gapRng: Rng;
  readonly #prompt: (() => number)[];
  readonly #output: (() => number)[];
  readonly #batch = new BatchColumns(BATCH_CAPACITY);
  /** Arrivals of the current minute in order of time, and the cells that they belong to. */
  readonly #minute = new TimeSorter();
  #position = 0;
  #minuteEndMs = 0;
  readonly #endMs: number;
  /** How many of the rate's levels have come. */
  #level = 0;
  #nextId = 0;

  constructor(options: CheckedO365Options) {
    const { regions, models, tierShares, clients, seed } = options;
    const rng = createRng(seed).fork('o365');
    this.#options = options;
    this.#endMs = options.warmupMs + options.durationMs;
    const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    const regionTotal = total(regions.map((r) => r.share));
    const modelTotal = total(models.map((m) => m.share));
    const tierTotal = total(tierShares);
    for (const [r, region] of regions.entries()) {
      for (const [m, model] of models.entries()) {
        for (const [tier, tierShare] of tierShares.entries()) {
          const share = (region.share / regionTotal) * (model.share / modelTotal) * (tierShare / tierTotal);
          if (share === 0) continue;
          this.#cells.push({
            region: r,
            model: m,
            tier,
            baseRatePerMs: (share * options.requestsPerDay) / MS_PER_DAY,
            phaseHours: region.phaseHours ?? 0,
            shape: model.shape ?? options.shape,
            shapeMean: mean(model.shape ?? options.shape),
            depth: tier === TIER_NON_INTERACTIVE ? options.nonInteractiveShape : 1,
            noiseRng: rng.fork(`noise/${region.name}/${model.name}/${WORKLOAD_TIERS[tier]}`),
            noise: 0,
            ratePerMs: 0,
          });
        }
      }
    }
    for (const cell of this.#cells) cell.noise = normalDeviate(cell.noiseRng);
    const streams = this.#cells.length * clients.length;
    this.#cellOf = new Int32Array(streams);
    this.#shareOf = new Float64Array(streams);
    this.#inverseShape = new Float64Array(streams);
    this.#gapScale = new Float64Array(streams);
    this.#left = new Float64Array(streams);
    this.#gapRng = rng.fork('gaps');
    const clientTotal = total(clients.map((c) => c.share));
    for (let s = 0; s < streams; s++) {
      const client = clients[s % clients.length];
      const k = weibullShape(client.gapCv);
      this.#cellOf[s] = Math.floor(s / clients.length);
      this.#shareOf[s] = client.share / clientTotal;
      this.#inverseShape[s] = 1 / k;
      this.#gapScale[s] = 1 / gamma(1 + 1 / k);
      // What is left of a gap that began long before: its law for Weibull gaps is a power of a
      // Gamma deviate.
      this.#left[s] = this.#gapScale[s] * power(gammaDeviate(1 / k, this.#gapRng), 1 / k);
    }
    const sampler = (path: string, quantiles: Quantiles, name: string): (() => number) =>
      createQuantileSampler(path, quantiles, rng.fork(name));
    this.#prompt = models.map((m, i) =>
      sampler(`models[${i}].promptTokens`, m.promptTokens ?? options.promptTokens, `prompt/${m.name}`),
    );
    this.#output = models.map((m, i) =>
      sampler(`models[${i}].outputTokens`, m.outputTokens ?? options.outputTokens, `output/${m.name}`),
    );
  }

  get ended(): boolean {
    return this.#position === this.#minute.length && this.#minuteEndMs >= this.#endMs;
  }

  /**
   * The next batch: a full one but at the end, and but where that takes so long that others are to
   * have a turn.
   */
  next(pacer: Pacer): BatchColumns {
    const batch = this.#batch;
    const minute = this.#minute;
    let size = 0;
    while (size < BATCH_CAPACITY) {
      if (this.#position === minute.length) {
        if (this.#minuteEndMs >= this.#endMs || pacer.due) break;
        this.#nextMinute();
        continue;
      }
      const cell = this.#cells[minute.sortedTags[this.#position]];
      batch.requestId[size] = this.#nextId++;
      batch.arrivedAtMs[size] = minute.sortedTimes[this.#position++] - this.#options.warmupMs;
      batch.originRegion[size] = cell.region;
      batch.model[size] = cell.model;
      batch.tier[size] = cell.tier;
      batch.promptTokens[size] = this.#prompt[cell.model]();
      batch.outputTokens[size] = this.#output[cell.model]();
      size++;
    }
    batch.length = size;
    return batch;
  }

  /**
   * Draws every stream's arrivals of the next minute, or up to the next edge of a burst: a span in
   * which rates are constant.
   */
  #nextMinute(): void {
    const { burst, levels, warmupMs, startHourOfWeek, rateNoise } = this.#options;
    const untilMs = this.#endMs;
    const startMs = this.#minuteEndMs;
    let endMs = Math.min(untilMs, startMs + MS_PER_MIN);
    // The first arrivals come when the trace begins.
    if (startMs < warmupMs) endMs = Math.min(endMs, warmupMs);
    let factor = 1;
    if (burst !== undefined) {
      const { offsetMs = 0 } = burst;
      const periodMs = Math.floor((startMs - offsetMs) / burst.everyMs) * burst.everyMs + offsetMs;
      const bursting = startMs < periodMs + burst.lengthMs;
      if (bursting) factor = burst.factor;
      const edgeMs = bursting
        ? Math.min(periodMs + burst.lengthMs, periodMs + burst.everyMs)
        : periodMs + burst.everyMs;
      // Rounding may put an edge where the span begins: it has been passed then.
      if (edgeMs > startMs) endMs = Math.min(endMs, edgeMs);
    }
    while (this.#level < levels.length && warmupMs + levels[this.#level].atMs <= startMs) this.#level++;
    if (this.#level < levels.length) endMs = Math.min(endMs, warmupMs + levels[this.#level].atMs);
    if (this.#level > 0) factor *= levels[this.#level - 1].factor;
    this.#minuteEndMs = endMs;
    const keep = Math.exp(-(endMs - startMs) / (SERVEGEN_RATE_NOISE.relaxationHours * MS_PER_HOUR));
    const fresh = Math.sqrt(1 - keep * keep);
    for (const cell of this.#cells) {
      cell.noise = keep * cell.noise + fresh * normalDeviate(cell.noiseRng);
      const hour = startHourOfWeek + ((startMs + endMs) / 2 - warmupMs) / MS_PER_HOUR - cell.phaseHours;
      const level = 1 + cell.depth * (shapeAt(cell.shape, hour) / cell.shapeMean - 1);
      cell.ratePerMs =
        cell.baseRatePerMs * level * factor * Math.exp(rateNoise * cell.noise - (rateNoise * rateNoise) / 2);
    }
    const minute = this.#minute;
    minute.clear(startMs, endMs);
    this.#position = 0;
    if (endMs <= warmupMs) return;
    for (let s = 0; s < this.#left.length; s++) {
      const cell = this.#cellOf[s];
      const ratePerMs = this.#cells[cell].ratePerMs * this.#shareOf[s];
      const room = (endMs - startMs) * ratePerMs;
      let at = this.#left[s];
      for (; at < room; at += this.#gap(s)) minute.add(startMs + at / ratePerMs, cell);
      this.#left[s] = at - room;
    }
    minute.sort();
  }

  /**
   * A gap in units of the mean gap: Weibull, which ServeGen finds for bursty clients and which is
   * close to its Gamma for calm ones.
   */
  #gap(s: number): number {
    const exponential = -Math.log(1 - this.#gapRng.next());
    return this.#gapScale[s] * Math.exp(this.#inverseShape[s] * Math.log(exponential));
  }
}

/** The shape at an hour of the week, linear between the middles of the hours. */
function shapeAt(shape: readonly number[], hour: number): number {
  const at = hour - 0.5;
  const low = Math.floor(at);
  const part = at - low;
  return (1 - part) * shape[wrap(low)] + part * shape[wrap(low + 1)];
}

const wrap = (hour: number): number => ((hour % 168) + 168) % 168;
