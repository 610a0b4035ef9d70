import {
  type CapacitySnapshot,
  ConfigError,
  type EndpointId,
  endpointId,
  type EndpointSnapshot,
  type FleetSnapshot,
  type ModelId,
  MS_PER_HOUR,
  MS_PER_MIN,
  MS_PER_S,
} from '@sageserve/core';
import type { ResolvedConfig } from './config.js';
import type { DemandTelemetry } from './demand-telemetry.js';
import type { Fleet } from './fleet.js';
import type { HeldRequests } from './held-requests.js';
import type { InstanceEngine } from './instance-engine.js';
import type { SlotHeap } from './slot-heap.js';
import type { Topology } from './topology.js';

/** Times ahead at which a snapshot counts what is due. */
const DUE_HOURS = [1, 2, 4, 8, 12, 16, 20, 24];

/** Fields of an endpoint that change from one snapshot to the next. */
const FIGURES: readonly (keyof EndpointSnapshot)[] = [
  'readyInstances',
  'provisioningInstances',
  'drainingInstances',
  'kvCacheUtilization',
  'queuedTokens',
  'queuedRequests',
  'runningRequests',
  'demandTokensPerS',
  'provisioningDelayMs',
  'provisioningDelays',
];

/**
 * The simulated fleet as scaling policies see it: one snapshot, refreshed in place and lent out.
 */
export class FleetTelemetry {
  readonly #topology: Topology;
  readonly #engine: InstanceEngine;
  readonly #fleet: Fleet;
  readonly #snapshot: FleetSnapshot;
  readonly #index = new Map<EndpointId, number>();
  readonly #queues: readonly SlotHeap[];
  readonly #tokensPerS: Float64Array;

