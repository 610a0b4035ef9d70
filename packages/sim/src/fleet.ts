import { type IndexedMinHeap, type ProvisioningDelay, type ScalingDecision } from '@sageserve/core';
import { ACQUISITION_WAYS, type HeldTime } from '@sageserve/metrics';
import { Acquisition } from './acquisition.js';
import type { ResolvedConfig } from './config.js';
import { EndpointHours } from './endpoint-hours.js';
import { auditFleet } from './fleet-audit.js';
import { GpuHosts } from './gpu-hosts.js';
import { noActions } from './fleet-actions.js';
import type { InstanceEngine } from './instance-engine.js';
import { DRAINING, FREE, InstanceTable, PROVISIONING, READY } from './instance-table.js';
import { ProvisioningDelays } from './provisioning-delays.js';
import { Reversals } from './reversals.js';
import type { Topology } from './topology.js';
import { Victims } from './victims.js';

const INITIAL = ACQUISITION_WAYS.indexOf('initial');

/**
 * Instances and their states: they are asked for, become ready, drain and go. How one is had and
 * who is given up is asked of policies; GPUs and donated instances are kept in {@link GpuHosts}.
 */
export class Fleet {
  readonly state: Uint8Array;
  readonly endpointOf: Int32Array;
  /** Ready instances of each pool in order of their becoming ready. */
  readonly members: number[][];
  readonly actions = noActions();
  /** When each provisioning instance becomes ready. */
  readonly becomingReady: IndexedMinHeap;
  /** KV capacity over the ready instances of each pool. */
  readonly poolKvCapacity: Float64Array;
  readonly ready: Int32Array;
  readonly provisioning: Int32Array;
  readonly draining: Int32Array;

  readonly #config: ResolvedConfig;
  readonly #topology: Topology;
  readonly #engine: InstanceEngine;
  readonly #table: InstanceTable;
  readonly #hours: EndpointHours;
  readonly #delays: ProvisioningDelays;
  readonly #hosts: GpuHosts;
  readonly #acquisition: Acquisition;
  readonly #victims: Victims;
  /** Outages of each region that are not over: they may overlap. */
  readonly #regionOutages: Int32Array;
  /** 1 for an endpoint whose last act ended where the acquisition policy took no way. */
  readonly #tookNone: Uint8Array;
  readonly #reversals: Reversals;

  constructor(config: ResolvedConfig, topology: Topology, engine: InstanceEngine, limit: number) {
    const { endpoints, regions } = config;
    this.#config = config;
    this.#topology = topology;
    this.#engine = engine;
    this.#table = new InstanceTable(limit);
    this.state = this.#table.state;
    this.endpointOf = this.#table.endpointOf;
    this.becomingReady = this.#table.becomingReady;
    this.members = Array.from({ length: topology.pools }, () => []);
    this.poolKvCapacity = new Float64Array(topology.pools);
    this.ready = new Int32Array(endpoints.length);
    this.provisioning = new Int32Array(endpoints.length);
    this.draining = new Int32Array(endpoints.length);
    this.#hours = new EndpointHours(endpoints.length);
    this.#delays = new ProvisioningDelays(endpoints.length);
    this.#hosts = new GpuHosts(config);
    this.#acquisition = new Acquisition(config, this.#hosts);
    this.#victims = new Victims(config, topology, engine, this.#table);
    this.#regionOutages = new Int32Array(regions.length);
    this.#tookNone = new Uint8Array(endpoints.length);
    this.#reversals = new Reversals(endpoints.length);
    for (const [e, spec] of endpoints.entries()) {
      for (let n = 0; n < spec.initialInstances; n++) {
        const instance = this.#table.take(e, INITIAL, -1, 0);
        this.actions.acquiredByWay.initial++;
        this.#hosts.hold(e);
        this.#makeReady(instance, 0);
      }
      for (let n = 0; n < (spec.initialSpotInstances ?? 0); n++) {
        this.#hosts.hold(e);
        this.#hosts.donate(e, this.#hosts.modelOf[e], 0);
      }
    }
  }

