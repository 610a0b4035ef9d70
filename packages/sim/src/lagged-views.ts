import type { RegionIndex } from '@sageserve/core';
import type { LaggedTelemetry } from './lagged-telemetry.js';
import { SimInstanceView, SimLoadView, SimRegionView } from './views.js';

type ConstructorOf<T extends abstract new (...args: never[]) => unknown> = ConstructorParameters<T>;

/**
 * The regions as a host sees them that reads late: which there are is known, their load is what was
 * read.
 */
export class LaggedRegionView extends SimRegionView {
  readonly #lag: LaggedTelemetry;
  readonly #names: readonly string[];

  constructor(lag: LaggedTelemetry, names: readonly string[], ...given: ConstructorOf<typeof SimRegionView>) {
    super(...given);
    this.#lag = lag;
    this.#names = names;
  }

  override kvCacheUtilization(r: RegionIndex): number | undefined {
    const pool = this.poolOf(r);
    return pool < 0 ? undefined : this.#load(pool).kvCacheUtilization;
  }

  override queuedTokens(r: RegionIndex): number | undefined {
    const pool = this.poolOf(r);
    return pool < 0 ? 0 : this.#load(pool).queuedTokens;
  }

  override ageMs(r: RegionIndex): number {
    const pool = this.poolOf(r);
    return pool < 0 ? Infinity : this.#load(pool).ageMs;
  }

  #load(pool: number): ReturnType<LaggedTelemetry['views']['loadOf']> {
    this.#lag.tell(pool, this.nowMs);
    return this.#lag.views.loadOf(this.#names[pool], this.nowMs);
  }
}

/** The ready instances of a pool, with what was read of them and what was sent since. */
export class LaggedInstanceView extends SimInstanceView {
  readonly #lag: LaggedTelemetry;
  #pool: ReturnType<LaggedTelemetry['views']['instancesOf']> | undefined;

  constructor(lag: LaggedTelemetry, ...given: ConstructorOf<typeof SimInstanceView>) {
    super(...given);
    this.#lag = lag;
  }

  /** Sets the view to a pool: its members stand in the same order here and there. */
  show(pool: number): void {
    this.#lag.tell(pool, this.nowMs);
    this.#pool = this.#lag.views.instancesOf(this.key, this.nowMs);
  }

  override kvCacheUtilization(i: number): number | undefined {
    return this.#pool!.kvCacheUtilization(i);
  }

  override queuedRequests(i: number): number | undefined {
    return this.#pool!.queuedRequests(i);
  }

  override outstandingTokens(i: number): number | undefined {
    return this.#pool!.outstandingTokens(i);
  }

  override ageMs(i?: number): number {
    return this.#pool!.ageMs(i!);
  }
}

/** The load of a pool as it was read, with what was sent since. */
export class LaggedLoadView extends SimLoadView {
  readonly #lag: LaggedTelemetry;
  readonly #pool: number;

  constructor(lag: LaggedTelemetry, ...given: ConstructorOf<typeof SimLoadView>) {
    super(...given);
    this.#lag = lag;
    this.#pool = given[0];
  }

  override get kvCacheUtilization(): number | undefined {
    return this.#load().kvCacheUtilization;
  }

  override get queuedTokens(): number | undefined {
    return this.#load().queuedTokens;
  }

  override get ageMs(): number {
    return this.#load().ageMs;
  }

  override get releasedSinceReading(): number {
    return this.#load().releasedSinceReading;
  }

  #load(): ReturnType<LaggedTelemetry['views']['loadOf']> {
    this.#lag.tell(this.#pool, this.nowMs);
    return this.#lag.views.loadOf(this.key, this.nowMs);
  }
}
