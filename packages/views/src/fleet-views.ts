import {
  ConfigError,
  type EndpointLoadView,
  type InstancePoolView,
  MS_PER_S,
  type RegionId,
  type RegionIndex,
  type RegionPoolView,
  type RequestView,
} from '@sageserve/core';
import { type InstanceReading, InstanceTable } from './instance-table.js';
import type { LeaseId } from './ledger.js';
import { PoolTable } from './pool-table.js';
import type { InstanceSpec, PoolSpec } from './specs.js';

export interface FleetViewsOptions {
  /** The regions in the order of their indices. */
  readonly regions: readonly RegionId[];
  /**
   * Round trips between them, `[from][to]` in milliseconds: the order of preference of a request.
   */
  readonly networkRttMs: readonly (readonly number[])[];
  /** A reading that is older than this counts for nothing (ms, default 30 s). */
  readonly staleAfterMs?: number;
}

/**
 * What a host of routers knows of a fleet, and the views of it that policies are lent: for each
 * instance its last reading, and what this host has sent since. Never below zero; an instance of
 * which nothing was read has what was sent from here. One code for a gateway and for a simulation
 * that sees as late as one.
 */
export interface FleetViews {
  /** Sets the pools, all of them: instances of a pool that is not among them are gone. */
  setPools(pools: readonly PoolSpec[], nowMs: number): void;
  /**
   * Sets the instances of a pool, all of them: one that is not among them is gone, and what was
   * sent to it has ended.
   */
  setInstances(poolKey: string, instances: readonly InstanceSpec[], nowMs: number): void;
  /**
   * Takes in what an instance said at `readAtMs`, which may be a while ago. False for one that is
   * not known.
   */
  read(instanceId: string, reading: InstanceReading, readAtMs: number): boolean;
  /**
   * A request is sent to an instance: its prompt tokens and one. To be ended once, whatever becomes
   * of it. −1 for an instance that is not known.
   */
  begin(instanceId: string, promptTokens: number, nowMs: number): LeaseId;
  /** It completed, failed, was aborted or given up; false where it had ended before. */
  end(lease: LeaseId, nowMs: number): boolean;
  /**
   * Ends what was sent to an instance before `beforeMs` and was never heard of again; returns how
   * many.
   */
  expire(instanceId: string, beforeMs: number, nowMs: number): number;
  /** Requests that were sent and have not ended. */
  readonly inFlight: number;
  /**
   * The regions as one request sees them: borrowed until the next call. `allowed` are those it may
   * go to, all unless given; `from` is where it is sent from, its origin unless given.
   */
  regionsFor(
    request: RequestView,
    nowMs: number,
    allowed?: ReadonlySet<RegionIndex>,
    from?: RegionIndex,
  ): RegionPoolView;
  /** The regions in the order of their indices. */
  readonly regions: readonly RegionId[];
  /** The keys of the pools that are set. */
  readonly poolKeys: readonly string[];
  /** A pool as it was set; `undefined` for one that is not. */
  pool(poolKey: string): PoolSpec | undefined;
  /** The pool that serves a request in a region; `undefined` where none does. */
  poolFor(request: Pick<RequestView, 'modelId' | 'tier'>, region: RegionIndex): string | undefined;
  /** A second pool there that serves it too, and takes what the first passes on. */
  otherPoolFor(request: Pick<RequestView, 'modelId' | 'tier'>, region: RegionIndex): string | undefined;
  /**
   * The instances of a pool: borrowed until the next call. Throws `ConfigError` for a pool that is
   * not set.
   */
  instancesOf(poolKey: string, nowMs: number): InstancePoolView;
  /**
   * The load of a pool: borrowed, and beside those of other pools, until the next call for another
   * time. Throws `ConfigError` for a pool that is not set.
   */
  loadOf(poolKey: string, nowMs: number): EndpointLoadView;
  /** Held requests were released to a pool. */
  released(poolKey: string, count: number): void;
}

