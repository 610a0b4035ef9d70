import {
  type ActuationResult,
  answered,
  ConfigError,
  type ControlLoop,
  type FleetSnapshot,
  IndexedMinHeap,
  type InstanceRouter,
  InvariantError,
  MS_PER_DAY,
  MS_PER_MIN,
  OVERFLOW_CONTRACT,
  overflowBreach,
  Pacer,
  PolicyContractError,
  type RegionRouter,
  type ReleasePolicy,
  SCALING_CONTRACT,
  scalingBreach,
  type ScalingDecision,
  TIER_NON_INTERACTIVE,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import { RequestMetrics } from '@sageserve/metrics';
import type { RequestBatch, TraceStream } from '@sageserve/trace';
import { auditInstances } from './audit-instances.js';
import {
  type ControlPorts,
  instanceSlots,
  type ResolvedConfig,
  resolveConfig,
  type SimulationConfig,
} from './config.js';
import { countCapacity, type CountedCapacity, countRequests } from './count-capacity.js';
import { DemandTelemetry } from './demand-telemetry.js';
import { Fleet, type FleetActions } from './fleet.js';
import { FleetTelemetry } from './fleet-telemetry.js';
import { HeldRequests } from './held-requests.js';
import { IncidentHost } from './incident-host.js';
import { incidentSteps } from './incidents.js';
import { InstanceEngine } from './instance-engine.js';
import { LaggedTelemetry } from './lagged-telemetry.js';
import { LaggedInstanceView, LaggedLoadView, LaggedRegionView } from './lagged-views.js';
import {
  ARRIVED_AT,
  DEADLINE_AT,
  FIRST_TOKEN_AT,
  MODEL,
  ORIGIN,
  OUTPUT,
  PROMPT,
  REGION_LIST,
  REQUEST_ID,
  RequestTable,
  SEQUENCE,
  SERVED,
  TIER,
} from './request-table.js';
import type { SimulationObserver, SimulationResult } from './results.js';
import { SlotHeap } from './slot-heap.js';
import { createTopology, type Topology } from './topology.js';
import { TraceNames } from './trace-names.js';
import { MutableRequestView, SimHeldView, SimInstanceView, SimLoadView, SimRegionView } from './views.js';

const TIERS = WORKLOAD_TIERS.length;
/** Columns hold tokens as 32-bit integers. */
const MAX_TOKENS = 0x7fffffff;
/** Requests that have not ended this long after the last arrival are reported as unfinished. */
const DRAIN_LIMIT_MS = 2 * MS_PER_DAY;

export interface SimulateOptions extends SimulationObserver {
  readonly signal?: AbortSignal;
  /**
   * Check the invariants at every simulated minute and at the end (O(fleet + requests in flight)
   * each time).
   */
  readonly audit?: boolean;
}

/**
 * Replays a stream of requests against a fleet in virtual time. Throws `ConfigError` for a fleet
 * that cannot work or a trace that names regions or models which the fleet does not have, and the
 * signal's reason when aborted.
 */
export async function simulate(
  config: SimulationConfig,
  trace: TraceStream,
  options: SimulateOptions = {},
): Promise<SimulationResult> {
  const simulation = new Simulation(resolveConfig(config), trace, options);
  for await (const batch of trace.batches()) {
    options.signal?.throwIfAborted();
    for (let next = 0; (next = simulation.consume(batch, next)) < batch.length;) await simulation.goOn();
    const pause = options.onProgress?.(simulation.progress());
    if (pause !== undefined) await pause;
  }
  options.signal?.throwIfAborted();
  return simulation.finish();
}

class Simulation {
  readonly #config: ResolvedConfig;
  readonly #topology: Topology;
  readonly #trace: TraceStream;
  readonly #options: SimulateOptions;
  readonly #requests = new RequestTable();
  readonly #events: IndexedMinHeap;
  readonly #engine: InstanceEngine;
  readonly #fleet: Fleet;
  readonly #metrics: RequestMetrics;
  /**
   * Requests that are held back: not in the table, so that those in service lie close together
   * however long the backlog is.
   */
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
  readonly #otherLoadView: SimLoadView;
  readonly #telemetry: FleetTelemetry;
  /** How the fleet is seen late; `undefined` where what is seen is what is. */
  readonly #lag: LaggedTelemetry | undefined;
  readonly #laggedView: LaggedInstanceView | undefined;
  readonly #names: TraceNames;
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
  readonly #loop: ControlLoop | undefined;
  readonly #incidents: IncidentHost;
  #nextControlAtMs = Infinity;
  /** The newest fence that acted, by endpoint. */
  readonly #fences = new Map<number, number>();
  /** What ended an act of the control loop: a policy that broke its contract, or a defect. */
  #broken: { readonly error: Error } | undefined;
  /** A tick of the control loop is what comes next: it is awaited outside of the event loop. */
  #controlDue = false;
  /** This thread has been kept for a while: others are to have their turn. */
  #turnDue = false;
  readonly #pacer = new Pacer();
  #rerouted = 0;
  #nextScalingAtMs: number;
  #nextReadingAtMs = Infinity;
  #nextSampleAtMs = MS_PER_MIN;
  #lastArrivalMs = 0;
  #rejectedNoRegion = 0;
  #rejectedTooLong = 0;
  #servedAway = 0;
  #counted: (CountedCapacity & { inFlight: number; durationMs: number; actions: FleetActions }) | undefined;

  constructor(config: ResolvedConfig, trace: TraceStream, options: SimulateOptions) {
    const topology = createTopology(config);
    const limit = instanceSlots(config);
    this.#config = config;
    this.#regionCount = config.regions.length;
    this.#regionRouter = config.policies.regionRouter;
    this.#instanceRouter = config.policies.instanceRouter;
    this.#release = config.policies.release;
    this.#poolAt = topology.poolAt;
    this.#delayMs = Float64Array.from(
      config.networkRttMs.flatMap((row) => row.map((rttMs) => config.endpointDelayMs + rttMs)),
    );
    this.#defaultDeadlineMs = Float64Array.from(WORKLOAD_TIERS, (tier) => config.objectives[tier].defaultDeadlineMs);
    this.#topology = topology;
    this.#trace = trace;
    this.#names = new TraceNames(config, trace.dictionaries);
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
    this.#metrics = new RequestMetrics({
      groups: config.models.length * config.regions.length,
      objectives: config.objectives,
    });
    this.#held = new HeldRequests(config.models.length, config.regions.length);
    this.#poolQueues = Array.from({ length: topology.pools }, () => new SlotHeap());
    this.#orderFrom = topology.byDistance;
    this.#arrivedInPool = new Float64Array(topology.pools);
    this.#completedInPool = new Float64Array(topology.pools);
    this.#tokensInPool = new Float64Array(topology.pools);
    this.#demand = new DemandTelemetry(config.models, config.regions, config.demandHistory);
    this.#telemetry = new FleetTelemetry(
      config,
      topology,
      this.#engine,
      this.#fleet,
      this.#poolQueues,
      this.#held,
      this.#demand,
    );
    const { telemetry: lag } = config;
    const seen = [config, topology, this.#engine, this.#fleet] as const;
    if (lag === undefined) {
      this.#regionView = new SimRegionView(...seen);
      this.#instanceView = new SimInstanceView(this.#engine);
      this.#loadView = new SimLoadView(...seen);
      this.#otherLoadView = new SimLoadView(...seen);
    } else {
      this.#lag = new LaggedTelemetry(lag, ...seen, this.#telemetry);
      this.#regionView = new LaggedRegionView(this.#lag, topology.names, ...seen);
      this.#instanceView = this.#laggedView = new LaggedInstanceView(this.#lag, this.#engine);
      this.#loadView = new LaggedLoadView(this.#lag, ...seen);
      this.#otherLoadView = new LaggedLoadView(this.#lag, ...seen);
      this.#nextReadingAtMs = this.#lag.nextAtMs;
    }
    this.#nextScalingAtMs = config.scalingIntervalMs;
    this.#incidents = new IncidentHost({
      steps: incidentSteps(
        config.incidents,
        config.regions,
        config.skus.map((sku) => sku.skuId),
      ),
      topology,
      engine: this.#engine,
      fleet: this.#fleet,
      telemetry: this.#telemetry,
      requests: this.#requests,
      poolQueues: this.#poolQueues,
      reroute: (slots, nowMs) => {
        this.#reroute(slots, nowMs);
      },
    });
    this.#loop = config.control?.(this.#ports());
    if (this.#loop !== undefined) this.#nextControlAtMs = this.#loop.nextTickAtMs;
  }

  /** The simulated fleet through the interfaces that a live one has. */
  #ports(): ControlPorts {
    return {
      telemetry: {
        snapshot: () => this.#seen(this.#nowMs) ?? Promise.reject(new Error('nothing was read yet')),
        demand: (keys, sinceMs) => keys.map((key) => this.#demand.one(key, this.#nowMs, sinceMs)),
      },
      actuator: {
        apply: (decisions, options) => {
          try {
            return decisions.map((decision) => this.#applyDecision(decision, options?.fence));
          } catch (error) {
            this.#broken ??= { error: error as Error };
            throw error;
          }
        },
      },
    };
  }

  #applyDecision(decision: ScalingDecision, fence?: number): ActuationResult {
    const endpoint = this.#telemetry.indexOf(decision.endpointId);
    if (endpoint !== undefined && fence !== undefined) {
      const newest = this.#fences.get(endpoint) ?? fence;
      if (fence < newest)
        return {
          endpointId: decision.endpointId,
          status: 'refused',
          reachedInstances: undefined,
          detail: `fence ${newest} has acted`,
        };
      this.#fences.set(endpoint, fence);
    }
    if (endpoint === undefined)
      return {
        endpointId: decision.endpointId,
        status: 'failed',
        reachedInstances: undefined,
        detail: 'the fleet has no such endpoint',
      };
    const planned = (): number => this.#fleet.ready[endpoint] + this.#fleet.provisioning[endpoint];
    const before = planned();
    if (this.#fleet.apply(endpoint, decision, this.#nowMs) > 0)
      this.#drainPoolQueue(this.#topology.poolOfEndpoint[endpoint], this.#nowMs);
    const reachedInstances = planned();
    const short = decision.targetInstances > reachedInstances;
    return {
      endpointId: decision.endpointId,
      status: short ? 'partial' : reachedInstances === before ? 'unchanged' : 'applied',
      reachedInstances,
      detail: !short
        ? undefined
        : this.#fleet.isDown(this.#topology.regionOfPool[this.#topology.poolOfEndpoint[endpoint]])
          ? 'the region is down'
          : this.#fleet.tookNone(endpoint)
            ? `the acquisition policy took no way to have ${decision.targetInstances - reachedInstances} of them`
            : `no GPU was left for ${decision.targetInstances - reachedInstances} of them`,
    };
  }

  /** Requests in the system now. */
  get #live(): number {
    let live = this.#requests.live;
    for (const count of this.#held.count) live += count;
    return live;
  }

  /**
   * Awaits what stopped the events: a tick of the control loop that is due, or a turn for others.
   */
  async goOn(): Promise<void> {
    if (this.#turnDue || this.#pacer.due) {
      this.#turnDue = false;
      await this.#pacer.turn(this.#options.signal);
    }
    if (this.#controlDue) await this.#control();
  }

  async #control(): Promise<void> {
    const loop = this.#loop!;
    const atMs = this.#nextControlAtMs;
    this.#controlDue = false;
    await loop.tick(atMs, { awaitPlan: true });
    // To a loop an actuator that throws is a fleet out of reach: it goes on.
    if (this.#broken !== undefined) throw this.#broken.error;
    this.#nextControlAtMs = loop.nextTickAtMs;
    if (!(this.#nextControlAtMs > atMs))
      throw new InvariantError(`the control loop asks at ${atMs} ms to be called again at ${this.#nextControlAtMs} ms`);
  }

  progress(): { simulatedMs: number; arrivedRequests: number; endedRequests: number } {
    return { simulatedMs: this.#nowMs, arrivedRequests: this.#sequence, endedRequests: this.#ended };
  }

  /**
   * Takes in a batch from position `from` on and runs everything that happens up to its last
   * arrival. Returns where it stopped: before its end where something has to be awaited.
   */
  consume(batch: RequestBatch, from: number): number {
    const arrivals = batch.arrivedAtMs;
    for (let i = from; i < batch.length; i++) {
      const atMs = arrivals[i];
      // Written so that NaN fails too.
      if (!(atMs >= this.#lastArrivalMs))
        throw new InvariantError(
          `arrival ${this.#sequence} at ${atMs} ms comes before the one at ${this.#lastArrivalMs} ms`,
        );
      this.#runBefore(atMs);
      if (this.#controlDue || this.#turnDue) return i;
      this.#lastArrivalMs = atMs;
      this.#nowMs = atMs;
      this.#arrive(batch, i, atMs);
    }
    return batch.length;
  }

  /** Runs what is still in the system to its end. */
  async finish(): Promise<SimulationResult> {
    const durationMs = Math.max(this.#config.durationMs ?? 0, this.#lastArrivalMs);
    for (this.#runBefore(durationMs); this.#controlDue || this.#turnDue; this.#runBefore(durationMs)) await this.goOn();
    this.#nowMs = durationMs;
    // The last minute is sampled too, whole or not.
    if (durationMs > this.#nextSampleAtMs - MS_PER_MIN) this.#sample(durationMs);
    this.#metrics.endGoodput();
    this.#options.onDemand?.(this.#demand.series(durationMs, this.#trace.startEpochMs ?? 0));
    this.#counted = {
      ...countCapacity(this.#config, this.#fleet, durationMs),
      inFlight: this.#live,
      durationMs,
      actions: structuredClone(this.#fleet.actions),
    };
    const limitMs = durationMs + DRAIN_LIMIT_MS;
    while (this.#live > 0 && (this.#step(limitMs) || this.#controlDue)) {
      if (this.#pacer.due) await this.#pacer.turn(this.#options.signal);
      if (this.#controlDue) await this.#control();
    }
    if (this.#options.audit === true) this.#audit();
    return this.#result();
  }

  /**
   * Runs every event that comes before an arrival at `atMs`: at equal times the arrival goes first.
   */
  #runBefore(atMs: number): void {
    const durationMs = this.#config.durationMs;
    if (durationMs !== undefined && this.#counted === undefined && atMs > durationMs) {
      throw new ConfigError(
        'durationMs',
        `the trace has an arrival at ${atMs} ms, after the end of the run at ${durationMs} ms`,
      );
    }
    while (this.#step(atMs)) {
      if (!this.#pacer.due) continue;
      this.#turnDue = true;
      return;
    }
  }

  /**
   * Carries out the next event before `limitMs`, in the order (time, transit, provisioning,
   * iteration, scaling, sample, incident, control). Returns whether there was one that could be
   * carried out here: a tick of the control loop is left to who called, and `#controlDue` says so.
   */
  #step(limitMs: number): boolean {
    const iterationAtMs = this.#events.peekKey();
    const transitAtMs = this.#transit.topKey();
    const readyAtMs = this.#fleet.becomingReady.peekKey();
    const incidentAtMs = this.#incidents.nextAtMs;
    const tickAtMs = Math.min(
      this.#nextScalingAtMs,
      this.#nextSampleAtMs,
      this.#nextReadingAtMs,
      incidentAtMs,
      this.#nextControlAtMs,
    );
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
    } else if (this.#nextReadingAtMs === nextMs) {
      this.#lag!.read(nextMs);
      this.#nextReadingAtMs = this.#lag!.nextAtMs;
    } else if (this.#nextScalingAtMs === nextMs) {
      this.#nextScalingAtMs += this.#config.scalingIntervalMs;
      this.#scale(nextMs);
    } else if (this.#nextSampleAtMs === nextMs) {
      this.#nextSampleAtMs += MS_PER_MIN;
      this.#sample(nextMs);
    } else if (incidentAtMs === nextMs) {
      this.#incidents.happen(nextMs);
    } else {
      this.#controlDue = true;
      return false;
    }
    return true;
  }

  /**
   * Requests that lost their instance go to another one, in order of arrival; held work goes back
   * to where it was held.
   */
  #reroute(slots: readonly number[], nowMs: number): void {
    const requests = this.#requests;
    for (const slot of slots) {
      this.#rerouted++;
      this.#lag?.end(slot, nowMs);
      requests.restart(slot);
      const origin = requests.originRegion[slot];
      if (requests.servedRegion[slot] !== origin) this.#servedAway--;
      requests.servedRegion[slot] = -1;
      const list = requests.regionList[slot];
      const order = list === -1 ? this.#orderFrom[origin] : this.#names.residency(list).order;
      if (requests.tier[slot] === TIER_NON_INTERACTIVE && this.#hold(slot, order, nowMs)) continue;
      this.#routeRegion(slot, order, nowMs);
    }
  }

  #arrive(batch: RequestBatch, i: number, nowMs: number): void {
    const slot = this.#requests.allocate();
    const { doubles, ints } = this.#requests;
    const model = this.#names.model(batch.model[i]);
    const origin = this.#names.region(batch.originRegion[i]);
    const tier = batch.tier[i];
    const prompt = batch.promptTokens[i];
    const output = batch.outputTokens[i];
    if (prompt < 1 || output < 1 || prompt > MAX_TOKENS || output > MAX_TOKENS)
      throw new InvariantError(
        `request ${batch.requestId[i]} has ${prompt} prompt and ${output} output tokens; both must be from 1 to ` +
          `${MAX_TOKENS}`,
      );
    const deadline = batch.deadlineAtMs[i];
    const list = batch.regionList[i];
    doubles[slot + REQUEST_ID] = batch.requestId[i];
    doubles[slot + SEQUENCE] = this.#sequence++;
    doubles[slot + ARRIVED_AT] = nowMs;
    doubles[slot + DEADLINE_AT] = deadline >= 0 ? deadline : nowMs + this.#defaultDeadlineMs[tier];
    doubles[slot + PROMPT] = prompt;
    doubles[slot + OUTPUT] = output;
    ints[slot + TIER] = tier;
    ints[slot + MODEL] = model;
    ints[slot + ORIGIN] = origin;
    ints[slot + REGION_LIST] = list;
    this.#metrics.arrive(model * this.#regionCount + origin, tier, prompt);
    if (tier !== TIER_NON_INTERACTIVE) this.#demand.arrive(model * this.#regionCount + origin, prompt);
    else this.#demand.defer(model, prompt);
    const order = list === -1 ? this.#orderFrom[origin] : this.#names.residency(list).order;
    if (tier === TIER_NON_INTERACTIVE && this.#hold(slot, order, nowMs)) return;
    this.#routeRegion(slot, order, nowMs);
  }

  /**
   * Holds a non-interactive request back and asks its regions whether they have room for held work;
   * false where no region hosts its model.
   */
  #hold(slot: number, order: Int32Array, nowMs: number): boolean {
    const requests = this.#requests;
    const model = requests.ints[slot + MODEL];
    const list = requests.ints[slot + REGION_LIST];
    const base = (model * TIERS + TIER_NON_INTERACTIVE) * this.#regionCount;
    let hosted = false;
    for (const r of order) hosted ||= this.#poolAt[base + r] >= 0;
    if (!hosted) return false;
    const residency = list === -1 ? undefined : this.#names.residency(list);
    const allows = residency === undefined ? allowAll : (r: number): boolean => residency.allowed[r] === 1;
    this.#held.hold(requests, slot, allows);
    for (const r of order) {
      const pool = this.#poolAt[base + r];
      if (pool >= 0 && this.#held.count[model] > 0) this.#releaseTo(pool, nowMs);
    }
    return true;
  }

  #routeRegion(slot: number, order: Int32Array, nowMs: number): void {
    const { doubles, ints } = this.#requests;
    const regions = this.#regionView;
    const list = ints[slot + REGION_LIST];
    regions.nowMs = nowMs;
    regions.poolBase = (ints[slot + MODEL] * TIERS + ints[slot + TIER]) * this.#regionCount;
    regions.preference = order;
    regions.residency = list === -1 ? undefined : this.#names.residency(list).allowed;
    const region = this.#regionRouter.route(this.#viewOf(slot), regions, nowMs);
    if (region === -1) {
      this.#rejectedNoRegion++;
      this.#reject(slot, nowMs);
      return;
    }
    if (!(
      Number.isInteger(region) &&
      region >= 0 &&
      region < regions.count &&
      regions.hosts(region) &&
      regions.allowed(region)
    )) {
      throw new PolicyContractError(
        `region router "${this.#regionRouter.name}"`,
        Number.isInteger(region) && region >= 0 && region < regions.count
          ? `chose region ${regions.regionId(region)}, which may not serve the request`
          : `answered with ${answered(region)}`,
        'route() returns the index of a region that hosts the model and that the request may go to, or -1 where ' +
          'there is none.',
      );
    }
    ints[slot + SERVED] = region;
    const origin = ints[slot + ORIGIN];
    if (region !== origin) this.#servedAway++;
    const delayMs = this.#delayMs[origin * this.#regionCount + region];
    if (delayMs > 0) this.#transit.push(nowMs + delayMs, doubles[slot + SEQUENCE], slot);
    else this.#reachPool(slot, this.#poolOfRequest(slot), nowMs);
  }

  #poolOfRequest(slot: number): number {
    const ints = this.#requests.ints;
    return this.#poolAt[(ints[slot + MODEL] * TIERS + ints[slot + TIER]) * this.#regionCount + ints[slot + SERVED]];
  }

  /** The pool itself, or the one that the overflow policy prefers to it. */
  #withOverflow(slot: number, pool: number, nowMs: number): number {
    const ints = this.#requests.ints;
    const other =
      this.#topology.overflowAt[
        (ints[slot + MODEL] * TIERS + ints[slot + TIER]) * this.#regionCount + this.#topology.regionOfPool[pool]
      ];
    if (other === -1) return pool;
    const { overflow } = this.#config.policies;
    const home = this.#loadView;
    const there = this.#otherLoadView;
    home.pool = pool;
    there.pool = other;
    home.nowMs = there.nowMs = nowMs;
    const answer = overflow.overflows(this.#viewOf(slot), home, there, nowMs);
    const broken = overflowBreach(answer, home, there);
    if (broken !== undefined)
      throw new PolicyContractError(`overflow policy "${overflow.name}"`, broken, OVERFLOW_CONTRACT);
    return answer ? other : pool;
  }

  #reachPool(slot: number, first: number, nowMs: number): void {
    const pool = this.#withOverflow(slot, first, nowMs);
    if (this.#fleet.isDown(this.#topology.regionOfPool[pool])) {
      this.#reroute([slot], nowMs);
      return;
    }
    this.#arrivedInPool[pool]++;
    this.#tokensInPool[pool] += this.#requests.doubles[slot + PROMPT];
    const queue = this.#poolQueues[pool];
    if (queue.size > 0 || !this.#dispatch(slot, pool, nowMs))
      queue.push(this.#requests.doubles[slot + SEQUENCE], 0, slot);
  }

  /** Hands a request to an instance of its pool; false where it has to wait. */
  #dispatch(slot: number, pool: number, nowMs: number): boolean {
    const members = this.#fleet.members[pool];
    const view = this.#instanceView;
    view.members = members;
    view.key = this.#topology.names[pool];
    view.nowMs = nowMs;
    this.#laggedView?.show(pool);
    const choice = this.#instanceRouter.route(this.#viewOf(slot), view, nowMs);
    if (choice === -1) return false;
    if (!(Number.isInteger(choice) && choice >= 0 && choice < members.length))
      throw new PolicyContractError(
        `instance router "${this.#instanceRouter.name}"`,
        `answered with ${answered(choice)} where there are ${members.length} instances`,
        'route() returns the index of a ready instance, or -1 to let the request wait.',
      );
    let instance = members[choice];
    const doubles = this.#requests.doubles;
    const tokens = doubles[slot + PROMPT] + doubles[slot + OUTPUT];
    if (tokens > this.#engine.kvCapacity(instance)) {
      instance = this.#leastLoadedThatHolds(members, tokens);
      if (instance === -1) {
        this.#rejectedTooLong++;
        this.#reject(slot, nowMs);
        return true;
      }
    }
    if (this.#engine.isIdle(instance)) this.#fleet.onBusy(instance, nowMs);
    this.#lag?.begin(slot, instance, doubles[slot + PROMPT], nowMs);
    this.#engine.assign(instance, slot, nowMs);
    return true;
  }

  /**
   * In a pool of several SKUs: the instance with the fewest outstanding tokens among those whose KV
   * memory could hold the whole request, or −1.
   */
  #leastLoadedThatHolds(members: readonly number[], tokens: number): number {
    let best = -1;
    for (const instance of members) {
      if (this.#engine.kvCapacity(instance) < tokens) continue;
      if (best === -1 || this.#engine.outstandingTokens[instance] < this.#engine.outstandingTokens[best])
        best = instance;
    }
    return best;
  }

  #drainPoolQueue(pool: number, nowMs: number): void {
    const queue = this.#poolQueues[pool];
    while (queue.size > 0 && this.#dispatch(queue.topSlot(), pool, nowMs)) queue.pop();
  }

  /**
   * Asks the release policy how much held work a pool gets now, and sends it there. In a region
   * that is down work stays held: its time may come.
   */
  #releaseTo(pool: number, nowMs: number): void {
    const model = this.#topology.modelOfPool[pool];
    const region = this.#topology.regionOfPool[pool];
    if (this.#fleet.isDown(region)) return;
    this.#heldView.queues = this.#held.queues(model, region);
    this.#loadView.pool = pool;
    this.#loadView.nowMs = nowMs;
    let count = this.#release.release(this.#heldView, this.#loadView, nowMs);
    if (!(Number.isInteger(count) && count >= 0))
      throw new PolicyContractError(
        `release policy "${this.#release.name}"`,
        `answered with ${answered(count)}`,
        'release() returns a whole number of 0 or more.',
      );
    if (count > 0) this.#lag?.views.released(this.#topology.names[pool], count);
    for (; count > 0; count--) {
      const slot = this.#held.take(this.#requests, model, region);
      if (slot === -1) return;
      const list = this.#requests.ints[slot + REGION_LIST];
      // Routed as if it came from the region that has room, so that a full region still passes it
      // on.
      this.#routeRegion(
        slot,
        list === -1 ? this.#orderFrom[region] : this.#names.residency(list).orderFrom[region],
        nowMs,
      );
    }
  }

  onComplete(slot: number, instance: number, nowMs: number): void {
    const { doubles, ints } = this.#requests;
    const output = doubles[slot + OUTPUT];
    this.#lag?.end(slot, nowMs);
    this.#ended++;
    this.#endedAtMs = nowMs;
    const pool = this.#topology.poolOfEndpoint[this.#fleet.endpointOf[instance]];
    this.#completedInPool[pool]++;
    this.#tokensInPool[pool] += output;
    const model = ints[slot + MODEL];
    const cell = model * this.#regionCount + ints[slot + ORIGIN];
    const tier = ints[slot + TIER];
    if (tier !== TIER_NON_INTERACTIVE) this.#demand.complete(cell, output);
    else this.#demand.defer(model, output);
    this.#metrics.complete(
      cell,
      tier,
      doubles[slot + ARRIVED_AT],
      doubles[slot + FIRST_TOKEN_AT],
      nowMs,
      output,
      doubles[slot + DEADLINE_AT],
    );
    this.#options.onRequestEnd?.(this.#requests, slot, 'completed', nowMs);
  }

  onSettled(instance: number, completions: number, nowMs: number): void {
    const pool = this.#topology.poolOfEndpoint[this.#fleet.endpointOf[instance]];
    if (this.#engine.isIdle(instance)) this.#fleet.onIdle(instance, nowMs);
    if (completions === 0) return;
    if (this.#poolQueues[pool].size > 0) this.#drainPoolQueue(pool, nowMs);
    const model = this.#topology.modelOfPool[pool];
    for (let n = 0; n < completions && this.#held.count[model] > 0 && this.#servesHeld(pool); n++)
      this.#releaseTo(pool, nowMs);
  }

  #servesHeld(pool: number): boolean {
    const topology = this.#topology;
    return (
      this.#poolAt[
        (topology.modelOfPool[pool] * TIERS + TIER_NON_INTERACTIVE) * this.#regionCount + topology.regionOfPool[pool]
      ] === pool
    );
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
      if (this.#held.count[this.#topology.modelOfPool[pool]] > 0 && this.#servesHeld(pool))
        this.#releaseTo(pool, nowMs);
    }
    if (this.#loop !== undefined || this.#incidents.lastSeen !== undefined) return;
    const { scaling } = this.#config.policies;
    const fleet = this.#seen(nowMs);
    if (fleet === undefined) return;
    const decisions = scaling.decide(fleet, undefined, nowMs);
    const breach = scalingBreach(decisions, fleet);
    if (breach !== undefined)
      throw new PolicyContractError(`scaling policy "${scaling.name}"`, breach, SCALING_CONTRACT);
    for (const decision of decisions) this.#applyDecision(decision);
  }

  /**
   * The fleet as its host sees it: as it is, or as late as telemetry is; `undefined` where nothing
   * was read.
   */
  #seen(nowMs: number): FleetSnapshot | undefined {
    const frozen = this.#incidents.lastSeen;
    if (frozen !== undefined) return frozen;
    return this.#lag === undefined ? this.#telemetry.snapshot(nowMs) : this.#lag.snapshot(nowMs);
  }

  #sample(nowMs: number): void {
    this.#telemetry.observeDemand(this.#tokensInPool);
    this.#tokensInPool.fill(0);
    this.#demand.minute(nowMs, this.#incidents.lastSeen === undefined);
    if (this.#options.audit === true) this.#audit();
    if (this.#options.onSample !== undefined && this.#counted === undefined) {
      for (const [e, endpoint] of this.#telemetry.snapshot(nowMs).endpoints.entries()) {
        const pool = this.#topology.poolOfEndpoint[e];
        this.#options.onSample({
          timeMs: nowMs,
          endpointId: endpoint.endpointId,
          readyInstances: endpoint.readyInstances!,
          provisioningInstances: endpoint.provisioningInstances!,
          drainingInstances: endpoint.drainingInstances!,
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
    const { doubles, ints } = this.#requests;
    const view = this.#requestView;
    const sequence = doubles[slot + SEQUENCE];
    // One request is asked about several times in a row: by region, by instance, by queue.
    if (view.sequence === sequence) return view;
    view.sequence = sequence;
    view.requestId = doubles[slot + REQUEST_ID];
    view.modelId = this.#config.models[ints[slot + MODEL]];
    view.tier = WORKLOAD_TIERS[ints[slot + TIER]];
    view.originRegion = ints[slot + ORIGIN];
    view.arrivedAtMs = doubles[slot + ARRIVED_AT];
    view.deadlineAtMs = doubles[slot + DEADLINE_AT];
    view.promptTokens = doubles[slot + PROMPT];
    view.maxOutputTokens = this.#config.maxOutputTokens;
    return view;
  }

  /**
   * Throws where requests, instances, GPUs or KV memory are not conserved, or an instance idles
   * with work.
   */
  #audit(): void {
    const inInstances = auditInstances(this.#fleet, this.#engine, this.#topology.pools, this.#nowMs);
    let waiting = this.#transit.size;
    for (const queue of this.#poolQueues) waiting += queue.size;
    for (const count of this.#held.count) waiting += count;
    if (this.#live !== inInstances + waiting)
      throw new InvariantError(`${this.#live} requests are live, ${inInstances} in instances and ${waiting} waiting`);
    if (this.#sequence !== this.#ended + this.#live)
      throw new InvariantError(`${this.#sequence} requests arrived, ${this.#ended} ended and ${this.#live} are live`);
  }

  #result(): SimulationResult {
    const counted = this.#counted!;
    return {
      durationMs: counted.durationMs,
      endedAtMs: Math.max(this.#endedAtMs, this.#lastArrivalMs),
      ...countRequests(this.#config, this.#metrics, counted.durationMs),
      rejectedNoRegion: this.#rejectedNoRegion,
      rejectedTooLong: this.#rejectedTooLong,
      inFlightAtDurationEnd: counted.inFlight,
      servedAway: this.#servedAway,
      rerouted: this.#rerouted,
      capacity: counted.capacity,
      spotGpuHours: counted.spotGpuHours,
      endpoints: counted.endpoints,
      actions: counted.actions,
      preemptions: this.#engine.preemptions,
      iterations: this.#engine.iterations,
    };
  }
}

const allowAll = (): boolean => true;
