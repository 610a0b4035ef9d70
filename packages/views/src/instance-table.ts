import { Ledger } from './ledger.js';

/** What was read of an instance; what was not is `undefined`. */
export interface InstanceReading {
  /** KV-cache tokens in use ÷ capacity, 0–1. */
  readonly kvCacheUtilization: number | undefined;
  /** Requests that wait in its own queue. */
  readonly queuedRequests: number | undefined;
  /** Prompt tokens that it has and has not prefilled, plus one for each request that it has. */
  readonly outstandingTokens: number | undefined;
}

/** Instances by number: their last readings, and what was sent to them. */
export class InstanceTable {
  readonly ledger = new Ledger();
  /** By number; a number that is free has the name `''`. */
  readonly ids: string[] = [];
  readonly kvCapacityTokens: number[] = [];
  readonly isReady: boolean[] = [];
  readonly #readings: (InstanceReading | undefined)[] = [];
  readonly #readAtMs: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #staleAfterMs: number;

  constructor(staleAfterMs: number) {
    this.#staleAfterMs = staleAfterMs;
  }

  numberOf(id: string): number | undefined {
    return this.#numbers.get(id);
  }

  add(id: string): number {
    const i = this.#free.pop() ?? this.ids.length;
    this.ids[i] = id;
    this.kvCapacityTokens[i] = NaN;
    this.isReady[i] = false;
    this.#readings[i] = undefined;
    this.#readAtMs[i] = -Infinity;
    this.#numbers.set(id, i);
    return i;
  }

  remove(i: number, nowMs: number): void {
    this.ledger.drop(i, nowMs);
    this.#numbers.delete(this.ids[i]!);
    this.ids[i] = '';
    this.isReady[i] = false;
    this.#free.push(i);
  }

  /**
   * Takes in a reading; one that is older than the last is passed over. Returns whether it was
   * taken.
   */
  read(i: number, reading: InstanceReading, readAtMs: number): boolean {
    if (!(readAtMs >= this.#readAtMs[i]!)) return false;
    this.#readings[i] = reading;
    this.#readAtMs[i] = readAtMs;
    this.ledger.read(i, readAtMs);
    return true;
  }

  ageMs(i: number, nowMs: number): number {
    return nowMs - this.#readAtMs[i]!;
  }

  /**
   * KV-cache tokens in use: those that were read and what has come and gone since; `undefined`
   * where neither is known.
   */
  kvTokens(i: number, nowMs: number): number | undefined {
    const capacity = this.kvCapacityTokens[i]!;
    const read = this.#fresh(i, nowMs)?.kvCacheUtilization;
    if (read === undefined || !(capacity > 0)) return undefined;
    return Math.max(0, read * capacity + this.ledger.tokensSinceReading(i));
  }

  kvCacheUtilization(i: number, nowMs: number): number | undefined {
    const tokens = this.kvTokens(i, nowMs);
    if (tokens !== undefined) return tokens / this.kvCapacityTokens[i]!;
    // Without its size what was sent since can't be added.
    return this.#fresh(i, nowMs)?.kvCacheUtilization;
  }

  queuedRequests(i: number, nowMs: number): number | undefined {
    return this.#fresh(i, nowMs)?.queuedRequests;
  }

  /**
   * What was read and what has come and gone since; where that is not known or old, what was sent
   * from here.
   */
  outstandingTokens(i: number, nowMs: number): number | undefined {
    const read = this.#fresh(i, nowMs)?.outstandingTokens;
    if (read === undefined) return this.ledger.tokensInFlight(i);
    return Math.max(0, read + this.ledger.tokensSinceReading(i));
  }

  #fresh(i: number, nowMs: number): InstanceReading | undefined {
    return nowMs - this.#readAtMs[i]! <= this.#staleAfterMs ? this.#readings[i] : undefined;
  }
}
