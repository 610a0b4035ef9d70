import type {
  EndpointLoadView,
  HeldQueueView,
  InstancePoolView,
  ModelId,
  RegionId,
  RegionIndex,
  RegionPoolView,
  RequestView,
  WorkloadTier,
} from '@sageserve/core';
import type { ResolvedConfig } from './config.js';
import type { Fleet } from './fleet.js';
import type { ResidencyQueue } from './held-requests.js';
import type { InstanceEngine } from './instance-engine.js';
import type { Topology } from './topology.js';

/** The one request that a policy is being asked about: a flyweight over the request table. */
export class MutableRequestView implements RequestView {
  /** Which request the view shows; −1 for none yet. */
  sequence = -1;
  requestId = 0;
  modelId = '' as ModelId;
  tier: WorkloadTier = 'interactive-fast';
  originRegion: RegionIndex = 0;
  arrivedAtMs = 0;
  deadlineAtMs = 0;
  promptTokens = 0;
  readonly isPromptEstimated = false;
  readonly affinityKey = undefined;
  attempt = 0;
  readonly maxOutputTokens: number;

  constructor(maxOutputTokens: number) {
    this.maxOutputTokens = maxOutputTokens;
  }
}

/**
 * The regions as the current request sees them. `poolBase` and `preference` are set for each
 * request.
 */
export class SimRegionView implements RegionPoolView {
  readonly count: number;
  /** Offset of the request's (model × tier) row in `topology.poolAt`. */
  poolBase = 0;
  nowMs = 0;
  preference: Int32Array = new Int32Array(0);
  /** Regions that the request's residency set holds, or undefined for all. */
  residency: Uint8Array | undefined = undefined;
  readonly #regions: readonly RegionId[];
  readonly #poolAt: Int32Array;
  readonly #ready: (pool: number) => number;
  readonly #down: (region: number) => boolean;
  readonly #engine: InstanceEngine;
  readonly #kvCapacity: Float64Array;
  readonly #queuedTokens: Float64Array;
  readonly #rtt: readonly (readonly number[])[];

  constructor(config: ResolvedConfig, topology: Topology, engine: InstanceEngine, fleet: Fleet) {
    this.count = config.regions.length;
    this.#regions = config.regions;
    this.#poolAt = topology.poolAt;
    this.#down = (r) => fleet.isDown(r);
    this.#ready = (pool) => fleet.members[pool].length;
    this.#engine = engine;
    this.#kvCapacity = fleet.poolKvCapacity;
    this.#queuedTokens = engine.poolQueuedTokens;
    this.#rtt = config.networkRttMs;
  }

  get preferenceCount(): number {
    return this.preference.length;
  }

  regionId(r: RegionIndex): RegionId {
    return this.#regions[r];
  }

  hosts(r: RegionIndex): boolean {
    return this.#poolAt[this.poolBase + r] >= 0 && !this.#down(r);
  }

  allowed(r: RegionIndex): boolean {
    return this.residency === undefined || this.residency[r] === 1;
  }

  preferred(k: number): RegionIndex {
    return this.preference[k];
  }

  readyInstances(r: RegionIndex): number {
    const pool = this.#poolAt[this.poolBase + r];
    return pool < 0 ? 0 : this.#ready(pool);
  }

  kvCacheUtilization(r: RegionIndex): number | undefined {
    const pool = this.#poolAt[this.poolBase + r];
    if (pool < 0) return undefined;
    const capacity = this.#kvCapacity[pool];
    return capacity > 0 ? this.#engine.poolKvTokens(pool, this.nowMs) / capacity : undefined;
  }

  queuedTokens(r: RegionIndex): number | undefined {
    const pool = this.#poolAt[this.poolBase + r];
    return pool < 0 ? 0 : this.#queuedTokens[pool];
  }

  /** What is seen is what is. */
  ageMs(_r: RegionIndex): number {
    return 0;
  }

  /** Pool that serves the request in a region, −1 for none. */
  protected poolOf(r: RegionIndex): number {
    return this.#poolAt[this.poolBase + r];
  }

  networkRttMs(from: RegionIndex, to: RegionIndex): number {
    return this.#rtt[from][to];
  }
}

/** The ready instances of the pool that was chosen. */
export class SimInstanceView implements InstancePoolView {
  key = '';
  members: readonly number[] = [];
  nowMs = 0;
  readonly #engine: InstanceEngine;
  readonly #outstanding: Float64Array;

  constructor(engine: InstanceEngine) {
    this.#engine = engine;
    this.#outstanding = engine.outstandingTokens;
  }

  get count(): number {
    return this.members.length;
  }

  instanceId(i: number): string {
    return `${this.key}/${this.members[i]}`;
  }

  fits(i: number, tokens: number): boolean {
    return tokens <= this.#engine.kvCapacity(this.members[i]);
  }

  /** What is seen is what is. */
  ageMs(_i?: number): number {
    return 0;
  }

  isReady(): boolean {
    return true;
  }

  kvCacheUtilization(i: number): number | undefined {
    const instance = this.members[i];
    return this.#engine.kvTokens(instance, this.nowMs) / this.#engine.kvCapacity(instance);
  }

  queuedRequests(i: number): number | undefined {
    return this.#engine.queuedRequests(this.members[i]);
  }

  outstandingTokens(i: number): number | undefined {
    return this.#outstanding[this.members[i]];
  }
}

/** Held requests that one region may take: asked about for every request, so by index. */
export class SimHeldView implements HeldQueueView {
  queues: readonly ResidencyQueue[] = [];

  get count(): number {
    let count = 0;
    for (let q = 0; q < this.queues.length; q++) count += this.queues[q].queue.size;
    return count;
  }

  get earliestDeadlineAtMs(): number {
    let earliest = Infinity;
    for (let q = 0; q < this.queues.length; q++) earliest = Math.min(earliest, this.queues[q].queue.topKey());
    return earliest;
  }

  countDueBy(atMs: number): number {
    let due = 0;
    for (let q = 0; q < this.queues.length; q++) due += this.queues[q].queue.countUpTo(atMs);
    return due;
  }
}

/** The load of one pool. */
export class SimLoadView implements EndpointLoadView {
  nowMs = 0;
  readonly key: string;
  readonly modelId: ModelId;
  readonly regionId: RegionId;
  readonly #pool: number;
  readonly #engine: InstanceEngine;
  readonly #fleet: Fleet;

  constructor(
    pool: number,
    { models, regions }: Pick<ResolvedConfig, 'models' | 'regions'>,
    topology: Topology,
    engine: InstanceEngine,
    fleet: Fleet,
  ) {
    this.#pool = pool;
    this.key = topology.names[pool];
    this.modelId = models[topology.modelOfPool[pool]];
    this.regionId = regions[topology.regionOfPool[pool]];
    this.#engine = engine;
    this.#fleet = fleet;
  }

  get readyInstances(): number {
    return this.#fleet.members[this.#pool].length;
  }

  get kvCacheUtilization(): number | undefined {
    const capacity = this.#fleet.poolKvCapacity[this.#pool];
    return capacity > 0 ? this.#engine.poolKvTokens(this.#pool, this.nowMs) / capacity : undefined;
  }

  get queuedTokens(): number | undefined {
    return this.#engine.poolQueuedTokens[this.#pool];
  }

  /** What is seen is what is: all that was released shows in it. */
  get ageMs(): number {
    return 0;
  }

  get releasedSinceReading(): number {
    return 0;
  }
}
