import { createRng, MS_PER_DAY, TraceFormatError, WORKLOAD_TIERS } from '@sageserve/core';
import { createDraw, renamer, type TraceMapping, UNSPECIFIED } from './mapping.js';
import { NameTable } from './names.js';
import { BATCH_CAPACITY, BatchColumns, createDictionaries, type TraceDictionaries } from './request-batch.js';

/** How many rows were left out, and the first few of them. */
export interface SkippedRows {
  count: number;
  readonly examples: TraceFormatError[];
}

export interface ReadOptions {
  readonly mapping?: TraceMapping;
  /** Leave bad rows out and count them here instead of throwing at the first. */
  readonly skippedRows?: SkippedRows;
  /**
   * Take rows in any order of arrival, for {@link sortTrace}; nothing else accepts such a trace.
   */
  readonly anyOrder?: boolean;
}

const EXAMPLES = 10;
/** No trace is longer: what is, has wrong times. */
const MOST_TIME_MS = 100 * 365 * MS_PER_DAY;
/** Nor is nothing asked for so long. */
export const MOST_GAP_MS = 366 * MS_PER_DAY;
/**
 * Seconds since 1970 of the year 2001, in milliseconds: a trace that begins later than that does
 * not count from its start.
 */
const UNIX_TIMES_FROM_MS = 1e12;
const EARLIEST_START_MS = Date.UTC(1900, 0, 1);
const LATEST_START_MS = Date.UTC(2200, 0, 1);
export const NO_START = 'is not an ISO 8601 time between 1900 and 2200';

/**
 * The time at which a trace says that it began, in milliseconds since 1970; undefined where that is
 * none.
 */
export function startTimeMs(text: string): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text)?.map(Number) ?? [];
  // The language takes the 30th of February for the 1st of March.
  if (day !== undefined && new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined;
  const epochMs = Date.parse(text);
  return mayBeStart(epochMs) ? epochMs : undefined;
}

/** Whether a trace may begin then: what it is written as is read again. */
export function mayBeStart(epochMs: number): boolean {
  return epochMs >= EARLIEST_START_MS && epochMs <= LATEST_START_MS;
}

/** Columns hold tokens and priorities as 32-bit integers, regions and models as 16-bit ones. */
const MAX_TOKENS = 0x7fffffff;
const TOO_MANY = `is more than ${MAX_TOKENS} tokens`;
const MAX_NAMES = 0xffff;

/**
 * One row of a trace, filled by a format's reader and checked and stored by {@link RowSink}.
 * Undefined or −1: the row does not say.
 */
export interface Row {
  requestId: number;
  arrivedAtMs: number;
  deadlineAtMs: number;
  originRegion: number;
  model: number;
  tier: number;
  promptTokens: number;
  outputTokens: number;
  regionList: number;
  tenant: number;
  application: number;
  priority: number;
}

/**
 * Collects rows into batches: fills in what the trace lacks, checks what every request must hold,
 * keeps arrivals in order.
 */
export class RowSink {
  readonly dictionaries: TraceDictionaries;
  readonly regions: NameTable;
  readonly models: NameTable;
  readonly tenants: NameTable;
  readonly applications: NameTable;
  readonly row: Row = {
    requestId: 0,
    arrivedAtMs: 0,
    deadlineAtMs: NaN,
    originRegion: -1,
    model: -1,
    tier: -1,
    promptTokens: 0,
    outputTokens: 0,
    regionList: -1,
    tenant: -1,
    application: -1,
    priority: 0,
  };
  readonly batch = new BatchColumns(BATCH_CAPACITY);
  line = 0;

  readonly #file: string;
  readonly #skipped: SkippedRows | undefined;
  readonly #anyOrder: boolean;
  readonly #drawRegion: () => number;
  readonly #drawModel: () => number;
  readonly #drawTier: () => number;
  readonly #lists = new Map<string, number>();
  #lastMs = 0;
  #accepted = 0;