/** Throws `ConfigError` for round trips that do not fit the regions. */
export function createFleetViews(options: FleetViewsOptions): FleetViews {
  const { regions, networkRttMs, staleAfterMs = 30 * MS_PER_S } = options;
  if (!(staleAfterMs > 0)) throw new ConfigError('staleAfterMs', `must be above 0, not ${staleAfterMs}`);
  if (networkRttMs.length !== regions.length || networkRttMs.some((row) => row.length !== regions.length))
    throw new ConfigError('networkRttMs', `needs ${regions.length} rows of ${regions.length} round trips`);
  const instances = new InstanceTable(staleAfterMs);
  const pools = new PoolTable(regions, instances);
  const byDistance = regions.map((_, from) =>
    regions.map((_, to) => to).sort((a, b) => rank(from, a) - rank(from, b) || a - b),
  );
  function rank(from: number, to: number): number {
    return from === to ? -1 : networkRttMs[from]![to]!;
  }

  let nowMs = 0;
  let row: readonly number[] = [];
  let preference: readonly number[] = [];
  let may: ReadonlySet<RegionIndex> | undefined;
  const regionView: RegionPoolView = {
    count: regions.length,
    get preferenceCount() {
      return preference.length;
    },
    regionId: (r) => regions[r]!,
    hosts: (r) => row[r]! >= 0,
    allowed: (r) => may === undefined || may.has(r),
    preferred: (k) => preference[k]!,
    readyInstances: (r) => (row[r]! >= 0 ? pools.readyInstances(row[r]!) : 0),
    kvCacheUtilization: (r) => (row[r]! >= 0 ? pools.kvCacheUtilization(row[r]!, nowMs) : undefined),
    queuedTokens: (r) => (row[r]! >= 0 ? pools.outstandingTokens(row[r]!, nowMs) : 0),
    ageMs: (r) => (row[r]! >= 0 ? pools.ageMs(row[r]!, nowMs) : Infinity),
    networkRttMs: (from, to) => networkRttMs[from]![to]!,
  };

  let pool = 0;
  let members: readonly number[] = [];
  const instanceView: InstancePoolView = {
    get key() {
      return pools.keys[pool]!;
    },
    get count() {
      return members.length;
    },
    instanceId: (i) => instances.ids[members[i]!]!,
    isReady: (i) => instances.isReady[members[i]!]!,
    fits: (i, tokens) => !(tokens > instances.kvCapacityTokens[members[i]!]!),
    kvCacheUtilization: (i) => instances.kvCacheUtilization(members[i]!, nowMs),
    queuedRequests: (i) => instances.queuedRequests(members[i]!, nowMs),
    outstandingTokens: (i) => instances.outstandingTokens(members[i]!, nowMs),
    ageMs: (i) => instances.ageMs(members[i]!, nowMs),
  };
  /** By pool: those of two may be looked at side by side. */
  const loadViews: EndpointLoadView[] = [];
  const loadViewOf = (p: number): EndpointLoadView => ({
    get key() {
      return pools.keys[p]!;
    },
    get modelId() {
      return pools.specs[p]!.modelId;
    },
    get regionId() {
      return pools.specs[p]!.regionId;
    },
    get readyInstances() {
      return pools.readyInstances(p);
    },
    get kvCacheUtilization() {
      return pools.isKnown(p, nowMs) ? pools.kvCacheUtilization(p, nowMs) : undefined;
    },
    get queuedTokens() {
      return pools.outstandingTokens(p, nowMs);
    },
    get ageMs() {
      return pools.ageMs(p, nowMs);
    },
    get releasedSinceReading() {
      return pools.released[p]!;
    },
  });
  const poolOf = (key: string): number => {
    const found = pools.indexOf(key);
    if (found !== undefined) return found;
    throw new ConfigError('poolKey', `there is no pool ${key}`, { hint: `known: ${pools.keys.join(', ')}` });
  };

  return {
    setPools: (specs, atMs) => pools.set(specs, atMs),
    setInstances: (key, specs, atMs) => pools.setInstances(poolOf(key), specs, atMs),
    read(instanceId, reading, readAtMs) {
      const i = instances.numberOf(instanceId);
      if (i === undefined) return false;
      if (instances.read(i, reading, readAtMs)) pools.wasRead(i);
      return true;
    },
    begin(instanceId, promptTokens, atMs) {
      const i = instances.numberOf(instanceId);
      return i === undefined ? -1 : instances.ledger.begin(i, promptTokens > 0 ? Math.ceil(promptTokens) + 1 : 1, atMs);
    },
    end: (lease, atMs) => instances.ledger.end(lease, atMs),
    expire(instanceId, beforeMs, atMs) {
      const i = instances.numberOf(instanceId);
      return i === undefined ? 0 : instances.ledger.expire(i, beforeMs, atMs);
    },
    get inFlight() {
      return instances.ledger.open;
    },
    regions,
    get poolKeys() {
      return pools.keys;
    },
    pool(key) {
      const found = pools.indexOf(key);
      return found === undefined ? undefined : pools.specs[found];
    },
    regionsFor(request, atMs, allowed, from = request.originRegion) {
      nowMs = atMs;
      row = pools.rowOf(request.modelId, request.tier);
      may = allowed;
      const order = byDistance[from]!;
      preference = allowed === undefined ? order : order.filter((r) => allowed.has(r));
      return regionView;
    },
    poolFor({ modelId, tier }, region) {
      const found = pools.rowOf(modelId, tier)[region]!;
      return found >= 0 ? pools.keys[found] : undefined;
    },
    otherPoolFor({ modelId, tier }, region) {
      const found = pools.otherRowOf(modelId, tier)[region]!;
      return found >= 0 ? pools.keys[found] : undefined;
    },
    instancesOf(key, atMs) {
      nowMs = atMs;
      members = pools.members[(pool = poolOf(key))]!;
      return instanceView;
    },
    loadOf(key, atMs) {
      nowMs = atMs;
      const p = poolOf(key);
      return (loadViews[p] ??= loadViewOf(p));
    },
    released(key, count) {
      pools.released[poolOf(key)]! += count;
    },
  };
}
