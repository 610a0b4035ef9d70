import {
  ConfigError,
  endpointId,
  IndexedMinHeap,
  type InstanceRouter,
  InvariantError,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MIN,
  type RegionRouter,
  type ReleasePolicy,
  TIER_NON_INTERACTIVE,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from '@sageserve/core';
import { type CapacityReport, capacityReport, RequestMetrics } from '@sageserve/metrics';
import type { RequestBatch, TraceDictionaries, TraceStream } from '@sageserve/trace';
import { type ResolvedConfig, resolveConfig, type SimulationConfig } from './config.js';
import { DemandTelemetry } from './demand-telemetry.js';
import { Fleet } from './fleet.js';
import { FleetTelemetry } from './fleet-telemetry.js';
import { HeldRequests } from './held-requests.js';
import { InstanceEngine } from './instance-engine.js';
import { RequestTable } from './request-table.js';
import type { EndpointReport, GroupReport, SimulationObserver, SimulationResult } from './results.js';
import { SlotHeap } from './slot-heap.js';
import { createTopology, type Topology } from './topology.js';
import { MutableRequestView, SimHeldView, SimInstanceView, SimLoadView, SimRegionView } from './views.js';

const TIERS = WORKLOAD_TIERS.length;
/** Columns hold tokens as 32-bit integers. */
const MAX_TOKENS = 0x7fffffff;
/** Requests that have not ended this long after the last arrival are reported as unfinished. */
const DRAIN_LIMIT_MS = 2 * MS_PER_DAY;

export interface SimulateOptions extends SimulationObserver {
  readonly signal?: AbortSignal;
  /** Check the invariants at every simulated minute and at the end (O(fleet + requests in flight) each time). */
  readonly audit?: boolean;
}

/**
 * Replays a stream of requests against a fleet in virtual time.
 * Throws `ConfigError` for a fleet that cannot work or a trace that names regions or models which the fleet does not have, and the signal's reason when aborted.
 */
export async function simulate(config: SimulationConfig, trace: TraceStream, options: SimulateOptions = {}): Promise<SimulationResult> {
  const simulation = new Simulation(resolveConfig(config), trace, options);
  for await (const batch of trace.batches()) {
    options.signal?.throwIfAborted();
    simulation.consume(batch);
    const pause = options.onProgress?.(simulation.progress());
    if (pause !== undefined) await pause;
  }
  options.signal?.throwIfAborted();
  return simulation.finish();
}

/** A request's residency set: who may serve it, in which order, from where. */
interface Residency {
  readonly allowed: Uint8Array;
  /** Order of preference; where a region releases held work, the same with that region first. */
  readonly order: Int32Array;
  readonly orderFrom: readonly Int32Array[];
}

class Simulation {
  readonly #config: ResolvedConfig;
  readonly #topology: Topology;
  readonly #dictionaries: TraceDictionaries;
  readonly #trace: TraceStream;
  readonly #options: SimulateOptions;
  readonly #requests = new RequestTable();
  readonly #events: IndexedMinHeap;
  readonly #engine: InstanceEngine;
  readonly #fleet: Fleet;
  readonly #metrics: RequestMetrics;
  readonly #held: HeldRequests;
  /** Requests on their way to an endpoint, by time of arrival there. */
  readonly #transit = new SlotHeap();
  /** Requests that no instance takes yet, by pool. */
  readonly #poolQueues: SlotHeap[];
  readonly #requestView = new MutableRequestView();
  readonly #regionView: SimRegionView;
  readonly #instanceView: SimInstanceView;
  readonly #heldView = new SimHeldView();
  readonly #loadView: SimLoadView;
  readonly #telemetry: FleetTelemetry;
  readonly #modelOf: number[] = [];
  readonly #regionOf: number[] = [];
  readonly #residency: Residency[] = [];
  readonly #orderFrom: readonly Int32Array[];
  readonly #arrivedInPool: Float64Array;
  readonly #completedInPool: Float64Array;
  readonly #tokensInPool: Float64Array;
  readonly #demand: DemandTelemetry;

  readonly #regionCount: number;
  readonly #regionRouter: RegionRouter;
  readonly #instanceRouter: InstanceRouter;
  readonly #release: ReleasePolicy;
  readonly #poolAt: Int32Array;
  /** Time from origin to the queue of a serving region, by origin × region. */
  readonly #delayMs: Float64Array;
  readonly #defaultDeadlineMs: Float64Array;
  #nowMs = 0;
  #sequence = 0;
  #ended = 0;
  #endedAtMs = 0;
  #nextScalingAtMs: number;
  #nextSampleAtMs = MS_PER_MIN;
  #lastArrivalMs = 0;
  #rejectedNoRegion = 0;
  #rejectedTooLong = 0;
  #servedAway = 0;
  #counted: { capacity: CapacityReport; endpoints: EndpointReport[]; spotGpuHours: number; inFlight: number; durationMs: number } | undefined;

  constructor(config: ResolvedConfig, trace: TraceStream, options: SimulateOptions) {
    const topology = createTopology(config);
    const limit = Fleet.instanceLimit(config);
    this.#config = config;
    this.#regionCount = config.regions.length;
    this.#regionRouter = config.policies.regionRouter;
    this.#instanceRouter = config.policies.instanceRouter;
    this.#release = config.policies.release;
    this.#poolAt = topology.poolAt;
    this.#delayMs = Float64Array.from(config.networkRttMs.flatMap((row) => row.map((rttMs) => config.endpointDelayMs + rttMs)));
    this.#defaultDeadlineMs = Float64Array.from(WORKLOAD_TIERS, (tier) => config.objectives[tier].defaultDeadlineMs);
    this.#topology = topology;
    this.#trace = trace;
    this.#dictionaries = trace.dictionaries;
    this.#options = options;
    this.#events = new IndexedMinHeap(limit);
    this.#engine = new InstanceEngine({
      instances: limit,
      pools: topology.pools,
      options: config.engine,
      requests: this.#requests,
      events: this.#events,
      scheduler: config.policies.batchScheduler,
      view: (slot) => this.#viewOf(slot),
      listener: this,
    });
    this.#fleet = new Fleet(config, topology, this.#engine, limit);
    this.#metrics = new RequestMetrics({ groups: config.models.length * config.regions.length, objectives: config.objectives });
    this.#held = new HeldRequests(config.models.length, config.regions.length);
    this.#poolQueues = Array.from({ length: topology.pools }, () => new SlotHeap());
    this.#regionView = new SimRegionView(config, topology, this.#engine, this.#fleet);
    this.#instanceView = new SimInstanceView(this.#engine);
    this.#loadView = new SimLoadView(this.#engine, this.#fleet);
    this.#orderFrom = topology.byDistance;
    this.#arrivedInPool = new Float64Array(topology.pools);
    this.#completedInPool = new Float64Array(topology.pools);
    this.#tokensInPool = new Float64Array(topology.pools);
    this.#demand = new DemandTelemetry(config.models, config.regions);
    this.#telemetry = new FleetTelemetry(config, topology, this.#engine, this.#fleet, this.#poolQueues);
    this.#nextScalingAtMs = config.scalingIntervalMs;
  }

  progress(): { simulatedMs: number; arrivedRequests: number; endedRequests: number } {
    return { simulatedMs: this.#nowMs, arrivedRequests: this.#sequence, endedRequests: this.#ended };
  }

  /** Takes in a batch and runs everything that happens up to its last arrival. */
  consume(batch: RequestBatch): void {
    const arrivals = batch.arrivedAtMs;
    for (let i = 0; i < batch.length; i++) {
      const atMs = arrivals[i];
      // Written so that NaN fails too.
      if (!(atMs >= this.#lastArrivalMs)) throw new InvariantError(`arrival ${this.#sequence} at ${atMs} ms comes before the one at ${this.#lastArrivalMs} ms`);
      this.#runBefore(atMs);
      this.#lastArrivalMs = atMs;
      this.#nowMs = atMs;
      this.#arrive(batch, i, atMs);
    }
  }

  /** Runs what is still in the system to its end. */
  finish(): SimulationResult {
    const durationMs = Math.max(this.#config.durationMs ?? 0, this.#lastArrivalMs);
    this.#runBefore(durationMs);
    this.#nowMs = durationMs;
    // The last minute is sampled too, whole or not.
    if (durationMs > this.#nextSampleAtMs - MS_PER_MIN) this.#sample(durationMs);
    this.#metrics.endGoodput();
    this.#options.onDemand?.(this.#demand.series(durationMs, this.#trace.startEpochMs ?? 0));
    this.#countCapacity(durationMs);
    const limitMs = durationMs + DRAIN_LIMIT_MS;
    while (this.#requests.live > 0 && this.#step(limitMs));
    if (this.#options.audit === true) this.#audit();
    return this.#result();
  }

  /** Runs every event that comes before an arrival at `atMs`: at equal times the arrival goes first. */
  #runBefore(atMs: number): void {
    const durationMs = this.#config.durationMs;
    if (durationMs !== undefined && this.#counted === undefined && atMs > durationMs) {
      throw new ConfigError('durationMs', `the trace has an arrival at ${atMs} ms, after the end of the run at ${durationMs} ms`);
    }
    while (this.#step(atMs));
  }

  /** Carries out the next event before `limitMs`, in the order (time, transit, provisioning, iteration, scaling, sample). Returns whether there was one. */
  #step(limitMs: number): boolean {
    const iterationAtMs = this.#events.peekKey();
    const transitAtMs = this.#transit.topKey();
    const readyAtMs = this.#fleet.becomingReady.peekKey();
    const tickAtMs = Math.min(this.#nextScalingAtMs, this.#nextSampleAtMs);
    const nextMs = Math.min(iterationAtMs, transitAtMs, readyAtMs, tickAtMs);
    if (nextMs >= limitMs) return false;
    if (nextMs < this.#nowMs) throw new InvariantError(`time went back from ${this.#nowMs} to ${nextMs} ms`);
    this.#nowMs = nextMs;
    if (transitAtMs === nextMs) {
      const slot = this.#transit.pop();
      this.#reachPool(slot, this.#poolOfRequest(slot), nextMs);
    } else if (readyAtMs === nextMs) {
      this.#drainPoolQueue(this.#fleet.finishProvisioning(this.#fleet.becomingReady.peek(), nextMs), nextMs);
    } else if (iterationAtMs === nextMs) {
      this.#engine.advance(this.#events.peek(), nextMs);
    } else if (this.#nextScalingAtMs === nextMs) {
      this.#nextScalingAtMs += this.#config.scalingIntervalMs;
      this.#scale(nextMs);
    } else {
      this.#nextSampleAtMs += MS_PER_MIN;
      this.#sample(nextMs);
    }
    return true;
  }

  #arrive(batch: RequestBatch, i: number, nowMs: number): void {
    const requests = this.#requests;
    const slot = requests.allocate();
    const model = this.#modelOf[batch.model[i]] ?? this.#resolveModel(batch.model[i]);
    const origin = this.#regionOf[batch.originRegion[i]] ?? this.#resolveRegion(batch.originRegion[i]);
    const tier = batch.tier[i];
    const prompt = batch.promptTokens[i];
    const output = batch.outputTokens[i];
    if (prompt < 1 || output < 1 || prompt > MAX_TOKENS || output > MAX_TOKENS)
      throw new InvariantError(`request ${batch.requestId[i]} has ${prompt} prompt and ${output} output tokens; both must be from 1 to ${MAX_TOKENS}`);
    const deadline = batch.deadlineAtMs[i];
    requests.requestId[slot] = batch.requestId[i];
    requests.sequence[slot] = this.#sequence++;
    requests.arrivedAtMs[slot] = nowMs;
    requests.deadlineAtMs[slot] = deadline >= 0 ? deadline : nowMs + this.#defaultDeadlineMs[tier];
    requests.promptTokens[slot] = prompt;
    requests.outputTokens[slot] = output;
    requests.tier[slot] = tier;
    requests.model[slot] = model;
    requests.originRegion[slot] = origin;
    const list = batch.regionList[i];
    requests.regionList[slot] = list;
    this.#metrics.arrive(model * this.#regionCount + origin, tier, prompt);
    if (tier !== TIER_NON_INTERACTIVE) this.#demand.arrive(model * this.#regionCount + origin, prompt);
    const order = list === -1 ? this.#orderFrom[origin] : this.#residencyOf(list).order;
    if (tier === TIER_NON_INTERACTIVE && this.#hold(slot, order, nowMs)) return;
    this.#routeRegion(slot, order, nowMs);
  }

  /** Holds a non-interactive request back and asks its regions whether they have room for held work; false where no region hosts its model. */
  #hold(slot: number, order: Int32Array, nowMs: number): boolean {
    const requests = this.#requests;
    const model = requests.model[slot];
    const list = requests.regionList[slot];
    const base = (model * TIERS + TIER_NON_INTERACTIVE) * this.#regionCount;
    if (!order.some((r) => this.#poolAt[base + r] >= 0)) return false;
    const residency = list === -1 ? undefined : this.#residencyOf(list);
    this.#held.hold(
      model,
      list,
      residency === undefined ? allowAll : (r) => residency.allowed[r] === 1,
      requests.deadlineAtMs[slot],
      requests.sequence[slot],
      slot,
    );
    for (const r of order) {
      const pool = this.#poolAt[base + r];
      if (pool >= 0 && this.#held.count[model] > 0) this.#releaseTo(pool, nowMs);
    }
    return true;
  }

  #routeRegion(slot: number, order: Int32Array, nowMs: number): void {
    const requests = this.#requests;
    const regions = this.#regionView;
    const list = requests.regionList[slot];
    regions.nowMs = nowMs;
    regions.poolBase = (requests.model[slot] * TIERS + requests.tier[slot]) * this.#regionCount;
    regions.preference = order;
    regions.residency = list === -1 ? undefined : this.#residencyOf(list).allowed;
    const region = this.#regionRouter.route(this.#viewOf(slot), regions, nowMs);
    if (region === -1) {
      this.#rejectedNoRegion++;
      this.#reject(slot, nowMs);
      return;
    }
    if (!(region >= 0 && region < regions.count && regions.hosts(region) && regions.allowed(region))) {
      throw new InvariantError(`region router "${this.#regionRouter.name}" chose region ${region}, which may not serve the request`);
    }
    requests.servedRegion[slot] = region;
    const origin = requests.originRegion[slot];
    if (region !== origin) this.#servedAway++;
    const delayMs = this.#delayMs[origin * this.#regionCount + region];
    if (delayMs > 0) this.#transit.push(nowMs + delayMs, requests.sequence[slot], slot);
    else this.#reachPool(slot, this.#poolOfRequest(slot), nowMs);
  }

  #poolOfRequest(slot: number): number {
    const requests = this.#requests;
    return this.#poolAt[(requests.model[slot] * TIERS + requests.tier[slot]) * this.#regionCount + requests.servedRegion[slot]];
  }

  #reachPool(slot: number, pool: number, nowMs: number): void {
    this.#arrivedInPool[pool]++;
    this.#tokensInPool[pool] += this.#requests.promptTokens[slot];
    const queue = this.#poolQueues[pool];
    if (queue.size > 0 || !this.#dispatch(slot, pool, nowMs)) queue.push(this.#requests.sequence[slot], 0, slot);
  }

  /** Hands a request to an instance of its pool; false where it has to wait. */
  #dispatch(slot: number, pool: number, nowMs: number): boolean {
    const members = this.#fleet.members[pool];
    const view = this.#instanceView;
    view.members = members;
    view.key = this.#topology.names[pool];
    view.nowMs = nowMs;
    const choice = this.#instanceRouter.route(this.#viewOf(slot), view, nowMs);
    if (choice === -1) return false;
    if (!(choice >= 0 && choice < members.length))
      throw new InvariantError(`instance router "${this.#instanceRouter.name}" chose instance ${choice} of ${members.length}`);
    let instance = members[choice];
    const requests = this.#requests;
    const tokens = requests.promptTokens[slot] + requests.outputTokens[slot];
    if (tokens > this.#engine.kvCapacity[instance]) {
      instance = this.#leastLoadedThatHolds(members, tokens);
      if (instance === -1) {
        this.#rejectedTooLong++;
        this.#reject(slot, nowMs);
        return true;
      }
    }
    if (this.#engine.isIdle(instance)) this.#fleet.onBusy(instance, nowMs);
    this.#engine.assign(instance, slot, nowMs);
    return true;
  }

  /** In a pool of several SKUs: the instance with the fewest outstanding tokens among those whose KV memory could hold the whole request, or −1. */
  #leastLoadedThatHolds(members: readonly number[], tokens: number): number {
    let best = -1;
    for (const instance of members) {
      if (this.#engine.kvCapacity[instance] < tokens) continue;
      if (best === -1 || this.#engine.outstandingTokens[instance] < this.#engine.outstandingTokens[best]) best = instance;
    }
    return best;
  }

  #drainPoolQueue(pool: number, nowMs: number): void {
    const queue = this.#poolQueues[pool];
    while (queue.size > 0 && this.#dispatch(queue.topSlot(), pool, nowMs)) queue.pop();
  }

  /** Asks the release policy how much held work a pool gets now, and sends it there. */
  #releaseTo(pool: number, nowMs: number): void {
    const model = this.#topology.modelOfPool[pool];
    const region = this.#topology.regionOfPool[pool];
    this.#heldView.heaps = this.#held.heaps(model, region);
    this.#loadView.pool = pool;
    this.#loadView.nowMs = nowMs;
    let count = this.#release.release(this.#heldView, this.#loadView, nowMs);
    for (; count > 0; count--) {
      const slot = this.#held.take(model, region);
      if (slot === -1) return;
      const list = this.#requests.regionList[slot];
      // Routed as if it came from the region that has room, so that a full region still passes it on.
      this.#routeRegion(slot, list === -1 ? this.#orderFrom[region] : this.#residencyOf(list).orderFrom[region], nowMs);
    }
  }

  onComplete(slot: number, instance: number, nowMs: number): void {
    const requests = this.#requests;
    const arrivedAtMs = requests.arrivedAtMs[slot];
    const firstTokenAtMs = requests.firstTokenAtMs[slot];
    const output = requests.outputTokens[slot];
    this.#ended++;
    this.#endedAtMs = nowMs;
    const pool = this.#topology.poolOfEndpoint[this.#fleet.endpointOf[instance]];
    this.#completedInPool[pool]++;
    this.#tokensInPool[pool] += output;
    const cell = requests.model[slot] * this.#regionCount + requests.originRegion[slot];
    const tier = requests.tier[slot];
    if (tier !== TIER_NON_INTERACTIVE) this.#demand.complete(cell, output);
    this.#metrics.complete(cell, tier, arrivedAtMs, firstTokenAtMs, nowMs, output, requests.deadlineAtMs[slot]);
    this.#options.onRequestEnd?.(requests, slot, 'completed', nowMs);
  }

  onSettled(instance: number, completions: number, nowMs: number): void {
    const pool = this.#topology.poolOfEndpoint[this.#fleet.endpointOf[instance]];
    if (this.#engine.isIdle(instance)) this.#fleet.onIdle(instance, nowMs);
    if (completions === 0) return;
    if (this.#poolQueues[pool].size > 0) this.#drainPoolQueue(pool, nowMs);
    const model = this.#topology.modelOfPool[pool];
    for (let n = 0; n < completions && this.#held.count[model] > 0 && this.#servesHeld(pool); n++) this.#releaseTo(pool, nowMs);
  }

  #servesHeld(pool: number): boolean {
    const topology = this.#topology;
    return this.#poolAt[(topology.modelOfPool[pool] * TIERS + TIER_NON_INTERACTIVE) * this.#regionCount + topology.regionOfPool[pool]] === pool;
  }

  #reject(slot: number, nowMs: number): void {
    const requests = this.#requests;
    this.#ended++;
    this.#endedAtMs = Math.max(this.#endedAtMs, nowMs);
    this.#metrics.reject(requests.model[slot] * this.#regionCount + requests.originRegion[slot], requests.tier[slot]);
    this.#options.onRequestEnd?.(requests, slot, 'rejected', nowMs);
    requests.free(slot);
  }

  #scale(nowMs: number): void {
    for (let pool = 0; pool < this.#topology.pools; pool++) {
      if (this.#held.count[this.#topology.modelOfPool[pool]] > 0 && this.#servesHeld(pool)) this.#releaseTo(pool, nowMs);
    }
    for (const decision of this.#config.policies.scaling.decide(this.#telemetry.snapshot(nowMs), undefined, nowMs)) {
      const endpoint = this.#telemetry.indexOf(decision.endpointId);
      if (endpoint === undefined)
        throw new InvariantError(`scaling policy "${this.#config.policies.scaling.name}" decided for the unknown endpoint "${decision.endpointId}"`);
      if (this.#fleet.apply(endpoint, decision, nowMs) > 0) this.#drainPoolQueue(this.#topology.poolOfEndpoint[endpoint], nowMs);
    }
  }

  #sample(nowMs: number): void {
    this.#telemetry.observeDemand(this.#tokensInPool);
    this.#tokensInPool.fill(0);
    this.#demand.minute(nowMs);
    if (this.#options.audit === true) this.#audit();
    if (this.#options.onSample !== undefined && this.#counted === undefined) {
      for (const [e, endpoint] of this.#telemetry.snapshot(nowMs).endpoints.entries()) {
        const pool = this.#topology.poolOfEndpoint[e];
        this.#options.onSample({
          timeMs: nowMs,
          endpointId: endpoint.endpointId,
          readyInstances: endpoint.readyInstances,
          provisioningInstances: endpoint.provisioningInstances,
          drainingInstances: endpoint.drainingInstances,
          kvCacheUtilization: endpoint.kvCacheUtilization,
          runningRequests: endpoint.runningRequests ?? 0,
          queuedRequests: endpoint.queuedRequests ?? 0,
          heldRequests: this.#held.count[this.#topology.modelOfPool[pool]],
          arrivedRequests: this.#arrivedInPool[pool],
          completedRequests: this.#completedInPool[pool],
        });
      }
      this.#arrivedInPool.fill(0);
      this.#completedInPool.fill(0);
    }
  }

  #viewOf(slot: number): MutableRequestView {
    const requests = this.#requests;
    const view = this.#requestView;
    const sequence = requests.sequence[slot];
    // One request is asked about several times in a row: by region, by instance, by queue.
    if (view.sequence === sequence) return view;
    view.sequence = sequence;
    view.requestId = requests.requestId[slot];
    view.modelId = this.#config.models[requests.model[slot]];
    view.tier = WORKLOAD_TIERS[requests.tier[slot]];
    view.originRegion = requests.originRegion[slot];
    view.arrivedAtMs = requests.arrivedAtMs[slot];
    view.deadlineAtMs = requests.deadlineAtMs[slot];
    view.promptTokens = requests.promptTokens[slot];
    view.maxOutputTokens = this.#config.maxOutputTokens;
    return view;
  }

  #resolveModel(index: number): number {
    const name = this.#dictionaries.models[index];
    const model = this.#config.models.findIndex((m) => m === name);
    if (model === -1)
      throw new ConfigError('models', `the trace asks for the model "${name}", which the fleet does not have`, {
        hint: `The fleet has ${this.#config.models.join(', ')}. In a scenario file, traffic.rename.model gives the trace's models other names: { "*": ${this.#config.models[0]} } renames all.`,
      });
    this.#modelOf[index] = model;
    return model;
  }

  #resolveRegion(index: number): number {
    const name = this.#dictionaries.regions[index];
    const region = this.#config.regions.findIndex((r) => r === name);
    if (region === -1)
      throw new ConfigError('regions', `the trace names the region "${name}", which the fleet does not have`, {
        hint: `The fleet has ${this.#config.regions.join(', ')}. In a scenario file, traffic.rename.region gives the trace's regions other names.`,
      });
    this.#regionOf[index] = region;
    return region;
  }

  #residencyOf(list: number): Residency {
    const known = this.#residency[list];
    if (known !== undefined) return known;
    const order = Int32Array.from(this.#dictionaries.regionLists[list], (index) => this.#regionOf[index] ?? this.#resolveRegion(index));
    const allowed = new Uint8Array(this.#regionCount);
    for (const r of order) allowed[r] = 1;
    const orderFrom = this.#config.regions.map((_, first) => (allowed[first] === 1 ? Int32Array.from([first, ...order.filter((r) => r !== first)]) : order));
    const residency = { allowed, order, orderFrom };
    this.#residency[list] = residency;
    return residency;
  }

  #countCapacity(nowMs: number): void {
    const { endpoints, regions, skus } = this.#config;
    const held = endpoints.map((_, e) => this.#fleet.heldTime(e, nowMs));
    let spotGpuMs = 0;
    for (const [r] of regions.entries()) for (const [k] of skus.entries()) spotGpuMs += this.#fleet.spotGpuMs(r, k, nowMs);
    this.#counted = {
      durationMs: nowMs,
      inFlight: this.#requests.live,
      capacity: capacityReport(held),
      spotGpuHours: spotGpuMs / MS_PER_HOUR,
      endpoints: endpoints.map((spec, e) => ({
        endpointId: endpointId(spec.region, spec.model, spec.sku, spec.pool),
        regionId: spec.region,
        modelId: spec.model,
        capacity: capacityReport([held[e]]),
      })),
    };
  }

  /** Throws where requests, instances, GPUs or KV memory are not conserved, or an instance idles with work. */
  #audit(): void {
    this.#fleet.audit();
    let inInstances = 0;
    for (let i = 0; i < this.#fleet.state.length; i++) {
      const held = this.#engine.requestsHeld(i);
      if (held === 0) continue;
      inInstances += held;
      if (this.#engine.isIdle(i)) throw new InvariantError(`instance ${i} idles with ${held} requests`);
      const tokens = this.#engine.auditKvTokens(i);
      if (tokens !== this.#engine.kvUsed[i])
        throw new InvariantError(`instance ${i} accounts for ${tokens} KV tokens and has ${this.#engine.kvUsed[i]} in use`);
      if (tokens > this.#engine.kvCapacity[i]) throw new InvariantError(`instance ${i} uses ${tokens} KV tokens of ${this.#engine.kvCapacity[i]}`);
    }
    const sums = new Float64Array(this.#topology.pools);
    for (let i = 0; i < this.#fleet.state.length; i++) if (this.#engine.poolOf[i] >= 0) sums[this.#engine.poolOf[i]] += this.#engine.kvTokens(i, this.#nowMs);
    for (const [pool, sum] of sums.entries()) {
      // The sum is kept by adding and taking away, so that rounding leaves traces.
      if (Math.abs(sum - this.#engine.poolKvTokens(pool, this.#nowMs)) > 1)
        throw new InvariantError(`pool ${pool} sums up ${this.#engine.poolKvTokens(pool, this.#nowMs)} KV tokens where its instances have ${sum}`);
    }
    let waiting = this.#transit.size;
    for (const queue of this.#poolQueues) waiting += queue.size;
    for (const count of this.#held.count) waiting += count;
    if (this.#requests.live !== inInstances + waiting)
      throw new InvariantError(`${this.#requests.live} requests are live, ${inInstances} in instances and ${waiting} waiting`);
    if (this.#sequence !== this.#ended + this.#requests.live)
      throw new InvariantError(`${this.#sequence} requests arrived, ${this.#ended} ended and ${this.#requests.live} are live`);
  }

  #result(): SimulationResult {
    const counted = this.#counted!;
    const { models, regions } = this.#config;
    const byTier: Partial<Record<WorkloadTier, ReturnType<RequestMetrics['report']>>> = {};
    for (const [t, tier] of WORKLOAD_TIERS.entries()) {
      const report = this.#metrics.report(counted.durationMs, (_, other) => other === t);
      if (report.arrived > 0) byTier[tier] = report;
    }
    const byGroup: GroupReport[] = [];
    for (const [m, model] of models.entries()) {
      for (const [r, region] of regions.entries()) {
        for (const [t, tier] of WORKLOAD_TIERS.entries()) {
          const report = this.#metrics.report(counted.durationMs, (group, other) => group === m * regions.length + r && other === t);
          if (report.arrived > 0) byGroup.push({ modelId: model, originRegion: region, tier, requests: report });
        }
      }
    }
    return {
      durationMs: counted.durationMs,
      endedAtMs: Math.max(this.#endedAtMs, this.#lastArrivalMs),
      total: this.#metrics.report(counted.durationMs),
      byTier,
      byGroup,
      rejectedNoRegion: this.#rejectedNoRegion,
      rejectedTooLong: this.#rejectedTooLong,
      inFlightAtDurationEnd: counted.inFlight,
      servedAway: this.#servedAway,
      capacity: counted.capacity,
      spotGpuHours: counted.spotGpuHours,
      endpoints: counted.endpoints,
      actions: this.#fleet.actions,
      preemptions: this.#engine.preemptions,
      iterations: this.#engine.iterations,
    };
  }
}

const allowAll = (): boolean => true;
