/** Names what was sent to an instance and has not ended: good for one {@link Ledger.end}. */
export type LeaseId = number;

/** Where a lease stands in the columns, below its generation: so many may be open at once. */
const SLOTS = 2 ** 22;
const MOST_GENERATIONS = 2 ** 31;
/** Leases that are known of an instance when it is looked for old ones first. */
const MOST_KNOWN = 256;
/** A reading comes in no later than this after it was taken. */
const LATEST_READING_MS = 60_000;

/**
 * What this host has sent and has not heard the end of, by instance, and how it stands to the last
 * reading: what was sent after it adds to what it says, what it counted and has ended since takes
 * away. Columns that grow; nothing is allocated for a request in a steady state. Every sum is
 * counted from whole tokens, so that it comes back to exactly 0.
 */
export class Ledger {
  /** Tokens in flight, by instance. */
  #inFlight = new Float64Array(16);
  /** Requests in flight, by instance. */
  #requests = new Int32Array(16);
  /** Tokens sent since the reading and in flight still, by instance. */
  #sentSince = new Float64Array(16);
  /** Tokens that were in flight when it was read and have ended since, by instance. */
  #endedSince = new Float64Array(16);
  /** When the instance was read last. */
  #readAtMs = new Float64Array(16).fill(-Infinity);
  #instanceOf = new Int32Array(64).fill(-1);
  #tokensOf = new Float64Array(64);
  #sentAtMs = new Float64Array(64);
  #endedAtMs = new Float64Array(64);
  #generation = new Float64Array(64);
  /** Leases that are in flight, or have ended since their instance was read last, by instance. */
  readonly #known: number[][] = [];
  readonly #free: number[] = [];
  /** How many are known of an instance when it is looked for old ones next. */
  readonly #pruneFrom: number[] = [];
  #slots = 0;
  #open = 0;

  /** Leases that have not ended. */
  get open(): number {
    return this.#open;
  }

