import { IndexedMinHeap, InvariantError, maxOf, type ProvisioningDelay, type ScalingDecision } from '@sageserve/core';
import { ACQUISITION_WAYS, type AcquisitionWay, type HeldTime, StepIntegrals } from '@sageserve/metrics';
import type { ResolvedConfig } from './config.js';
import type { InstanceEngine } from './instance-engine.js';
import { SpotPool } from './spot-pool.js';
import type { Topology } from './topology.js';

const FREE = 0;
const PROVISIONING = 1;
const READY = 2;
const DRAINING = 3;

const WAYS = ACQUISITION_WAYS.length;
/** Integrals kept for each endpoint: ready, draining, busy, then provisioning by way. */
const PER_ENDPOINT = 3 + WAYS;
const INITIAL = ACQUISITION_WAYS.indexOf('initial');
const RECLAIM = ACQUISITION_WAYS.indexOf('reclaim');
const REDEPLOY = ACQUISITION_WAYS.indexOf('redeploy');
const NEW_VM = ACQUISITION_WAYS.indexOf('new-vm');
/** Provisioning delays that a measured delay looks back on. */
const REMEMBERED_DELAYS = 8;
/** The same of each way: so many that nine in ten of them mean something. */
const REMEMBERED_BY_WAY = 20;

/** What the fleet did, over the run. */
export interface FleetActions {
  scaleOut: number;
  scaleIn: number;
  /** Draining instances put back to work, which costs nothing. */
  resumed: number;
  /** Provisioning given up before it was ready. */
  cancelled: number;
  acquiredByWay: Record<AcquisitionWay, number>;
  /** Instances that were wanted while the region had no GPU left for them. */
  refused: number;
  /** Instances taken away by an outage or an eviction, donated ones included. */
  lost: number;
}

/**
 * Instances and their states, the spot pool, and the GPUs that hold them. Draining and spot
 * instances keep their GPUs.
 */
export class Fleet {
  readonly state: Uint8Array;
  readonly endpointOf: Int32Array;
  /** Ready instances of each pool in order of their becoming ready. */
  readonly members: number[][];
  readonly actions: FleetActions = {
    scaleOut: 0,
    scaleIn: 0,
    resumed: 0,
    cancelled: 0,
    acquiredByWay: Object.fromEntries(ACQUISITION_WAYS.map((way) => [way, 0])) as Record<AcquisitionWay, number>,
    refused: 0,
    lost: 0,
  };
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
  readonly #regionOf: Int32Array;
  readonly #skuOf: Int32Array;
  readonly #modelOf: Int32Array;
  readonly #held: StepIntegrals;
  readonly #spot: SpotPool;
  readonly #gpusInUse: Float64Array;
  readonly #way: Uint8Array;
  /** Model whose weights the instance held before a redeployment began. */
  readonly #previousModel: Int32Array;
  readonly #startedAt: Float64Array;
  readonly #requestedAtMs: Float64Array;
  /** 1 for an instance whose host is being taken away: it drains and is not put back or donated. */
  readonly #evicted: Uint8Array;
  /** Outages of each region that are not over: they may overlap. */
  readonly #regionOutages: Int32Array;
  /** The last few provisioning delays by endpoint, oldest first. */
  readonly #delays: number[][];
  /** The last few of each way, by endpoint × way. */
  readonly #delaysByWay: number[][];
  readonly #freeSlots: number[] = [];
  #starts = 0;