  /**
   * Brings an endpoint to `decision.targetInstances`, ready and provisioning together. Returns the
   * ready instances that it gained at once.
   */
  apply(endpoint: number, decision: Pick<ScalingDecision, 'targetInstances'>, nowMs: number): number {
    const spec = this.#config.endpoints[endpoint];
    const target = Math.min(spec.maxInstances, Math.max(spec.minInstances, Math.floor(decision.targetInstances)));
    const before = this.ready[endpoint] + this.provisioning[endpoint];
    const { resumed } = this.actions;
    this.#tookNone[endpoint] = 0;
    let planned = before;
    while (planned < target) {
      if (!this.#acquire(endpoint, nowMs)) {
        this.actions.refused += target - planned;
        break;
      }
      planned++;
    }
    if (planned > before) {
      this.actions.scaleOut++;
      this.actions.reversals += this.#reversals.scaledOut(endpoint, planned - before, nowMs);
    }
    if (target < before) {
      this.actions.scaleIn++;
      this.#reversals.scaledIn(endpoint, before - target, nowMs);
      this.#victims.survey(endpoint, before - target, nowMs);
      for (; planned > target; planned--) this.#giveUp(this.#victims.next(), nowMs);
    }
    return this.actions.resumed - resumed;
  }

  /**
   * An instance's place in the order in which all were asked for: a name that is not used again.
   */
  orderOf(instance: number): number {
    return this.#table.order[instance];
  }

  /** Whether an endpoint's last act fell short because the acquisition policy took no way. */
  tookNone(endpoint: number): boolean {
    return this.#tookNone[endpoint] === 1;
  }

  /** The instance whose provisioning ends at `nowMs` joins its pool; returns the pool. */
  finishProvisioning(instance: number, nowMs: number): number {
    const endpoint = this.endpointOf[instance];
    this.#endProvisioning(instance, nowMs);
    this.#delays.add(endpoint, this.#table.way[instance], nowMs - this.#table.requestedAtMs[instance]);
    this.#makeReady(instance, nowMs);
    return this.#topology.poolOfEndpoint[endpoint];
  }

  /**
   * To be called when an instance has run out of work: a draining one is donated to the spot pool.
   */
  onIdle(instance: number, nowMs: number): void {
    this.#hours.busy(this.endpointOf[instance], -1, nowMs);
    if (this.state[instance] === DRAINING) this.#donate(instance, nowMs);
  }

  /** To be called when an idle instance gets work. */
  onBusy(instance: number, nowMs: number): void {
    this.#hours.busy(this.endpointOf[instance], 1, nowMs);
  }

  heldTime(endpoint: number, nowMs: number): HeldTime {
    return {
      gpusPerInstance: this.#config.endpoints[endpoint].gpusPerInstance,
      usdPerGpuHour: this.#hosts.skuOf(endpoint).usdPerGpuHour,
      ...this.#hours.until(endpoint, nowMs),
    };
  }

  /** GPU-milliseconds that a region's donated instances of one SKU earned as spot. */
  spotGpuMs(region: number, sku: number, nowMs: number): number {
    return this.#hosts.spot.gpuMs(this.#hosts.cell(region, sku), nowMs);
  }

  /** The longest of an endpoint's last few provisioning delays; undefined before the first. */
  measuredDelayMs(endpoint: number): number | undefined {
    return this.#delays.longestMs(endpoint);
  }

  /** An endpoint's last provisioning delays, apart for each way that was gone. */
  measuredDelays(endpoint: number): readonly ProvisioningDelay[] {
    return this.#delays.byWay(endpoint);
  }

  isDown(region: number): boolean {
    return this.#regionOutages[region] > 0;
  }

  /**
   * An outage of a region is over: with the last one it is back, empty and open to new instances.
   */
  restoreRegion(region: number): void {
    this.#regionOutages[region]--;
  }

