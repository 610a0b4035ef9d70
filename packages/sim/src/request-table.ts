/**
 * Every request that is in the system, as columns by slot. A slot is free again once its request has ended, so that memory follows the number of requests in flight,
 * not the length of the trace.
 */
export class RequestTable {
  /** Requests in the system now. */
  live = 0;
  requestId: Float64Array;
  /** Order of arrival: breaks every tie. */
  sequence: Float64Array;
  arrivedAtMs: Float64Array;
  deadlineAtMs: Float64Array;
  /** When the first iteration that works on it began; `NaN` before. */
  startedAtMs: Float64Array;
  firstTokenAtMs: Float64Array;
  /** Key that its batch scheduler gave it. */
  priorityKey: Float64Array;
  promptTokens: Int32Array;
  outputTokens: Int32Array;
  /** Output tokens that a preemption threw back into the prompt, to be computed again. */
  recomputeTokens: Int32Array;
  /** Prompt tokens of the current prefill that are done. */
  prefilledTokens: Int32Array;
  tier: Uint8Array;
  /** 1 once its prefill is done and it waits for KV memory to decode (`reserve` allocation only). */
  awaitsDecode: Uint8Array;
  model: Uint16Array;
  originRegion: Uint16Array;
  servedRegion: Int16Array;
  regionList: Int32Array;
  #free: Int32Array;
  #freeCount = 0;

  constructor(capacity = 1_024) {
    this.requestId = new Float64Array(capacity);
    this.sequence = new Float64Array(capacity);
    this.arrivedAtMs = new Float64Array(capacity);
    this.deadlineAtMs = new Float64Array(capacity);
    this.startedAtMs = new Float64Array(capacity);
    this.firstTokenAtMs = new Float64Array(capacity);
    this.priorityKey = new Float64Array(capacity);
    this.promptTokens = new Int32Array(capacity);
    this.outputTokens = new Int32Array(capacity);
    this.recomputeTokens = new Int32Array(capacity);
    this.prefilledTokens = new Int32Array(capacity);
    this.tier = new Uint8Array(capacity);
    this.awaitsDecode = new Uint8Array(capacity);
    this.model = new Uint16Array(capacity);
    this.originRegion = new Uint16Array(capacity);
    this.servedRegion = new Int16Array(capacity);
    this.regionList = new Int32Array(capacity);
    this.#free = new Int32Array(capacity);
    this.#release(0, capacity);
  }

  /** A free slot, its per-run columns cleared. */
  allocate(): number {
    if (this.#freeCount === 0) this.#grow();
    const slot = this.#free[--this.#freeCount];
    this.live++;
    this.startedAtMs[slot] = NaN;
    this.firstTokenAtMs[slot] = NaN;
    this.recomputeTokens[slot] = 0;
    this.prefilledTokens[slot] = 0;
    this.awaitsDecode[slot] = 0;
    this.servedRegion[slot] = -1;
    return slot;
  }

  /** Takes back what instances did for a request whose instance was lost: it begins anew, and its latency still counts from its arrival. */
  restart(slot: number): void {
    this.startedAtMs[slot] = NaN;
    this.firstTokenAtMs[slot] = NaN;
    this.recomputeTokens[slot] = 0;
    this.prefilledTokens[slot] = 0;
    this.awaitsDecode[slot] = 0;
  }

  free(slot: number): void {
    this.#free[this.#freeCount++] = slot;
    this.live--;
  }

  #release(from: number, to: number): void {
    for (let slot = to - 1; slot >= from; slot--) this.#free[this.#freeCount++] = slot;
  }

  #grow(): void {
    const old = this.requestId.length;
    const capacity = old * 2;
    const f64 = (column: Float64Array): Float64Array => {
      const grown = new Float64Array(capacity);
      grown.set(column);
      return grown;
    };
    const i32 = (column: Int32Array): Int32Array => {
      const grown = new Int32Array(capacity);
      grown.set(column);
      return grown;
    };
    const u8 = (column: Uint8Array): Uint8Array => {
      const grown = new Uint8Array(capacity);
      grown.set(column);
      return grown;
    };
    const u16 = (column: Uint16Array): Uint16Array => {
      const grown = new Uint16Array(capacity);
      grown.set(column);
      return grown;
    };
    this.requestId = f64(this.requestId);
    this.sequence = f64(this.sequence);
    this.arrivedAtMs = f64(this.arrivedAtMs);
    this.deadlineAtMs = f64(this.deadlineAtMs);
    this.startedAtMs = f64(this.startedAtMs);
    this.firstTokenAtMs = f64(this.firstTokenAtMs);
    this.priorityKey = f64(this.priorityKey);
    this.promptTokens = i32(this.promptTokens);
    this.outputTokens = i32(this.outputTokens);
    this.recomputeTokens = i32(this.recomputeTokens);
    this.prefilledTokens = i32(this.prefilledTokens);
    this.tier = u8(this.tier);
    this.awaitsDecode = u8(this.awaitsDecode);
    this.model = u16(this.model);
    this.originRegion = u16(this.originRegion);
    const served = new Int16Array(capacity);
    served.set(this.servedRegion);
    this.servedRegion = served;
    this.regionList = i32(this.regionList);
    this.#free = i32(this.#free);
    this.#release(old, capacity);
  }
}
