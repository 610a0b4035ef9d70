import {
  type IndexedMinHeap,
  InvariantError,
  type RequestView,
  TIER_NON_INTERACTIVE,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import type { RequestBatch, TraceDictionaries } from '@sageserve/trace';
import { type DispatchHost, Dispatcher, type Rejection } from '@sageserve/views';
import { auditInstances, auditRequests } from './audit-instances.js';
import { instanceSlots, type ResolvedConfig } from './config.js';
import { Fleet } from './fleet.js';
import { FleetTelemetry } from './fleet-telemetry.js';
import { HeldPools } from './held-pools.js';
import { HeldRequests } from './held-requests.js';
import { slowMsOf } from './engine-options.js';
import { type EngineListener, InstanceEngine } from './instance-engine.js';
import { LaggedTelemetry } from './lagged-telemetry.js';
import { LaggedInstanceView, LaggedLoadView, LaggedRegionView } from './lagged-views.js';
import { isServable } from './left-work.js';
import { RequestAccount } from './request-account.js';
import {
  ARRIVED_AT,
  ATTEMPT,
  DEADLINE_AT,
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
import type { SimulationObserver } from './results.js';
import { SlotHeap } from './slot-heap.js';
import { createTopology, type Topology } from './topology.js';
import { TraceNames } from './trace-names.js';
import { MutableRequestView, SimHeldView, SimInstanceView, SimLoadView, SimRegionView } from './views.js';

const TIERS = WORKLOAD_TIERS.length;
/** Columns hold tokens as 32-bit integers. */
const MAX_TOKENS = 0x7fffffff;

/**
 * The simulated fleet as what a dispatcher stands on: requests are slots of the table, pools are
 * positions in the topology. Also hears of the engine what has ended.
 */
export class SimDispatchHost implements DispatchHost<number, number>, EngineListener {
  readonly topology: Topology;
  readonly requests = new RequestTable();
  readonly engine: InstanceEngine;
  readonly fleet: Fleet;
  readonly telemetry: FleetTelemetry;
  /** How the fleet is seen late; `undefined` where what is seen is what is. */
  readonly lag: LaggedTelemetry | undefined;
  readonly account: RequestAccount;
  readonly dispatcher: Dispatcher<number, number>;
  /**
   * Requests that are held back: not in the table, so that those in service lie close together
   * however long the backlog is.
   */
  readonly heldRequests: HeldRequests;
  /** Requests on their way to a region, by time of arrival there. */
  readonly transit = new SlotHeap();
  /** Requests that no instance takes yet, by pool. */
  readonly poolQueues: readonly SlotHeap[];
  readonly pools: readonly number[];
  /** Requests that have arrived. */
  sequence = 0;
  readonly #config: ResolvedConfig;
  readonly #names: TraceNames;
  readonly #observer: SimulationObserver;
  readonly #requestView: MutableRequestView;
  readonly #regionView: SimRegionView;
  readonly #instanceView: SimInstanceView;
  readonly #laggedView: LaggedInstanceView | undefined;
  readonly #heldView = new SimHeldView();
  readonly #loadViews: readonly SimLoadView[];
  readonly #regionCount: number;
  readonly #poolAt: Int32Array;
  readonly #orderFrom: readonly Int32Array[];
  /** Time from origin to the queue of a serving region, by origin × region. */
  readonly #delayMs: Float64Array;
  readonly #defaultDeadlineMs: Float64Array;
  /** Whether any pool has a second one beside it. */
  readonly #hasOther: boolean;
  /** Model whose held requests a pool takes, −1 for none. */
  readonly #heldModel: Int32Array;
  readonly #heldPools: HeldPools;

  constructor(
    config: ResolvedConfig,
    dictionaries: TraceDictionaries,
    events: IndexedMinHeap,
    observer: SimulationObserver,
  ) {
    const topology = createTopology(config);
    this.topology = topology;
    this.#config = config;
    this.#observer = observer;
    this.#requestView = new MutableRequestView(config.maxOutputTokens);
    this.#names = new TraceNames(config, dictionaries);
    this.#heldPools = new HeldPools(topology, this.#names, config.models.length, config.regions.length);
    this.#regionCount = config.regions.length;
    this.#poolAt = topology.poolAt;
    this.#orderFrom = topology.byDistance;
    this.#delayMs = Float64Array.from(
      config.networkRttMs.flatMap((row) => row.map((rttMs) => config.endpointDelayMs + rttMs)),
    );
    this.#defaultDeadlineMs = Float64Array.from(WORKLOAD_TIERS, (tier) => config.objectives[tier].defaultDeadlineMs);
    this.pools = Array.from({ length: topology.pools }, (_, pool) => pool);
    this.#heldModel = Int32Array.from(this.pools, (pool) => {
      const model = topology.modelOfPool[pool];
      return this.#poolOf(model, TIER_NON_INTERACTIVE, topology.regionOfPool[pool]) === pool ? model : -1;
    });
    this.#hasOther = topology.overflowAt.some((other) => other !== -1);
    const limit = instanceSlots(config);
    this.engine = new InstanceEngine({
      instances: limit,
      pools: topology.pools,
      options: config.engine,
      requests: this.requests,
      events,
      scheduler: config.policies.batchScheduler,
      view: (slot) => this.request(slot),
      listener: this,
      slowMs: slowMsOf(config.objectives),
    });
    this.fleet = new Fleet(config, topology, this.engine, limit);
    this.account = new RequestAccount(config, topology.pools, this.requests);
    this.heldRequests = new HeldRequests(config.models.length, config.regions.length);
    this.poolQueues = this.pools.map(() => new SlotHeap());
    this.telemetry = new FleetTelemetry(
      config,
      topology,
      this.engine,
      this.fleet,
      this.poolQueues,
      this.heldRequests,
      this.account.demand,
    );
    const seen = [config, topology, this.engine, this.fleet] as const;
    if (config.telemetry === undefined) {
      this.#regionView = new SimRegionView(...seen);
      this.#instanceView = new SimInstanceView(this.engine);
      this.#loadViews = this.pools.map((pool) => new SimLoadView(pool, ...seen));
    } else {
      const lag = new LaggedTelemetry(config.telemetry, ...seen, this.telemetry);
      this.lag = lag;
      this.#regionView = new LaggedRegionView(lag, topology.names, ...seen);
      this.#instanceView = this.#laggedView = new LaggedInstanceView(lag, this.engine);
      this.#loadViews = this.pools.map((pool) => new LaggedLoadView(lag, pool, ...seen));
    }
    this.dispatcher = new Dispatcher(this, config.policies);
  }

  /** Requests in the system now. */
  get live(): number {
    let live = this.requests.live;
    for (const count of this.heldRequests.count) live += count;
    return live;
  }

  /** Takes in a request of the trace. */
  arrive(batch: RequestBatch, i: number, nowMs: number): void {
    const slot = this.requests.allocate();
    const { doubles, ints } = this.requests;
    const model = this.#names.model(batch.model[i]);
    const origin = this.#names.region(batch.originRegion[i]);
    const tier = batch.tier[i];
    const prompt = batch.promptTokens[i];
    const output = batch.outputTokens[i];
    if (prompt < 1 || output < 1 || prompt > MAX_TOKENS || output > MAX_TOKENS) throw tokensError(batch, i);
    const deadline = batch.deadlineAtMs[i];
    doubles[slot + REQUEST_ID] = batch.requestId[i];
    doubles[slot + SEQUENCE] = this.sequence++;
    doubles[slot + ARRIVED_AT] = nowMs;
    doubles[slot + DEADLINE_AT] = deadline >= 0 ? deadline : nowMs + this.#defaultDeadlineMs[tier];
    doubles[slot + PROMPT] = prompt;
    doubles[slot + OUTPUT] = output;
    ints[slot + TIER] = tier;
    ints[slot + MODEL] = model;
    ints[slot + ORIGIN] = origin;
    ints[slot + REGION_LIST] = batch.regionList[i];
    this.account.arrived(model, origin, tier, prompt, output);
    this.dispatcher.arrive(slot, nowMs);
  }

  /** The request that has been longest on its way is there. */
  land(nowMs: number): void {
    const slot = this.transit.pop();
    this.#reach(slot, this.requests.ints[slot + SERVED], nowMs);
  }

  request(slot: number): RequestView {
    // One request is asked about several times in a row: by region, by instance, by queue.
    const view = this.#requestView;
    return view.sequence === this.requests.doubles[slot + SEQUENCE] ? view : this.#show(slot);
  }

  mayWait(slot: number): boolean {
    return this.requests.ints[slot + TIER] === TIER_NON_INTERACTIVE;
  }

  /** The true length: an instance that could not hold it would refuse it. */
  tokensNeeded(slot: number): number {
    return this.requests.doubles[slot + PROMPT] + this.requests.doubles[slot + OUTPUT];
  }

  regions(slot: number, from: number | undefined, nowMs: number): SimRegionView {
    const { ints } = this.requests;
    const view = this.#regionView;
    const list = ints[slot + REGION_LIST];
    view.nowMs = nowMs;
    view.poolBase = (ints[slot + MODEL] * TIERS + ints[slot + TIER]) * this.#regionCount;
    const first = from === undefined ? ints[slot + ORIGIN] : this.topology.regionOfPool[from];
    view.preference = this.#orderFrom[first];
    view.residency = undefined;
    if (list !== -1) this.#restrict(view, list, from === undefined ? undefined : first);
    return view;
  }

  otherPool(slot: number, home: number): number | undefined {
    if (!this.#hasOther) return undefined;
    const { ints } = this.requests;
    const other =
      this.topology.overflowAt[
        (ints[slot + MODEL] * TIERS + ints[slot + TIER]) * this.#regionCount + this.topology.regionOfPool[home]
      ];
    return other === -1 ? undefined : other;
  }

  isOpen(pool: number): boolean {
    return !this.fleet.isDown(this.topology.regionOfPool[pool]);
  }

  instances(pool: number, nowMs: number): SimInstanceView {
    const view = this.#instanceView;
    view.members = this.fleet.members[pool];
    view.key = this.topology.names[pool];
    view.nowMs = nowMs;
    this.#laggedView?.show(pool);
    return view;
  }

  load(pool: number, nowMs: number): SimLoadView {
    const view = this.#loadViews[pool];
    view.nowMs = nowMs;
    return view;
  }

  holders(slot: number): readonly number[] {
    const { ints } = this.requests;
    return this.#heldPools.of(ints[slot + MODEL], ints[slot + ORIGIN], ints[slot + REGION_LIST]);
  }

  hold(slot: number): void {
    const list = this.requests.ints[slot + REGION_LIST];
    this.heldRequests.hold(this.requests, slot, list === -1 ? undefined : this.#names.residency(list).allowed);
  }

  heldCount(pool: number): number {
    const model = this.#heldModel[pool];
    return model === -1 ? 0 : this.heldRequests.count[model];
  }

  held(pool: number): SimHeldView {
    this.#heldView.queues = this.heldRequests.queues(this.topology.modelOfPool[pool], this.topology.regionOfPool[pool]);
    return this.#heldView;
  }

  takeHeld(pool: number): number | undefined {
    const slot = this.heldRequests.take(
      this.requests,
      this.topology.modelOfPool[pool],
      this.topology.regionOfPool[pool],
    );
    return slot === -1 ? undefined : slot;
  }

  firstWaiting(pool: number): number | undefined {
    const queue = this.poolQueues[pool];
    return queue.size > 0 ? queue.topSlot() : undefined;
  }

  wait(slot: number, pool: number): void {
    this.poolQueues[pool].push(this.requests.doubles[slot + SEQUENCE], 0, slot);
  }

  stopWaiting(pool: number): void {
    this.poolQueues[pool].pop();
  }

  send(slot: number, region: number, nowMs: number): void {
    const { doubles, ints } = this.requests;
    const origin = ints[slot + ORIGIN];
    ints[slot + SERVED] = region;
    if (region !== origin) this.account.servedAway++;
    const delayMs = this.#delayMs[origin * this.#regionCount + region];
    if (delayMs > 0) this.transit.push(nowMs + delayMs, doubles[slot + SEQUENCE], slot);
    else this.#reach(slot, region, nowMs);
  }

  reached(slot: number, pool: number): void {
    this.account.reached(slot, pool);
  }

  assign(slot: number, pool: number, choice: number, nowMs: number): void {
    const instance = this.fleet.members[pool][choice];
    if (this.engine.isIdle(instance)) this.fleet.onBusy(instance, nowMs);
    this.lag?.begin(slot, instance, this.requests.doubles[slot + PROMPT], nowMs);
    this.engine.assign(instance, slot, nowMs);
  }

  released(pool: number, count: number): void {
    this.lag?.views.released(this.topology.names[pool], count);
  }

  restart(slot: number, nowMs: number): void {
    const requests = this.requests;
    this.account.rerouted++;
    this.lag?.end(slot, nowMs);
    requests.restart(slot);
    // What the view shows is of the attempt before.
    this.#requestView.sequence = -1;
    if (requests.servedRegion[slot] !== requests.originRegion[slot]) this.account.servedAway--;
    requests.servedRegion[slot] = -1;
  }

  reject(slot: number, why: Rejection, nowMs: number): void {
    const { ints } = this.requests;
    const list = ints[slot + REGION_LIST];
    const allowed = list === -1 ? undefined : this.#names.residency(list).allowed;
    const servable = isServable(this.#config, ints[slot + MODEL], this.tokensNeeded(slot), allowed);
    this.account.rejected(slot, why, servable, nowMs);
    this.#observer.onRequestEnd?.(this.requests, slot, 'rejected', nowMs);
    this.requests.free(slot);
  }

  /** A simulation of a policy that breaks its contract says nothing of the policy. */
  breach(error: Error): never {
    throw error;
  }

  onComplete(slot: number, instance: number, nowMs: number): void {
    this.lag?.end(slot, nowMs);
    this.account.completed(slot, this.#poolOfInstance(instance), nowMs);
    this.#observer.onRequestEnd?.(this.requests, slot, 'completed', nowMs);
  }

  onSettled(instance: number, completions: number, nowMs: number): void {
    // Known before an instance that drains ends.
    const pool = this.#poolOfInstance(instance);
    if (this.engine.isIdle(instance)) this.fleet.onIdle(instance, nowMs);
    if (completions > 0) this.dispatcher.completed(pool, completions, nowMs);
  }

  /**
   * Throws where requests, instances, GPUs or KV memory are not conserved, or an instance idles
   * with work.
   */
  audit(nowMs: number): void {
    auditRequests(this, auditInstances(this.fleet, this.engine, this.topology.pools, nowMs));
  }

  #show(slot: number): RequestView {
    const { doubles, ints } = this.requests;
    const view = this.#requestView;
    view.sequence = doubles[slot + SEQUENCE];
    view.requestId = doubles[slot + REQUEST_ID];
    view.modelId = this.#config.models[ints[slot + MODEL]];
    view.tier = WORKLOAD_TIERS[ints[slot + TIER]];
    view.originRegion = ints[slot + ORIGIN];
    view.arrivedAtMs = doubles[slot + ARRIVED_AT];
    view.deadlineAtMs = doubles[slot + DEADLINE_AT];
    view.promptTokens = doubles[slot + PROMPT];
    view.attempt = ints[slot + ATTEMPT];
    return view;
  }

  #reach(slot: number, region: number, nowMs: number): void {
    const { ints } = this.requests;
    this.dispatcher.reach(slot, this.#poolOf(ints[slot + MODEL], ints[slot + TIER], region), nowMs);
  }

  #restrict(view: SimRegionView, list: number, first: number | undefined): void {
    const { allowed, order, orderFrom } = this.#names.residency(list);
    view.preference = first === undefined ? order : orderFrom[first];
    view.residency = allowed;
  }

  #poolOf(model: number, tier: number, region: number): number {
    return this.#poolAt[(model * TIERS + tier) * this.#regionCount + region];
  }

  #poolOfInstance(instance: number): number {
    return this.topology.poolOfEndpoint[this.fleet.endpointOf[instance]];
  }
}

function tokensError({ requestId, promptTokens, outputTokens }: RequestBatch, i: number): InvariantError {
  return new InvariantError(
    `request ${requestId[i]} has ${promptTokens[i]} prompt and ${outputTokens[i]} output tokens; both must be from 1 ` +
      `to ${MAX_TOKENS}`,
  );
}