  constructor(file: string, options: ReadOptions, dictionaries = createDictionaries()) {
    const { fill, rename, seed = 0 } = options.mapping ?? {};
    const rng = createRng(seed).fork('trace-mapping');
    this.#file = file;
    this.#skipped = options.skippedRows;
    this.#anyOrder = options.anyOrder === true;
    this.dictionaries = dictionaries;
    this.regions = new NameTable(dictionaries.regions, renamer(rename?.region));
    this.models = new NameTable(dictionaries.models, renamer(rename?.model));
    this.tenants = new NameTable(dictionaries.tenants);
    this.applications = new NameTable(dictionaries.applications);
    // Drawn names are the user's own and are not renamed.
    const plain = (names: string[]) => (name: string) => new NameTable(names).internText(name);
    let drawRegion: (() => number) | undefined;
    let drawModel: (() => number) | undefined;
    // Names enter the dictionaries only when a row lacks one.
    this.#drawRegion = () =>
      (drawRegion ??= createDraw(
        'mapping.fill.region',
        fill?.region,
        plain(dictionaries.regions),
        rng.fork('region'),
      ))();
    this.#drawModel = () =>
      (drawModel ??= createDraw('mapping.fill.model', fill?.model, plain(dictionaries.models), rng.fork('model')))();
    this.#drawTier = createDraw(
      'mapping.fill.tier',
      fill?.tier ?? { 'interactive-fast': 1 },
      (name) => WORKLOAD_TIERS.indexOf(name as (typeof WORKLOAD_TIERS)[number]),
      rng.fork('tier'),
    );
  }

  get full(): boolean {
    return this.batch.length === this.batch.capacity;
  }

  /** To be called once a batch has been used: its columns are filled again. */
  clear(): void {
    this.batch.length = 0;
  }

  /** Number of a list of regions in order of preference. */
  regionList(regions: number[]): number {
    const key = regions.join(',');
    let id = this.#lists.get(key);
    if (id === undefined) {
      id = this.dictionaries.regionLists.push(regions) - 1;
      this.#lists.set(key, id);
    }
    return id;
  }

  /** Leaves out the current line, or throws it. */
  fail(column: string | undefined, reason: string): void {
    const error = new TraceFormatError({ file: this.#file, line: this.line, column }, reason, {
      hint:
        'Mend the row, or leave bad rows out with --skip-bad-rows; for a comparison or a sweep, `sageserve trace convert ' +
        '--skip-bad-rows` writes the trace without them.',
    });
    if (this.#skipped === undefined) throw error;
    this.#skipped.count++;
    if (this.#skipped.examples.length < EXAMPLES) this.#skipped.examples.push(error);
  }

  /** Wrong for the whole file, so that no row by itself is to blame. */
  #sinceUnixEpoch(column: string): TraceFormatError {
    const date = new Date(this.row.arrivedAtMs).toISOString();
    return new TraceFormatError(
      { file: this.#file, line: this.line, column },
      `is ${date} in seconds since 1970, but times count from the start of the trace`,
      {
        hint:
          `Subtract the first time from all, and say when the trace began: "# start=${date}" above the header of a ` +
          'CSV, "start" in the first object of JSON Lines.',
      },
    );
  }

  /** Checks and stores the current row. `columns` names its fields as the file does. */
  accept(columns: { arrival: string; prompt: string; output: string }): void {
    const { row, batch } = this;
    if (!(row.arrivedAtMs >= (this.#anyOrder ? -MOST_TIME_MS : 0) && row.arrivedAtMs <= MOST_TIME_MS)) {
      if (row.arrivedAtMs > MOST_TIME_MS)
        return this.fail(
          columns.arrival,
          `lies more than ${MOST_TIME_MS / MS_PER_DAY / 365} years after the start of the trace`,
        );
      return this.fail(
        columns.arrival,
        this.#anyOrder ? 'is not a time' : 'is not a time at or after the start of the trace',
      );
    }
    if (row.arrivedAtMs > this.#lastMs + MOST_GAP_MS && !this.#anyOrder) {
      if (this.#accepted === 0 && row.arrivedAtMs >= UNIX_TIMES_FROM_MS) throw this.#sinceUnixEpoch(columns.arrival);
      const gap =
        `${((row.arrivedAtMs - this.#lastMs) / MS_PER_DAY).toFixed(0)} days after ` +
        (this.#accepted === 0 ? 'the start of the trace' : 'the row above');
      return this.fail(columns.arrival, `comes ${gap}: more than a year without a request is taken for a wrong time`);
    }
    if (row.arrivedAtMs < this.#lastMs && !this.#anyOrder) {
      return this.fail(
        columns.arrival,
        `comes ${((this.#lastMs - row.arrivedAtMs) / 1_000).toFixed(3)} s before the row above; rows must be in ` +
          'order of arrival (sageserve trace convert --sort puts them in order)',
      );
    }
    if (!(row.promptTokens >= 1 && row.promptTokens <= MAX_TOKENS))
      return this.fail(
        columns.prompt,
        row.promptTokens > MAX_TOKENS ? TOO_MANY : 'is not a whole number of tokens of 1 or more',
      );
    if (!(row.outputTokens >= 1 && row.outputTokens <= MAX_TOKENS))
      return this.fail(
        columns.output,
        row.outputTokens > MAX_TOKENS ? TOO_MANY : 'is not a whole number of tokens of 1 or more',
      );
    if (row.originRegion > MAX_NAMES) return this.fail('region', `is one of more than ${MAX_NAMES} different regions`);
    if (row.model > MAX_NAMES) return this.fail('model', `is one of more than ${MAX_NAMES} different models`);
    if (!(Math.abs(row.priority) <= MAX_TOKENS)) return this.fail('priority', 'is not a 32-bit whole number');
    if (row.deadlineAtMs < row.arrivedAtMs) return this.fail('deadline', 'lies before the arrival');
    if (row.deadlineAtMs > row.arrivedAtMs + MOST_TIME_MS)
      return this.fail('deadline', `lies more than ${MOST_TIME_MS / MS_PER_DAY / 365} years after the arrival`);
    this.#lastMs = row.arrivedAtMs;
    const at = batch.length++;
    batch.requestId[at] = row.requestId;
    batch.arrivedAtMs[at] = row.arrivedAtMs;
    batch.deadlineAtMs[at] = row.deadlineAtMs;
    batch.originRegion[at] = isMissing(row.originRegion, this.dictionaries.regions)
      ? this.#drawRegion()
      : row.originRegion;
    batch.model[at] = isMissing(row.model, this.dictionaries.models) ? this.#drawModel() : row.model;
    batch.tier[at] = row.tier === -1 ? this.#drawTier() : row.tier;
    batch.promptTokens[at] = row.promptTokens;
    batch.outputTokens[at] = row.outputTokens;
    batch.regionList[at] = row.regionList;
    batch.tenant[at] = row.tenant;
    batch.application[at] = row.application;
    batch.priority[at] = row.priority;
    this.#accepted++;
  }

  get accepted(): number {
    return this.#accepted;
  }
}

/** A name that stands for none, written by whoever had none, is none. */
function isMissing(name: number, names: readonly string[]): boolean {
  return name === -1 || names[name] === UNSPECIFIED;
}
