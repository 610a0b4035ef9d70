/**
 * Places of a request in {@link RequestTable.doubles}, in the order that keeps together what an
 * iteration reads, wherever a cache line begins. From `REQUEST_ID` to `OUTPUT` is what a request
 * has before it is served, and what is held of it.
 */
/**
 * Of a request that was put back: how many tokens its instance has given memory to in all once that
 * of its last token is given away.
 */
export const KEPT_UNTIL = 3;
export const REQUEST_ID = 4;
export const SEQUENCE = 5;
export const DEADLINE_AT = 6;
export const ARRIVED_AT = 7;
export const PROMPT = 8;
export const OUTPUT = 9;
export const STARTED_AT = 10;
export const FIRST_TOKEN_AT = 11;
export const RECOMPUTE = 12;
/**
 * Prompt tokens of the current prefill that are done. While it is put back: tokens that were done,
 * of which some may be kept.
 */
export const PREFILLED = 13;
export const PRIORITY = 14;
/**
 * While it decodes: slow iterations of its instance before its own. While it is put back: those
 * that it has had. When it has ended: its tokens that came late.
 */
export const SLOW = 15;

/** Places of a request in {@link RequestTable.ints}. */
export const MODEL = 0;
export const ORIGIN = 1;
export const SERVED = 2;
export const TIER = 3;
export const REGION_LIST = 4;
export const AWAITS_DECODE = 5;
export const LAST_ITERATION = 6;
/** The next of the requests that end at the same iteration of the same instance, −1 for none. */
export const NEXT_RUNNING = 7;
/** How often it began anew. */
export const ATTEMPT = 8;

/** Slots are multiples of this. */
const STRIDE = 16;

/**
 * Every request that is in the system. A slot is free again once its request has ended, so that
 * memory follows the number of requests in flight, not the length of the trace. What is kept of a
 * request lies together, in two records that start at its slot: the simulator's own code reads
 * `doubles[slot + PROMPT]`. To all others the table shows a column for each field, to be indexed by
 * slot and by nothing else: what lies between are other fields, and slots are not counted one by
 * one.
 */
export class RequestTable {
  /** Requests in the system now. */
  live = 0;
  doubles: Float64Array = new Float64Array(0);
  ints: Int32Array = new Int32Array(0);
  requestId: Float64Array = new Float64Array(0);
  /** Order of arrival: breaks every tie. */
  sequence: Float64Array = new Float64Array(0);
  arrivedAtMs: Float64Array = new Float64Array(0);
  deadlineAtMs: Float64Array = new Float64Array(0);
  /** When the first iteration that works on it began; `NaN` before. */
  startedAtMs: Float64Array = new Float64Array(0);
  firstTokenAtMs: Float64Array = new Float64Array(0);
  /** Key that its batch scheduler gave it. */
  priorityKey: Float64Array = new Float64Array(0);
  promptTokens: Float64Array = new Float64Array(0);
  outputTokens: Float64Array = new Float64Array(0);
  /** Output tokens that a preemption threw back into the prompt, to be computed again. */
  recomputeTokens: Float64Array = new Float64Array(0);
  /** Of a request that has ended: its tokens that came later than `tbtP95Ms` of its tier allows. */
  slowTokens: Float64Array = new Float64Array(0);
  model: Int32Array = new Int32Array(0);
  originRegion: Int32Array = new Int32Array(0);
  servedRegion: Int32Array = new Int32Array(0);
  tier: Int32Array = new Int32Array(0);
  regionList: Int32Array = new Int32Array(0);
  /**
   * 1 once its prefill is done and it waits for KV memory to decode (`reserve` allocation only).
   */
  awaitsDecode: Int32Array = new Int32Array(0);
  /** Iteration of its instance at which it ends, while it decodes. */
  lastIteration: Int32Array = new Int32Array(0);
  #capacity = 0;
  #free: Int32Array = new Int32Array(0);
  #freeCount = 0;

  constructor(capacity = 1_024) {
    this.#grow(capacity);
  }

  /** A free slot, its per-run fields cleared. */
  allocate(): number {
    if (this.#freeCount === 0) this.#grow(this.#capacity * 2);
    const slot = this.#free[--this.#freeCount];
    this.live++;
    this.ints[slot + SERVED] = -1;
    this.ints[slot + ATTEMPT] = 0;
    this.#clear(slot);
    return slot;
  }

  /**
   * Takes back what instances did for a request whose instance was lost: it begins anew, and its
   * latency still counts from its arrival.
   */
  restart(slot: number): void {
    this.ints[slot + ATTEMPT]++;
    this.#clear(slot);
  }

  #clear(slot: number): void {
    const doubles = this.doubles;
    doubles[slot + STARTED_AT] = NaN;
    doubles[slot + FIRST_TOKEN_AT] = NaN;
    doubles[slot + RECOMPUTE] = 0;
    doubles[slot + PREFILLED] = 0;
    doubles[slot + SLOW] = 0;
    this.ints[slot + AWAITS_DECODE] = 0;
  }

  free(slot: number): void {
    this.#free[this.#freeCount++] = slot;
    this.live--;
  }

  #grow(capacity: number): void {
    const doubles = new Float64Array(capacity * STRIDE);
    const ints = new Int32Array(capacity * STRIDE);
    doubles.set(this.doubles);
    ints.set(this.ints);
    this.doubles = doubles;
    this.ints = ints;
    this.requestId = doubles.subarray(REQUEST_ID);
    this.sequence = doubles.subarray(SEQUENCE);
    this.arrivedAtMs = doubles.subarray(ARRIVED_AT);
    this.deadlineAtMs = doubles.subarray(DEADLINE_AT);
    this.startedAtMs = doubles.subarray(STARTED_AT);
    this.firstTokenAtMs = doubles.subarray(FIRST_TOKEN_AT);
    this.priorityKey = doubles.subarray(PRIORITY);
    this.promptTokens = doubles.subarray(PROMPT);
    this.outputTokens = doubles.subarray(OUTPUT);
    this.recomputeTokens = doubles.subarray(RECOMPUTE);
    this.slowTokens = doubles.subarray(SLOW);
    this.model = ints.subarray(MODEL);
    this.originRegion = ints.subarray(ORIGIN);
    this.servedRegion = ints.subarray(SERVED);
    this.tier = ints.subarray(TIER);
    this.regionList = ints.subarray(REGION_LIST);
    this.awaitsDecode = ints.subarray(AWAITS_DECODE);
    this.lastIteration = ints.subarray(LAST_ITERATION);
    const free = new Int32Array(capacity);
    free.set(this.#free.subarray(0, this.#freeCount));
    this.#free = free;
    for (let place = capacity - 1; place >= this.#capacity; place--) free[this.#freeCount++] = place * STRIDE;
    this.#capacity = capacity;
  }
}
