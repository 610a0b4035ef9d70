/**
 * Requests as columns, in order of arrival. Borrowed: readers and generators fill the same columns
 * again, so a batch is valid until the next one is asked for. Names are stored as positions in the
 * stream's {@link TraceDictionaries}.
 */
export interface RequestBatch {
  readonly length: number;
  readonly requestId: Float64Array;
  /** Milliseconds after the start of the trace, never decreasing. */
  readonly arrivedAtMs: Float64Array;
  /**
   * Milliseconds after the start of the trace; `NaN` where the trace has none and the tier's
   * default applies.
   */
  readonly deadlineAtMs: Float64Array;
  readonly originRegion: Uint16Array;
  readonly model: Uint16Array;
  /** Position in `WORKLOAD_TIERS`. */
  readonly tier: Uint8Array;
  readonly promptTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  /** Position in `regionLists`, −1 where the request may run anywhere. */
  readonly regionList: Int32Array;
  /** Position in `tenants`, −1 where unknown. */
  readonly tenant: Int32Array;
  /** Position in `applications`, −1 where unknown. */
  readonly application: Int32Array;
  /** The client's own priority, 0 where unknown. */
  readonly priority: Int32Array;
}

/**
 * Names behind the numbers of a {@link RequestBatch}. Entries are appended as the stream is read,
 * never changed.
 */
export interface TraceDictionaries {
  readonly regions: string[];
  readonly models: string[];
  readonly tenants: string[];
  readonly applications: string[];
  /** Regions in which a request may run, in its order of preference, as positions in `regions`. */
  readonly regionLists: number[][];
}

/** A trace that is read or made as a stream. */
export interface TraceStream {
  readonly dictionaries: TraceDictionaries;
  /**
   * Wall-clock time of the trace's start in milliseconds since the Unix epoch, where it is known;
   * set at the latest by the first batch.
   */
  readonly startEpochMs: number | undefined;
  /** Share (0–1) of the source that has been read, where that is known. */
  readonly progress?: number | undefined;
  /**
   * Each call starts from the beginning; of a pipe there is only one. A batch may be empty: whoever
   * makes the stream is still at work, and whoever reads it may want to break off. A stream that
   * takes long lets others have their turn now and then.
   */
  batches(): AsyncIterable<RequestBatch>;
}

export function createDictionaries(initial: Partial<TraceDictionaries> = {}): TraceDictionaries {
  return {
    regions: [...(initial.regions ?? [])],
    models: [...(initial.models ?? [])],
    tenants: [...(initial.tenants ?? [])],
    applications: [...(initial.applications ?? [])],
    regionLists: [...(initial.regionLists ?? [])],
  };
}

/** Columns with room for `capacity` requests, filled by whoever makes a batch. */
export class BatchColumns implements RequestBatch {
  length = 0;
  readonly capacity: number;
  readonly requestId: Float64Array;
  readonly arrivedAtMs: Float64Array;
  readonly deadlineAtMs: Float64Array;
  readonly originRegion: Uint16Array;
  readonly model: Uint16Array;
  readonly tier: Uint8Array;
  readonly promptTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  readonly regionList: Int32Array;
  readonly tenant: Int32Array;
  readonly application: Int32Array;
  readonly priority: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.requestId = new Float64Array(capacity);
    this.arrivedAtMs = new Float64Array(capacity);
    this.deadlineAtMs = new Float64Array(capacity).fill(NaN);
    this.originRegion = new Uint16Array(capacity);
    this.model = new Uint16Array(capacity);
    this.tier = new Uint8Array(capacity);
    this.promptTokens = new Uint32Array(capacity);
    this.outputTokens = new Uint32Array(capacity);
    this.regionList = new Int32Array(capacity).fill(-1);
    this.tenant = new Int32Array(capacity).fill(-1);
    this.application = new Int32Array(capacity).fill(-1);
    this.priority = new Int32Array(capacity);
  }
}

/**
 * Requests per batch: large enough to spread the cost of a batch, small enough for its columns (70
 * bytes a request) to stay in a core's cache.
 */
export const BATCH_CAPACITY = 2_048;