  /** A region is gone with all that it holds; returns the requests that its instances had. */
  loseRegion(region: number, nowMs: number): number[] {
    this.#regionOutages[region]++;
    const homeless: number[] = [];
    for (let i = 0; i < this.state.length; i++) {
      if (this.state[i] !== FREE && this.#hosts.regionOf[this.endpointOf[i]] === region)
        for (const slot of this.lose(i, nowMs)) homeless.push(slot);
    }
    for (let k = 0; k < this.#config.skus.length; k++) this.loseSpot(region, k, Infinity, nowMs);
    return homeless;
  }

  /** Takes away up to `count` donated instances of a region and SKU. */
  loseSpot(region: number, sku: number, count: number, nowMs: number): void {
    this.actions.lost += this.#hosts.loseSpot(region, sku, count, nowMs);
  }

  /**
   * Ready instances of a region and SKU on notice: those with the least work first. They drain from
   * now on; returns them.
   */
  notice(region: number, sku: number, count: number, nowMs: number): number[] {
    const cell = this.#hosts.cell(region, sku);
    const ready: number[] = [];
    for (let i = 0; i < this.state.length; i++)
      if (this.state[i] === READY && this.#hosts.cellOf(this.endpointOf[i]) === cell) ready.push(i);
    ready.sort((a, b) => this.#engine.outstandingTokens[a] - this.#engine.outstandingTokens[b] || a - b);
    const victims = ready.slice(0, count);
    for (const instance of victims) {
      this.#table.evicted[instance] = 1;
      this.#drain(instance, nowMs);
    }
    return victims;
  }

  /** Whether an instance that was put on notice is still there. */
  awaitsEviction(instance: number): boolean {
    return this.#table.evicted[instance] === 1;
  }

  /**
   * An instance is gone at once, in whatever state; returns the requests that it had. Its host goes
   * back to the cloud.
   */
  lose(instance: number, nowMs: number): number[] {
    const endpoint = this.endpointOf[instance];
    const state = this.state[instance];
    let homeless: number[] = [];
    if (state === PROVISIONING) this.#endProvisioning(instance, nowMs);
    else {
      if (!this.#engine.isIdle(instance)) this.#hours.busy(endpoint, -1, nowMs);
      if (state === READY) this.#leave(instance, nowMs);
      else this.#endDraining(endpoint, nowMs);
      homeless = this.#engine.takeAll(instance);
    }
    this.#hosts.giveBack(endpoint);
    this.actions.lost++;
    this.#table.release(instance);
    return homeless;
  }

  /** GPUs held in a region by endpoints, draining and spot instances. */
  gpusInUse(region: number, sku: number): number {
    return this.#hosts.inUse[this.#hosts.cell(region, sku)];
  }

  /** Donated instances by model. */
  spotInstances(region: number, sku: number): ReadonlyMap<number, number> {
    return this.#hosts.spot.byModel(this.#hosts.cell(region, sku));
  }

  /** Throws where instances or GPUs are not conserved. */
  audit(): void {
    auditFleet(this.#config, this.#table, this.#hosts, this);
  }

  /** An endpoint has one more instance, ready or coming; false where it can't or is not to. */
  #acquire(endpoint: number, nowMs: number): boolean {
    const draining = this.#resumable(endpoint);
    // What drains stays within the endpoint's slots, also where the policy does not put it back.
    const held = this.ready[endpoint] + this.provisioning[endpoint] + draining.count;
    const more = held < this.#config.endpoints[endpoint].maxInstances && !this.isDown(this.#hosts.regionOf[endpoint]);
    if (!this.#acquisition.survey(endpoint, draining.count, more)) return false;
    const choice = this.#acquisition.choose(nowMs);
    if (choice === -1) {
      this.#tookNone[endpoint] = 1;
      return false;
    }
    if (this.#acquisition.kind(choice) === 'resume') {
      this.#endDraining(endpoint, nowMs);
      this.#join(draining.busiest, endpoint, nowMs);
      this.actions.resumed++;
      return true;
    }
    const { way, previousModel, delayMs } = this.#acquisition.take(choice, nowMs);
    const instance = this.#table.take(endpoint, way, previousModel, nowMs);
    this.actions.acquiredByWay[ACQUISITION_WAYS[way]]++;
    this.provisioning[endpoint]++;
    this.#hours.provisioning(endpoint, way, 1, nowMs);
    this.becomingReady.set(instance, nowMs + delayMs);
    return true;
  }

  /** Draining instances that can be put back: how many, and the one with the most to do. */
  #resumable(endpoint: number): { readonly count: number; readonly busiest: number } {
    let count = 0;
    let busiest = -1;
    if (this.draining[endpoint] === 0) return { count, busiest };
    const { outstandingTokens } = this.#engine;
    for (let i = 0; i < this.state.length; i++) {
      if (this.endpointOf[i] !== endpoint || this.state[i] !== DRAINING || this.awaitsEviction(i)) continue;
      count++;
      if (busiest === -1 || outstandingTokens[i] > outstandingTokens[busiest]) busiest = i;
    }
    return { count, busiest };
  }

  #giveUp(instance: number, nowMs: number): void {
    if (this.state[instance] === READY) {
      this.#drain(instance, nowMs);
      return;
    }
    const endpoint = this.endpointOf[instance];
    this.#endProvisioning(instance, nowMs);
    this.actions.cancelled++;
    const previous = this.#table.previousModel[instance];
    if (previous === -1) this.#hosts.giveBack(endpoint);
    else this.#hosts.donate(endpoint, previous, nowMs);
    this.#table.release(instance);
  }

  #makeReady(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    const { endpoints, maxBatchTokens } = this.#config;
    this.#engine.install(instance, -1, endpoints[endpoint].performance, maxBatchTokens[endpoint]);
    this.#join(instance, endpoint, nowMs);
  }

  #join(instance: number, endpoint: number, nowMs: number): void {
    const pool = this.#topology.poolOfEndpoint[endpoint];
    this.state[instance] = READY;
    this.ready[endpoint]++;
    this.#hours.ready(endpoint, 1, nowMs);
    this.#engine.setPool(instance, pool);
    this.poolKvCapacity[pool] += this.#engine.kvCapacity(instance);
    this.members[pool].push(instance);
  }

  #leave(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    const pool = this.#topology.poolOfEndpoint[endpoint];
    this.ready[endpoint]--;
    this.#hours.ready(endpoint, -1, nowMs);
    this.#engine.setPool(instance, -1);
    this.poolKvCapacity[pool] -= this.#engine.kvCapacity(instance);
    const members = this.members[pool];
    members.splice(members.indexOf(instance), 1);
  }

  #endProvisioning(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    this.becomingReady.set(instance, Infinity);
    this.provisioning[endpoint]--;
    this.#hours.provisioning(endpoint, this.#table.way[instance], -1, nowMs);
  }

  #endDraining(endpoint: number, nowMs: number): void {
    this.draining[endpoint]--;
    this.#hours.draining(endpoint, -1, nowMs);
  }

  #drain(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    this.#leave(instance, nowMs);
    this.state[instance] = DRAINING;
    this.draining[endpoint]++;
    this.#hours.draining(endpoint, 1, nowMs);
    if (this.#engine.isIdle(instance)) this.#donate(instance, nowMs);
  }

  /** A drained instance becomes spot; one whose host is being taken away is gone. */
  #donate(instance: number, nowMs: number): void {
    if (this.awaitsEviction(instance)) {
      this.lose(instance, nowMs);
      return;
    }
    const endpoint = this.endpointOf[instance];
    this.#endDraining(endpoint, nowMs);
    this.#hosts.donate(endpoint, this.#hosts.modelOf[endpoint], nowMs);
    this.#table.release(instance);
  }
}
