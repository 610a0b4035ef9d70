import {
  createRng,
  type EndpointSnapshot,
  type FleetSnapshot,
  type Rng,
  withoutFigures,
  type WorkloadTier,
} from '@sageserve/core';
import { createFleetViews, type FleetViews, type InstanceReading, type LeaseId } from '@sageserve/views';
import type { ResolvedConfig } from './config.js';
import type { Fleet } from './fleet.js';
import type { FleetTelemetry } from './fleet-telemetry.js';
import type { InstanceEngine } from './instance-engine.js';
import type { TelemetryLag } from './telemetry-lag.js';
import type { Topology } from './topology.js';

/** What was read at one time and is there at another. */
interface Reading {
  readonly atMs: number;
  readonly dueMs: number;
  readonly instances: readonly (readonly [id: string, reading: InstanceReading])[];
  readonly snapshot: FleetSnapshot;
}

/** Readings that count for nothing are older than so many intervals and the delay. */
const STALE_AFTER_READINGS = 4;

/**
 * Reads the fleet as often, as late and with as many losses as it is told to, and keeps the views
 * that a gateway would have: the same code. Which instances there are is known at once, as from a
 * registry; how loaded they are is what was read and what was sent since.
 */
export class LaggedTelemetry {
  readonly views: FleetViews;
  /** When is read next. */
  nextAtMs = 0;
  readonly #topology: Topology;
  readonly #engine: InstanceEngine;
  readonly #fleet: Fleet;
  readonly #source: FleetTelemetry;
  readonly #everyMs: number;
  readonly #delayMs: number;
  readonly #loss: number;
  readonly #rng: Rng;
  /** Members of each pool when the views were told of them last. */
  readonly #told: (readonly number[])[];
  readonly #leases = new Map<number, LeaseId>();
  readonly #underWay: Reading[] = [];
  /** Figures of each endpoint that were read last. */
  readonly #lastRead: (EndpointSnapshot | undefined)[];
  #snapshot: FleetSnapshot | undefined;

  constructor(
    lag: TelemetryLag,
    config: ResolvedConfig,
    topology: Topology,
    engine: InstanceEngine,
    fleet: Fleet,
    source: FleetTelemetry,
  ) {
    const { everyMs, delayMs = 0, loss = 0, seed = 1 } = lag;
    this.#topology = topology;
    this.#engine = engine;
    this.#fleet = fleet;
    this.#source = source;
    this.#everyMs = everyMs;
    this.#delayMs = delayMs;
    this.#loss = loss;
    this.#rng = createRng(seed).fork('telemetry');
    this.#told = topology.names.map(() => []);
    this.#lastRead = config.endpoints.map(() => undefined);
    this.views = createFleetViews({
      regions: config.regions,
      networkRttMs: config.networkRttMs,
      staleAfterMs: delayMs + STALE_AFTER_READINGS * everyMs,
    });
    const tiersOf = (pool: number): readonly WorkloadTier[] =>
      config.endpoints.find((_, e) => topology.poolOfEndpoint[e] === pool)!.tiers;
    this.views.setPools(
      topology.names.map((key, pool) => ({
        key,
        modelId: config.models[topology.modelOfPool[pool]],
        regionId: config.regions[topology.regionOfPool[pool]],
        tiers: tiersOf(pool),
      })),
      0,
    );
  }

  /** Reads everything, but for what is lost. */
  read(nowMs: number): void {
    this.nextAtMs = nowMs + this.#everyMs;
    const instances: [string, InstanceReading][] = [];
    for (let pool = 0; pool < this.#topology.pools; pool++) {
      this.tell(pool, nowMs);
      for (const i of this.#fleet.members[pool]) {
        if (this.#isLost()) continue;
        const reading = {
          kvCacheUtilization: this.#engine.kvTokens(i, nowMs) / this.#engine.kvCapacity(i),
          queuedRequests: this.#engine.queuedRequests(i),
          outstandingTokens: this.#engine.outstandingTokens[i],
        };
        instances.push([this.#nameOf(i), reading]);
      }
    }
    const seen = this.#source.frozen(nowMs);
    const endpoints = seen.endpoints.map((endpoint, e) => {
      if (!this.#isLost()) this.#lastRead[e] = { ...endpoint, observedAtMs: nowMs };
      return this.#lastRead[e] ?? { ...withoutFigures(endpoint), observedAtMs: -Infinity };
    });
    this.#underWay.push({ atMs: nowMs, dueMs: nowMs + this.#delayMs, instances, snapshot: { ...seen, endpoints } });
  }

  /** What has come by now of the fleet; `undefined` before anything has. */
  snapshot(nowMs: number): FleetSnapshot | undefined {
    this.#deliver(nowMs);
    return this.#snapshot;
  }

  /** Brings the views of a pool up to now, and tells them which instances it has. */
  tell(pool: number, nowMs: number): void {
    this.#deliver(nowMs);
    const members = this.#fleet.members[pool];
    const told = this.#told[pool];
    if (members.length === told.length && members.every((i, at) => this.#orderOf(i) === told[at])) return;
    this.#told[pool] = members.map((i) => this.#orderOf(i));
    this.views.setInstances(
      this.#topology.names[pool],
      members.map((i) => ({
        instanceId: this.#nameOf(i),
        isReady: true,
        kvCapacityTokens: this.#engine.kvCapacity(i),
      })),
      nowMs,
    );
  }

  /** A request is handed to an instance. */
  begin(slot: number, instance: number, promptTokens: number, nowMs: number): void {
    this.#leases.set(slot, this.views.begin(this.#nameOf(instance), promptTokens, nowMs));
  }

  /** A request has left its instance, in whatever way. */
  end(slot: number, nowMs: number): void {
    const lease = this.#leases.get(slot);
    if (lease === undefined) return;
    this.#leases.delete(slot);
    this.views.end(lease, nowMs);
  }

  #deliver(nowMs: number): void {
    while (this.#underWay.length > 0 && this.#underWay[0].dueMs <= nowMs) {
      const { atMs, instances, snapshot } = this.#underWay.shift()!;
      for (const [id, reading] of instances) this.views.read(id, reading, atMs);
      this.#snapshot = snapshot;
    }
  }

  #isLost(): boolean {
    return this.#loss > 0 && this.#rng.next() < this.#loss;
  }

  /**
   * Slots are used again: an instance is named by its place in the order in which all were asked
   * for.
   */
  #orderOf(instance: number): number {
    return this.#fleet.orderOf(instance);
  }

  #nameOf(instance: number): string {
    return String(this.#orderOf(instance));
  }
}
