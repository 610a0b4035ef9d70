import {
  ACQUISITION_CONTRACT,
  acquisitionBreach,
  type AcquisitionKind,
  type AcquisitionPolicy,
  type AcquisitionView,
  type EndpointId,
  endpointId,
  type ModelId,
  PolicyContractError,
} from '@sageserve/core';
import { ACQUISITION_WAYS } from '@sageserve/metrics';
import type { ResolvedConfig } from './config.js';
import type { GpuHosts } from './gpu-hosts.js';
import type { SpotLot } from './spot-pool.js';

/** A way to have an instance, as it was surveyed. */
interface Way {
  readonly kind: AcquisitionKind;
  readonly available: number;
  /** The donated instances that it is one of. */
  readonly lot: SpotLot | undefined;
}

/** Where an endpoint's next instance comes from. */
export interface Acquired {
  /** Position in `ACQUISITION_WAYS`. */
  readonly way: number;
  /** Model whose weights are there, −1 on a new host. */
  readonly previousModel: number;
  readonly delayMs: number;
}

/** The ways in which an endpoint can have an instance, as the policy sees them and as it chose. */
export class Acquisition implements AcquisitionView {
  readonly #config: ResolvedConfig;
  readonly #policy: AcquisitionPolicy;
  readonly #hosts: GpuHosts;
  readonly #ids: readonly EndpointId[];
  readonly #ways: Way[] = [];
  #endpoint = 0;

  constructor(config: ResolvedConfig, hosts: GpuHosts) {
    this.#config = config;
    this.#policy = config.policies.acquisition;
    this.#hosts = hosts;
    this.#ids = config.endpoints.map((e) => endpointId(e.region, e.model, e.sku, e.pool));
  }

  get endpointId(): EndpointId {
    return this.#ids[this.#endpoint];
  }

  get modelId(): ModelId {
    return this.#config.endpoints[this.#endpoint].model;
  }

  get count(): number {
    return this.#ways.length;
  }

  kind(o: number): AcquisitionKind {
    return this.#ways[o].kind;
  }

  /** Endpoints have one SKU in one region: all of it comes from there. */
  source(): string {
    const { region, sku } = this.#config.endpoints[this.#endpoint];
    return `${region}/${sku}`;
  }

  weightsOf(o: number): ModelId | undefined {
    const { kind, lot } = this.#ways[o];
    if (kind === 'new-vm') return undefined;
    return lot === undefined ? this.modelId : this.#config.models[lot.model];
  }

  available(o: number): number {
    return this.#ways[o].available;
  }

  expectedDelayMs(o: number): number {
    return this.#delayMs(this.#ways[o].kind);
  }

  usdPerHour(): number {
    const { gpusPerInstance } = this.#config.endpoints[this.#endpoint];
    return this.#hosts.skuOf(this.#endpoint).usdPerGpuHour * gpusPerInstance;
  }

  /**
   * Finds what there is: `resumable` draining instances, and where there may be `more` than those
   * donated ones and new hosts. Returns whether there is any.
   */
  survey(endpoint: number, resumable: number, more: boolean): boolean {
    this.#endpoint = endpoint;
    this.#ways.length = 0;
    if (resumable > 0) this.#ways.push({ kind: 'resume', available: resumable, lot: undefined });
    if (more) {
      const { gpusPerInstance } = this.#config.endpoints[endpoint];
      for (const lot of this.#hosts.spot.lots(this.#hosts.cellOf(endpoint))) {
        if (lot.count === 0 || lot.gpus !== gpusPerInstance) continue;
        const own = lot.model === this.#hosts.modelOf[endpoint];
        this.#ways.push({ kind: own ? 'reclaim' : 'redeploy', available: lot.count, lot });
      }
      const available = this.#hosts.newHosts(endpoint);
      if (available >= 1) this.#ways.push({ kind: 'new-vm', available, lot: undefined });
    }
    return this.#ways.length > 0;
  }

  /** Has the policy choose among what was found; −1 where it takes none. */
  choose(nowMs: number): number {
    const choice = this.#policy.choose(this, nowMs);
    const broken = acquisitionBreach(choice, this);
    if (broken !== undefined)
      throw new PolicyContractError(`acquisition policy "${this.#policy.name}"`, broken, ACQUISITION_CONTRACT);
    return choice;
  }

  /** Takes the GPUs of what was chosen, which is not to resume one. */
  take(o: number, nowMs: number): Acquired {
    const { kind, lot } = this.#ways[o];
    if (lot === undefined) this.#hosts.holdNew(this.#endpoint, nowMs);
    else this.#hosts.takeBack(this.#endpoint, lot, nowMs);
    return {
      way: (ACQUISITION_WAYS as readonly string[]).indexOf(kind),
      previousModel: lot === undefined ? -1 : lot.model,
      delayMs: this.#delayMs(kind),
    };
  }

  #delayMs(kind: AcquisitionKind): number {
    const sku = this.#hosts.skuOf(this.#endpoint);
    switch (kind) {
      case 'resume':
        return 0;
      case 'reclaim':
        return sku.reclaimMs;
      case 'redeploy':
        return sku.redeployMs;
      case 'new-vm':
        return sku.newVmMs;
    }
  }
}