  /** Whole tokens are sent to an instance: to be ended once, whatever becomes of them. */
  begin(instance: number, tokens: number, nowMs: number): LeaseId {
    this.#growInstances(instance);
    const slot = this.#free.pop() ?? this.#newSlot();
    this.#instanceOf[slot] = instance;
    this.#tokensOf[slot] = tokens;
    this.#sentAtMs[slot] = nowMs;
    this.#endedAtMs[slot] = NaN;
    this.#known[instance]!.push(slot);
    this.#inFlight[instance]! += tokens;
    this.#requests[instance]!++;
    if (nowMs > this.#readAtMs[instance]!) this.#sentSince[instance]! += tokens;
    this.#open++;
    return this.#generation[slot]! * SLOTS + slot;
  }

  /**
   * The end of what was sent: completed, failed, aborted or given up. False where it had ended
   * before.
   */
  end(lease: LeaseId, nowMs: number): boolean {
    const slot = lease % SLOTS;
    const instance = this.#instanceOf[slot] ?? -1;
    if (instance === -1 || this.#generation[slot] !== Math.floor(lease / SLOTS)) return false;
    if (this.#endedAtMs[slot]! >= 0 || this.#endedAtMs[slot]! < 0) return false;
    const tokens = this.#tokensOf[slot]!;
    this.#endedAtMs[slot] = nowMs;
    this.#inFlight[instance]! -= tokens;
    this.#requests[instance]!--;
    this.#open--;
    if (this.#sentAtMs[slot]! > this.#readAtMs[instance]!) this.#sentSince[instance]! -= tokens;
    else this.#endedSince[instance]! += tokens;
    // A reading that is under way may have it still: it is known until one is later than its end.
    const known = this.#known[instance]!;
    if (known.length > this.#pruneFrom[instance]!) this.#prune(instance, nowMs);
    return true;
  }

  /** Ends what was sent to an instance before `beforeMs`; returns how many. */
  expire(instance: number, beforeMs: number, nowMs: number): number {
    let ended = 0;
    for (const slot of [...(this.#known[instance] ?? [])])
      if (this.#sentAtMs[slot]! < beforeMs && this.end(this.#generation[slot]! * SLOTS + slot, nowMs)) ended++;
    return ended;
  }

  /**
   * An instance was read: what was sent up to `readAtMs` and had not ended by then is in the
   * reading.
   */
  read(instance: number, readAtMs: number): void {
    this.#growInstances(instance);
    this.#readAtMs[instance] = readAtMs;
    let sentSince = 0;
    let endedSince = 0;
    const known = this.#known[instance]!;
    for (let k = known.length - 1; k >= 0; k--) {
      const slot = known[k]!;
      const isSent = this.#sentAtMs[slot]! > readAtMs;
      const hasEnded = !Number.isNaN(this.#endedAtMs[slot]!);
      if (!hasEnded && isSent) sentSince += this.#tokensOf[slot]!;
      if (!hasEnded) continue;
      if (!isSent && this.#endedAtMs[slot]! > readAtMs) endedSince += this.#tokensOf[slot]!;
      else if (this.#endedAtMs[slot]! <= readAtMs) this.#forgetAt(instance, k);
    }
    this.#sentSince[instance] = sentSince;
    this.#endedSince[instance] = endedSince;
  }

  /** An instance is gone, and whatever was sent to it. */
  drop(instance: number, nowMs: number): void {
    this.expire(instance, Infinity, nowMs);
    if (this.#known[instance] !== undefined) this.read(instance, Infinity);
    if (instance < this.#readAtMs.length) this.#readAtMs[instance] = -Infinity;
  }

  /** Tokens sent to an instance that have not ended, 0 or more. */
  tokensInFlight(instance: number): number {
    return this.#inFlight[instance] ?? 0;
  }

  requestsInFlight(instance: number): number {
    return this.#requests[instance] ?? 0;
  }

  /**
   * By how many tokens the instance has more than its last reading says; below 0 where it has
   * fewer.
   */
  tokensSinceReading(instance: number): number {
    return (this.#sentSince[instance] ?? 0) - (this.#endedSince[instance] ?? 0);
  }

  /** Forgets what ended so long ago that no reading will have it. */
  #prune(instance: number, nowMs: number): void {
    const known = this.#known[instance]!;
    for (let k = known.length - 1; k >= 0; k--) {
      const slot = known[k]!;
      if (!(this.#endedAtMs[slot]! < nowMs - LATEST_READING_MS)) continue;
      if (this.#sentAtMs[slot]! <= this.#readAtMs[instance]!) continue;
      this.#forgetAt(instance, k);
    }
    // Looked for again when there are twice as many, so that it costs each end a constant.
    this.#pruneFrom[instance] = Math.max(MOST_KNOWN, 2 * known.length);
  }

  #forgetAt(instance: number, at: number): void {
    const known = this.#known[instance]!;
    const slot = known[at]!;
    known[at] = known[known.length - 1]!;
    known.pop();
    this.#instanceOf[slot] = -1;
    this.#generation[slot] = (this.#generation[slot]! + 1) % MOST_GENERATIONS;
    this.#free.push(slot);
  }

  #newSlot(): number {
    const slot = this.#slots++;
    if (slot >= this.#tokensOf.length) {
      this.#instanceOf = grown(this.#instanceOf, -1);
      this.#tokensOf = grown(this.#tokensOf, 0);
      this.#sentAtMs = grown(this.#sentAtMs, 0);
      this.#endedAtMs = grown(this.#endedAtMs, NaN);
      this.#generation = grown(this.#generation, 0);
    }
    return slot;
  }

  #growInstances(instance: number): void {
    while (this.#known.length <= instance) {
      this.#known.push([]);
      this.#pruneFrom.push(MOST_KNOWN);
    }
    while (instance >= this.#inFlight.length) {
      this.#inFlight = grown(this.#inFlight, 0);
      this.#requests = grown(this.#requests, 0);
      this.#sentSince = grown(this.#sentSince, 0);
      this.#endedSince = grown(this.#endedSince, 0);
      this.#readAtMs = grown(this.#readAtMs, -Infinity);
    }
  }
}

/** A column of twice the length. */
function grown<T extends Float64Array | Int32Array>(column: T, fill: number): T {
  const longer = new (column.constructor as new (length: number) => T)(column.length * 2).fill(fill) as T;
  longer.set(column);
  return longer;
}