  constructor(config: ResolvedConfig, topology: Topology, engine: InstanceEngine, limit: number) {
    const { endpoints, regions, skus, models } = config;
    this.#config = config;
    this.#topology = topology;
    this.#engine = engine;
    this.state = new Uint8Array(limit);
    this.endpointOf = new Int32Array(limit).fill(-1);
    this.members = Array.from({ length: topology.pools }, () => []);
    this.becomingReady = new IndexedMinHeap(limit);
    this.poolKvCapacity = new Float64Array(topology.pools);
    this.ready = new Int32Array(endpoints.length);
    this.provisioning = new Int32Array(endpoints.length);
    this.draining = new Int32Array(endpoints.length);
    this.#regionOf = Int32Array.from(endpoints, (e) => regions.indexOf(e.region));
    this.#skuOf = Int32Array.from(endpoints, (e) => skus.findIndex((sku) => sku.skuId === e.sku));
    this.#modelOf = Int32Array.from(endpoints, (e) => models.indexOf(e.model));
    this.#held = new StepIntegrals(endpoints.length * PER_ENDPOINT);
    this.#spot = new SpotPool(regions.length * skus.length);
    this.#gpusInUse = new Float64Array(regions.length * skus.length);
    this.#way = new Uint8Array(limit);
    this.#previousModel = new Int32Array(limit).fill(-1);
    this.#startedAt = new Float64Array(limit);
    this.#requestedAtMs = new Float64Array(limit);
    this.#evicted = new Uint8Array(limit);
    this.#regionOutages = new Int32Array(regions.length);
    this.#delays = endpoints.map(() => []);
    this.#delaysByWay = Array.from({ length: endpoints.length * WAYS }, () => []);
    for (let slot = limit - 1; slot >= 0; slot--) this.#freeSlots.push(slot);
    for (const [e, spec] of endpoints.entries()) {
      for (let n = 0; n < spec.initialInstances; n++) {
        const instance = this.#start(e, INITIAL, 0);
        this.#gpusInUse[this.#cell(e)] += spec.gpusPerInstance;
        this.#makeReady(instance, 0);
      }
      for (let n = 0; n < (spec.initialSpotInstances ?? 0); n++) {
        this.#gpusInUse[this.#cell(e)] += spec.gpusPerInstance;
        this.#donateTo(e, this.#modelOf[e], 0);
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
    let planned = this.ready[endpoint] + this.provisioning[endpoint];
    let gained = 0;
    const before = planned;
    if (target < planned) this.actions.scaleIn++;
    while (planned < target) {
      if (this.#resumeDraining(endpoint, nowMs)) gained++;
      else if (!this.#acquire(endpoint, nowMs)) {
        this.actions.refused += target - planned;
        break;
      }
      planned++;
    }
    if (planned > before) this.actions.scaleOut++;
    while (planned > target) {
      this.#removeOne(endpoint, nowMs);
      planned--;
    }
    return gained;
  }

  /** The instance whose provisioning ends at `nowMs` joins its pool; returns the pool. */
  finishProvisioning(instance: number, nowMs: number): number {
    const endpoint = this.endpointOf[instance];
    this.becomingReady.set(instance, Infinity);
    this.#held.add(endpoint * PER_ENDPOINT + 3 + this.#way[instance], -1, nowMs);
    this.provisioning[endpoint]--;
    const delayMs = nowMs - this.#requestedAtMs[instance];
    remember(this.#delays[endpoint], delayMs, REMEMBERED_DELAYS);
    remember(this.#delaysByWay[endpoint * WAYS + this.#way[instance]], delayMs, REMEMBERED_BY_WAY);
    this.#makeReady(instance, nowMs);
    return this.#topology.poolOfEndpoint[endpoint];
  }

  /**
   * To be called when an instance has run out of work: a draining one is donated to the spot pool.
   */
  onIdle(instance: number, nowMs: number): void {
    this.#held.add(this.endpointOf[instance] * PER_ENDPOINT + 2, -1, nowMs);
    if (this.state[instance] === DRAINING) this.#donate(instance, nowMs);
  }

  /** To be called when an idle instance gets work. */
  onBusy(instance: number, nowMs: number): void {
    this.#held.add(this.endpointOf[instance] * PER_ENDPOINT + 2, 1, nowMs);
  }

  heldTime(endpoint: number, nowMs: number): HeldTime {
    const spec = this.#config.endpoints[endpoint];
    const at = endpoint * PER_ENDPOINT;
    return {
      gpusPerInstance: spec.gpusPerInstance,
      usdPerGpuHour: this.#config.skus[this.#skuOf[endpoint]].usdPerGpuHour,
      readyMs: this.#held.integral(at, nowMs),
      drainingMs: this.#held.integral(at + 1, nowMs),
      busyMs: this.#held.integral(at + 2, nowMs),
      provisioningMs: ACQUISITION_WAYS.map((_, way) => this.#held.integral(at + 3 + way, nowMs)),
    };
  }

  /** GPU-milliseconds that a region's donated instances of one SKU earned as spot. */
  spotGpuMs(region: number, sku: number, nowMs: number): number {
    return this.#spot.gpuMs(region * this.#config.skus.length + sku, nowMs);
  }

  /** The longest of an endpoint's last few provisioning delays; undefined before the first. */
  measuredDelayMs(endpoint: number): number | undefined {
    const delays = this.#delays[endpoint];
    return delays.length === 0 ? undefined : maxOf(delays);
  }

  /** An endpoint's last provisioning delays, apart for each way that was gone. */
  measuredDelays(endpoint: number): ProvisioningDelay[] {
    return ACQUISITION_WAYS.flatMap((way, w): ProvisioningDelay[] => {
      const delays = this.#delaysByWay[endpoint * WAYS + w];
      if (way === 'initial' || delays.length === 0) return [];
      const sorted = delays.toSorted((a, b) => a - b);
      const at = (level: number): number => sorted[Math.ceil(level * sorted.length) - 1];
      return [{ way, count: sorted.length, medianMs: at(0.5), upperMs: at(0.9) }];
    });
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
      if (this.state[i] !== FREE && this.#regionOf[this.endpointOf[i]] === region)
        for (const slot of this.lose(i, nowMs)) homeless.push(slot);
    }
    for (let k = 0; k < this.#config.skus.length; k++) this.loseSpot(region, k, Infinity, nowMs);
    return homeless;
  }

  /** Takes away up to `count` donated instances of a region and SKU. */
  loseSpot(region: number, sku: number, count: number, nowMs: number): void {
    const cell = region * this.#config.skus.length + sku;
    for (const lot of this.#spot.lots(cell)) {
      while (lot.count > 0 && count > 0) {
        this.#spot.take(cell, lot, nowMs);
        this.#gpusInUse[cell] -= lot.gpus;
        this.actions.lost++;
        count--;
      }
    }
  }

  /**
   * Ready instances of a region and SKU on notice: those with the least work first. They drain from
   * now on; returns them.
   */
  notice(region: number, sku: number, count: number, nowMs: number): number[] {
    const cell = region * this.#config.skus.length + sku;
    const ready: number[] = [];
    for (let i = 0; i < this.state.length; i++)
      if (this.state[i] === READY && this.#cell(this.endpointOf[i]) === cell) ready.push(i);
    ready.sort((a, b) => this.#engine.outstandingTokens[a] - this.#engine.outstandingTokens[b] || a - b);
    const victims = ready.slice(0, count);
    for (const instance of victims) {
      this.#evicted[instance] = 1;
      this.#drain(instance, nowMs);
    }
    return victims;
  }

  /** Whether an instance that was put on notice is still there. */
  awaitsEviction(instance: number): boolean {
    return this.#evicted[instance] === 1;
  }

  /**
   * An instance is gone at once, in whatever state; returns the requests that it had. Its host goes
   * back to the cloud.
   */
  lose(instance: number, nowMs: number): number[] {
    const endpoint = this.endpointOf[instance];
    const state = this.state[instance];
    let homeless: number[] = [];
    if (state === PROVISIONING) {
      this.becomingReady.set(instance, Infinity);
      this.provisioning[endpoint]--;
      this.#held.add(endpoint * PER_ENDPOINT + 3 + this.#way[instance], -1, nowMs);
    } else {
      if (!this.#engine.isIdle(instance)) this.#held.add(endpoint * PER_ENDPOINT + 2, -1, nowMs);
      if (state === READY) this.#leave(instance, nowMs);
      else {
        this.draining[endpoint]--;
        this.#held.add(endpoint * PER_ENDPOINT + 1, -1, nowMs);
      }
      homeless = this.#engine.takeAll(instance);
    }
    this.#gpusInUse[this.#cell(endpoint)] -= this.#config.endpoints[endpoint].gpusPerInstance;
    this.actions.lost++;
    this.#release(instance);
    return homeless;
  }

  /** GPUs held in a region by endpoints, draining and spot instances. */
  gpusInUse(region: number, sku: number): number {
    return this.#gpusInUse[region * this.#config.skus.length + sku];
  }

  /** Donated instances by model. */
  spotInstances(region: number, sku: number): ReadonlyMap<number, number> {
    const byModel = new Map<number, number>();
    for (const lot of this.#spot.lots(region * this.#config.skus.length + sku))
      byModel.set(lot.model, (byModel.get(lot.model) ?? 0) + lot.count);
    return byModel;
  }

  /** Throws where instances or GPUs are not conserved. */
  audit(): void {
    const gpus = new Float64Array(this.#gpusInUse.length);
    const counts = new Int32Array(this.#config.endpoints.length * 4);
    let used = 0;
    for (let i = 0; i < this.state.length; i++) {
      if (this.state[i] === FREE) continue;
      used++;
      const e = this.endpointOf[i];
      counts[e * 4 + this.state[i]]++;
      gpus[this.#cell(e)] += this.#config.endpoints[e].gpusPerInstance;
    }
    if (used + this.#freeSlots.length !== this.state.length) throw new InvariantError('instance slots were lost');
    for (const [e] of this.#config.endpoints.entries()) {
      if (
        counts[e * 4 + READY] !== this.ready[e] ||
        counts[e * 4 + PROVISIONING] !== this.provisioning[e] ||
        counts[e * 4 + DRAINING] !== this.draining[e]
      ) {
        throw new InvariantError(`endpoint ${e} counts its instances wrongly`);
      }
    }
    for (const [cell] of gpus.entries()) {
      gpus[cell] += this.#spot.gpus(cell);
      const region = Math.floor(cell / this.#config.skus.length);
      const sku = cell % this.#config.skus.length;
      if (gpus[cell] !== this.#gpusInUse[cell])
        throw new InvariantError(
          `GPUs of ${this.#config.regions[region]} do not add up: ${gpus[cell]} against ${this.#gpusInUse[cell]}`,
        );
      if (gpus[cell] > this.#config.gpuCapacity[region][sku])
        throw new InvariantError(`${this.#config.regions[region]} holds ${gpus[cell]} GPUs, above its capacity`);
    }
  }

  #cell(endpoint: number): number {
    return this.#regionOf[endpoint] * this.#config.skus.length + this.#skuOf[endpoint];
  }

  #start(endpoint: number, way: number, nowMs: number): number {
    const instance = this.#freeSlots.pop();
    if (instance === undefined) throw new InvariantError('more instances than the endpoints may have');
    this.endpointOf[instance] = endpoint;
    this.state[instance] = PROVISIONING;
    this.#way[instance] = way;
    this.#startedAt[instance] = this.#starts++;
    this.#requestedAtMs[instance] = nowMs;
    this.actions.acquiredByWay[ACQUISITION_WAYS[way]]++;
    if (way !== INITIAL) {
      this.provisioning[endpoint]++;
      this.#held.add(endpoint * PER_ENDPOINT + 3 + way, 1, nowMs);
    }
    return instance;
  }

  #makeReady(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    const pool = this.#topology.poolOfEndpoint[endpoint];
    this.#engine.install(instance, -1, this.#config.endpoints[endpoint].performance);
    this.#join(instance, endpoint, pool, nowMs);
  }

  #join(instance: number, endpoint: number, pool: number, nowMs: number): void {
    this.state[instance] = READY;
    this.ready[endpoint]++;
    this.#held.add(endpoint * PER_ENDPOINT, 1, nowMs);
    this.#engine.setPool(instance, pool);
    this.poolKvCapacity[pool] += this.#engine.kvCapacity(instance);
    this.members[pool].push(instance);
  }

  #leave(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    const pool = this.#topology.poolOfEndpoint[endpoint];
    this.ready[endpoint]--;
    this.#held.add(endpoint * PER_ENDPOINT, -1, nowMs);
    this.#engine.setPool(instance, -1);
    this.poolKvCapacity[pool] -= this.#engine.kvCapacity(instance);
    const members = this.members[pool];
    members.splice(members.indexOf(instance), 1);
  }

  #resumeDraining(endpoint: number, nowMs: number): boolean {
    if (this.draining[endpoint] === 0) return false;
    const instance = this.#find(endpoint, DRAINING, (i) =>
      this.#evicted[i] === 1 ? NaN : -this.#engine.outstandingTokens[i],
    );
    if (instance === -1) return false;
    this.draining[endpoint]--;
    this.#held.add(endpoint * PER_ENDPOINT + 1, -1, nowMs);
    this.#join(instance, endpoint, this.#topology.poolOfEndpoint[endpoint], nowMs);
    this.actions.resumed++;
    return true;
  }

  /**
   * Cheapest way first: the same model from spot, another model from spot, a new VM (in the place
   * of spot instances where GPUs are short).
   */
  #acquire(endpoint: number, nowMs: number): boolean {
    if (this.isDown(this.#regionOf[endpoint])) return false;
    const spec = this.#config.endpoints[endpoint];
    const sku = this.#config.skus[this.#skuOf[endpoint]];
    const cell = this.#cell(endpoint);
    const model = this.#modelOf[endpoint];
    const lot = this.#spot.easiest(cell, model, spec.gpusPerInstance);
    if (lot !== undefined) {
      const own = lot.model === model;
      this.#spot.take(cell, lot, nowMs);
      const instance = this.#start(endpoint, own ? RECLAIM : REDEPLOY, nowMs);
      this.#previousModel[instance] = lot.model;
      this.becomingReady.set(instance, nowMs + (own ? sku.reclaimMs : sku.redeployMs));
      return true;
    }
    const capacity = this.#config.gpuCapacity[this.#regionOf[endpoint]][this.#skuOf[endpoint]];
    if (this.#gpusInUse[cell] - this.#spot.gpus(cell) + spec.gpusPerInstance > capacity) return false;
    while (this.#gpusInUse[cell] + spec.gpusPerInstance > capacity) {
      const given = this.#spot.lots(cell).find((l) => l.count > 0);
      if (given === undefined) throw new InvariantError('donated GPUs do not add up');
      this.#spot.take(cell, given, nowMs);
      this.#gpusInUse[cell] -= given.gpus;
    }
    this.#gpusInUse[cell] += spec.gpusPerInstance;
    const instance = this.#start(endpoint, NEW_VM, nowMs);
    this.#previousModel[instance] = -1;
    this.becomingReady.set(instance, nowMs + sku.newVmMs);
    return true;
  }

  /**
   * Least work lost first: what is not ready yet, newest first, then the ready instance with the
   * fewest outstanding tokens.
   */
  #removeOne(endpoint: number, nowMs: number): void {
    if (this.provisioning[endpoint] > 0) {
      const instance = this.#find(endpoint, PROVISIONING, (i) => -this.#startedAt[i]);
      if (instance === -1) throw new InvariantError(`endpoint ${endpoint} has no provisioning instance to give up`);
      this.becomingReady.set(instance, Infinity);
      this.provisioning[endpoint]--;
      this.#held.add(endpoint * PER_ENDPOINT + 3 + this.#way[instance], -1, nowMs);
      this.actions.cancelled++;
      const previous = this.#previousModel[instance];
      if (previous === -1) this.#gpusInUse[this.#cell(endpoint)] -= this.#config.endpoints[endpoint].gpusPerInstance;
      else this.#donateTo(endpoint, previous, nowMs);
      this.#release(instance);
      return;
    }
    const instance = this.#find(endpoint, READY, (i) => this.#engine.outstandingTokens[i]);
    if (instance === -1) throw new InvariantError(`endpoint ${endpoint} has no ready instance to remove`);
    this.#drain(instance, nowMs);
  }

  #drain(instance: number, nowMs: number): void {
    const endpoint = this.endpointOf[instance];
    this.#leave(instance, nowMs);
    this.state[instance] = DRAINING;
    this.draining[endpoint]++;
    this.#held.add(endpoint * PER_ENDPOINT + 1, 1, nowMs);
    if (this.#engine.isIdle(instance)) this.#donate(instance, nowMs);
  }

  /** A drained instance becomes spot; one whose host is being taken away is gone. */
  #donate(instance: number, nowMs: number): void {
    if (this.#evicted[instance] === 1) {
      this.lose(instance, nowMs);
      return;
    }
    const endpoint = this.endpointOf[instance];
    this.draining[endpoint]--;
    this.#held.add(endpoint * PER_ENDPOINT + 1, -1, nowMs);
    this.#donateTo(endpoint, this.#modelOf[endpoint], nowMs);
    this.#release(instance);
  }

  #donateTo(endpoint: number, model: number, nowMs: number): void {
    this.#spot.put(this.#cell(endpoint), model, this.#config.endpoints[endpoint].gpusPerInstance, nowMs);
  }

  #release(instance: number): void {
    this.state[instance] = FREE;
    this.endpointOf[instance] = -1;
    this.#evicted[instance] = 0;
    this.#freeSlots.push(instance);
  }

  /**
   * The instance of an endpoint in `state` with the smallest cost, the lowest slot on a tie; −1
   * where there is none. A cost of NaN leaves one out.
   */
  #find(endpoint: number, state: number, cost: (instance: number) => number): number {
    let best = -1;
    let bestCost = Infinity;
    for (let i = 0; i < this.state.length; i++) {
      if (this.endpointOf[i] !== endpoint || this.state[i] !== state) continue;
      const c = cost(i);
      if (c < bestCost || (best === -1 && c === bestCost)) {
        best = i;
        bestCost = c;
      }
    }
    return best;
  }
}

/** Adds to a list that keeps the last few, oldest first. */
function remember(list: number[], value: number, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}
