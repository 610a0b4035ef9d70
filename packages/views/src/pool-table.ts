import { ConfigError, type ModelId, type RegionId, type WorkloadTier } from '@sageserve/core';
import type { InstanceSpec, PoolSpec } from './specs.js';
import type { InstanceTable } from './instance-table.js';

/** Pools by number, and which serves what where. */
export class PoolTable {
  keys: string[] = [];
  specs: PoolSpec[] = [];
  /** Numbers of each pool's instances. */
  members: number[][] = [];
  /** Requests released to each pool since all of its ready instances were read. */
  released: number[] = [];
  readonly #regions: readonly RegionId[];
  readonly #instances: InstanceTable;
  #byKey = new Map<string, number>();
  /** By model and tier: the pool in each region, −1 for none. */
  #rows = new Map<string, number[]>();
  /** The same for a second pool that serves it too. */
  #otherRows = new Map<string, number[]>();
  readonly #none: readonly number[];
  /** Pool of each instance. */
  readonly #poolOf: number[] = [];
  /** Ready instances of each pool that were not read since its releases began to count. */
  #unread: Set<number>[] = [];

  constructor(regions: readonly RegionId[], instances: InstanceTable) {
    this.#regions = regions;
    this.#instances = instances;
    this.#none = regions.map(() => -1);
  }

  indexOf(key: string): number | undefined {
    return this.#byKey.get(key);
  }

  set(specs: readonly PoolSpec[], nowMs: number): void {
    for (const [p, { key, regionId }] of specs.entries()) {
      if (!this.#regions.includes(regionId))
        throw new ConfigError(`pools[${p}].regionId`, `unknown region "${regionId}"`, {
          hint: `known: ${this.#regions.join(', ')}`,
        });
      if (specs.findIndex((other) => other.key === key) !== p)
        throw new ConfigError(`pools[${p}].key`, `"${key}" names two pools`);
    }
    const before = this.#byKey;
    const members = this.members;
    const released = this.released;
    const kept = (key: string): number | undefined => before.get(key);
    for (const [key, p] of before)
      if (!specs.some((spec) => spec.key === key)) for (const i of members[p]!) this.#instances.remove(i, nowMs);
    this.specs = [...specs];
    this.keys = specs.map(({ key }) => key);
    this.#byKey = new Map(this.keys.map((key, p) => [key, p]));
    this.members = this.keys.map((key) => members[kept(key) ?? -1] ?? []);
    this.released = this.keys.map((key) => released[kept(key) ?? -1] ?? 0);
    this.#unread = this.keys.map(() => new Set());
    this.#rows = new Map();
    this.#otherRows = new Map();
    for (const [p, { modelId, regionId, tiers }] of specs.entries()) {
      for (const i of this.members[p]!) this.#poolOf[i] = p;
      for (const tier of tiers) {
        const key = `${tier}/${modelId}`;
        const r = this.#regions.indexOf(regionId);
        for (const rows of [this.#rows, this.#otherRows]) {
          let row = rows.get(key);
          if (row === undefined) rows.set(key, (row = [...this.#none]));
          if (row[r] !== -1) continue;
          row[r] = p;
          break;
        }
      }
    }
  }

  setInstances(pool: number, specs: readonly InstanceSpec[], nowMs: number): void {
    const wanted = new Set(specs.map(({ instanceId }) => instanceId));
    if (wanted.size !== specs.length) throw new ConfigError('instances', `${this.keys[pool]!} has one twice`);
    for (const { instanceId } of specs) {
      const i = this.#instances.numberOf(instanceId);
      if (i !== undefined && this.#poolOf[i] !== pool)
        throw new ConfigError('instances', `${instanceId} is in ${this.keys[this.#poolOf[i]!]!} already`);
    }
    for (const i of this.members[pool]!)
      if (!wanted.has(this.#instances.ids[i]!)) {
        this.#instances.remove(i, nowMs);
        this.#unread[pool]!.delete(i);
      }
    this.members[pool] = specs.map(({ instanceId, isReady, kvCapacityTokens }) => {
      const i = this.#instances.numberOf(instanceId) ?? this.#instances.add(instanceId);
      this.#instances.isReady[i] = isReady;
      this.#instances.kvCapacityTokens[i] = kvCapacityTokens ?? NaN;
      this.#poolOf[i] = pool;
      if (!isReady) this.#unread[pool]!.delete(i);
      return i;
    });
  }

  /** An instance was read: what was released to its pool shows once all of it was read. */
  wasRead(i: number): void {
    const pool = this.#poolOf[i]!;
    const unread = this.#unread[pool]!;
    if (unread.size === 0)
      for (const member of this.members[pool]!) if (this.#instances.isReady[member]!) unread.add(member);
    unread.delete(i);
    if (unread.size === 0) this.released[pool] = 0;
  }

  rowOf(modelId: ModelId, tier: WorkloadTier): readonly number[] {
    return this.#rows.get(`${tier}/${modelId}`) ?? this.#none;
  }

  otherRowOf(modelId: ModelId, tier: WorkloadTier): readonly number[] {
    return this.#otherRows.get(`${tier}/${modelId}`) ?? this.#none;
  }

  readyInstances(pool: number): number {
    let ready = 0;
    for (const i of this.members[pool]!) if (this.#instances.isReady[i]!) ready++;
    return ready;
  }

  /** Whether the load of every ready instance is known: what scales must not take some for all. */
  isKnown(pool: number, nowMs: number): boolean {
    return this.members[pool]!.every(
      (i) => !this.#instances.isReady[i]! || this.#instances.kvCacheUtilization(i, nowMs) !== undefined,
    );
  }

  /** Over the ready instances of which it is known; `undefined` where it is of none. */
  kvCacheUtilization(pool: number, nowMs: number): number | undefined {
    let tokens = 0;
    let capacity = 0;
    let shares = 0;
    let known = 0;
    for (const i of this.members[pool]!) {
      if (!this.#instances.isReady[i]!) continue;
      const share = this.#instances.kvCacheUtilization(i, nowMs);
      if (share === undefined) continue;
      known++;
      shares += share;
      const held = this.#instances.kvTokens(i, nowMs);
      if (held === undefined) continue;
      tokens += held;
      capacity += this.#instances.kvCapacityTokens[i]!;
    }
    if (known === 0) return undefined;
    // Instances of sizes that are not known count alike.
    return capacity > 0 ? tokens / capacity : shares / known;
  }

  outstandingTokens(pool: number, nowMs: number): number {
    let tokens = 0;
    for (const i of this.members[pool]!) tokens += this.#instances.outstandingTokens(i, nowMs)!;
    return tokens;
  }

  /** That of the oldest reading of a ready instance; `Infinity` where one was never read. */
  ageMs(pool: number, nowMs: number): number {
    let oldest = 0;
    let ready = 0;
    for (const i of this.members[pool]!) {
      if (!this.#instances.isReady[i]!) continue;
      ready++;
      oldest = Math.max(oldest, this.#instances.ageMs(i, nowMs));
    }
    return ready === 0 ? Infinity : oldest;
  }
}