  /**
   * `queues` are the requests that no instance takes yet, by pool. Throws `ConfigError` where two
   * endpoints have one id.
   */
  constructor(
    config: ResolvedConfig,
    topology: Topology,
    engine: InstanceEngine,
    fleet: Fleet,
    queues: readonly SlotHeap[],
    held: HeldRequests,
    demand: DemandTelemetry,
  ) {
    const now = (): number => this.#snapshot.takenAtMs;
    this.#topology = topology;
    this.#engine = engine;
    this.#fleet = fleet;
    this.#queues = queues;
    this.#tokensPerS = new Float64Array(topology.pools).fill(NaN);
    const { endpoints, models, regions, skus } = config;
    for (const [e, spec] of endpoints.entries())
      this.#index.set(endpointId(spec.region, spec.model, spec.sku, spec.pool), e);
    if (this.#index.size !== endpoints.length)
      throw new ConfigError('endpoints', 'two endpoints have the same region, model, SKU and pool');
    this.#snapshot = {
      takenAtMs: 0,
      endpoints: endpoints.map((spec) => ({
        endpointId: endpointId(spec.region, spec.model, spec.sku, spec.pool),
        modelId: spec.model,
        regionId: spec.region,
        skuId: spec.sku,
        pool: spec.pool,
        tiers: spec.tiers,
        gpusPerInstance: spec.gpusPerInstance,
        minInstances: spec.minInstances,
        maxInstances: spec.maxInstances,
        initialInstances: spec.initialInstances,
        readyInstances: undefined,
        provisioningInstances: undefined,
        drainingInstances: undefined,
        kvCacheUtilization: undefined,
        queuedTokens: undefined,
        queuedRequests: undefined,
        runningRequests: undefined,
        demandTokensPerS: undefined,
        provisioningDelayMs: undefined,
        provisioningDelays: undefined,
      })),
      capacity: regions.flatMap((region, r) =>
        skus.map((sku, k) => ({
          regionId: region,
          skuId: sku.skuId,
          get gpuCapacity() {
            return fleet.isDown(r) ? 0 : config.gpuCapacity[r][k];
          },
          get gpusInUse() {
            return fleet.gpusInUse(r, k);
          },
          get spotInstances() {
            return new Map(
              [...fleet.spotInstances(r, k)].map(([model, count]): [ModelId, number] => [models[model], count]),
            );
          },
        })),
      ),
      demand: models.flatMap((model, m) =>
        regions.map((region, r) => ({
          modelId: model,
          regionId: region,
          get interactiveTokensPerS() {
            return demand.interactiveTokensPerS(m * regions.length + r);
          },
        })),
      ),
      backlog: models.map((model, m) => ({
        modelId: model,
        get requests() {
          return held.count[m];
        },
        get promptTokens() {
          return held.promptTokens[m];
        },
        get earliestDeadlineAtMs() {
          return held.earliestDeadlineAtMs(m);
        },
        get due() {
          return DUE_HOURS.map((hours) => ({
            atMs: now() + hours * MS_PER_HOUR,
            requests: held.countDueBy(m, now() + hours * MS_PER_HOUR),
          }));
        },
        get arrivedTokensPerS() {
          return demand.deferrableTokensPerS(m);
        },
      })),
    };
    // What is now a number and now nothing is so from the start: what reads it is compiled once.
    for (const endpoint of this.#snapshot.endpoints)
      for (const value of [0, 0.5, undefined]) for (const field of FIGURES) Object.assign(endpoint, { [field]: value });
  }

  /** Position of an endpoint in the configuration. */
  indexOf(id: EndpointId): number | undefined {
    return this.#index.get(id);
  }

  /** Takes in the tokens that each pool saw over the last minute. */
  observeDemand(tokensInPool: Float64Array): void {
    for (const [pool, tokens] of tokensInPool.entries()) this.#tokensPerS[pool] = tokens / (MS_PER_MIN / MS_PER_S);
  }

  /** The fleet at `nowMs`. The same object each time. */
  snapshot(nowMs: number): FleetSnapshot {
    const engine = this.#engine;
    const fleet = this.#fleet;
    const topology = this.#topology;
    (this.#snapshot as { takenAtMs: number }).takenAtMs = nowMs;
    for (const [e, view] of this.#snapshot.endpoints.entries()) {
      const endpoint = view as { -readonly [K in keyof EndpointSnapshot]: EndpointSnapshot[K] };
      const pool = topology.poolOfEndpoint[e];
      const capacity = fleet.poolKvCapacity[pool];
      endpoint.readyInstances = fleet.ready[e];
      endpoint.provisioningInstances = fleet.provisioning[e];
      endpoint.drainingInstances = fleet.draining[e];
      endpoint.kvCacheUtilization = capacity > 0 ? engine.poolKvTokens(pool, nowMs) / capacity : undefined;
      endpoint.queuedTokens = engine.poolQueuedTokens[pool];
      endpoint.provisioningDelayMs = fleet.measuredDelayMs(e);
      endpoint.provisioningDelays = fleet.measuredDelays(e);
      let queued = this.#queues[pool].size;
      let running = 0;
      for (const instance of fleet.members[pool]) {
        queued += engine.queuedRequests(instance);
        running += engine.runningRequests(instance);
      }
      endpoint.queuedRequests = queued;
      endpoint.runningRequests = running;
      const tokensPerS = this.#tokensPerS[pool];
      endpoint.demandTokensPerS = tokensPerS >= 0 ? tokensPerS : undefined;
    }
    return this.#snapshot;
  }

  /** The fleet at `nowMs` as a copy that stays as it is. */
  frozen(nowMs: number): FleetSnapshot {
    const { takenAtMs, endpoints, capacity, demand, backlog } = this.snapshot(nowMs);
    return {
      takenAtMs,
      endpoints: endpoints.map((endpoint) => ({ ...endpoint })),
      capacity: capacity!.map((cell): CapacitySnapshot => ({ ...cell })),
      demand: (demand ?? []).map((cell) => ({ ...cell })),
      backlog: (backlog ?? []).map((queue) => ({ ...queue })),
    };
  }
}
