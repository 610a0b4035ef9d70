import {
  type EndpointId,
  endpointId,
  InvariantError,
  PolicyContractError,
  VICTIM_CONTRACT,
  victimBreach,
  type VictimPolicy,
  type VictimState,
  type VictimView,
} from '@sageserve/core';
import { ACQUISITION_WAYS } from '@sageserve/metrics';
import type { ResolvedConfig } from './config.js';
import type { InstanceEngine } from './instance-engine.js';
import { type InstanceTable, PROVISIONING, READY } from './instance-table.js';
import type { Topology } from './topology.js';

const INITIAL = ACQUISITION_WAYS.indexOf('initial');

/** The instances that an endpoint may give up, as the policy sees them. */
export class Victims implements VictimView {
  readonly #policy: VictimPolicy;
  readonly #table: InstanceTable;
  readonly #engine: InstanceEngine;
  readonly #topology: Topology;
  readonly #ids: readonly EndpointId[];
  #instances: number[] = [];
  #endpoint = 0;
  #nowMs = 0;

  constructor(config: ResolvedConfig, topology: Topology, engine: InstanceEngine, table: InstanceTable) {
    this.#policy = config.policies.victim;
    this.#table = table;
    this.#engine = engine;
    this.#topology = topology;
    this.#ids = config.endpoints.map((e) => endpointId(e.region, e.model, e.sku, e.pool));
  }

  get endpointId(): EndpointId {
    return this.#ids[this.#endpoint];
  }

  get count(): number {
    return this.#instances.length;
  }

  instanceId(i: number): string {
    return `${this.#topology.names[this.#topology.poolOfEndpoint[this.#endpoint]]}/${this.#instances[i]}`;
  }

  state(i: number): VictimState {
    return this.#isComing(i) ? 'provisioning' : 'ready';
  }

  outstandingTokens(i: number): number {
    return this.#isComing(i) ? 0 : this.#engine.outstandingTokens[this.#instances[i]];
  }

  runningRequests(i: number): number {
    return this.#isComing(i) ? 0 : this.#engine.runningRequests(this.#instances[i]);
  }

  kvCacheUtilization(i: number): number | undefined {
    if (this.#isComing(i)) return undefined;
    const instance = this.#instances[i];
    return this.#engine.kvTokens(instance, this.#nowMs) / this.#engine.kvCapacity(instance);
  }

  sinceRequestedMs(i: number): number | undefined {
    const instance = this.#instances[i];
    return this.#table.way[instance] === INITIAL ? undefined : this.#nowMs - this.#table.requestedAtMs[instance];
  }

  untilReadyMs(i: number): number {
    return this.#isComing(i) ? this.#table.becomingReady.keys[this.#instances[i]] - this.#nowMs : 0;
  }

  /** What is seen is what is. */
  ageMs(): number {
    return 0;
  }

  /** Finds who may be given up. Throws where there are fewer than `least`. */
  survey(endpoint: number, least: number, nowMs: number): void {
    const { state, endpointOf, order } = this.#table;
    const ready: number[] = [];
    const coming: number[] = [];
    for (let i = 0; i < state.length; i++) {
      if (endpointOf[i] !== endpoint) continue;
      if (state[i] === READY) ready.push(i);
      else if (state[i] === PROVISIONING) coming.push(i);
    }
    coming.sort((a, b) => order[a] - order[b]);
    this.#endpoint = endpoint;
    this.#nowMs = nowMs;
    this.#instances = ready.concat(coming);
    if (this.#instances.length < least)
      throw new InvariantError(`endpoint ${endpoint} has ${this.#instances.length} instances to give up, not ${least}`);
  }

  /** Has the policy choose one of those that were found and not chosen yet. */
  next(): number {
    const choice = this.#policy.choose(this, this.#nowMs);
    const broken = victimBreach(choice, this);
    if (broken !== undefined)
      throw new PolicyContractError(`victim policy "${this.#policy.name}"`, broken, VICTIM_CONTRACT);
    return this.#instances.splice(choice, 1)[0];
  }

  #isComing(i: number): boolean {
    return this.#table.state[this.#instances[i]] === PROVISIONING;
  }
}
