import { TIER_NON_INTERACTIVE, WORKLOAD_TIERS } from '@sageserve/core';
import type { Topology } from './topology.js';
import type { TraceNames } from './trace-names.js';

const NONE: readonly number[] = [];

/** The pools that held requests may be let go to, in their order of preference: looked up once. */
export class HeldPools {
  readonly #topology: Topology;
  readonly #names: TraceNames;
  readonly #models: number;
  readonly #regions: number;
  /** By model × origin, where there is no residency set, and by residency set × model. */
  readonly #from: (readonly number[] | undefined)[] = [];
  readonly #within: (readonly number[] | undefined)[] = [];

  constructor(topology: Topology, names: TraceNames, models: number, regions: number) {
    this.#topology = topology;
    this.#names = names;
    this.#models = models;
    this.#regions = regions;
  }

  /** `list` is a residency set, −1 for none. */
  of(model: number, origin: number, list: number): readonly number[] {
    return list === -1
      ? (this.#from[model * this.#regions + origin] ??= this.#find(model, this.#topology.byDistance[origin]))
      : (this.#within[list * this.#models + model] ??= this.#find(model, this.#names.residency(list).order));
  }

  #find(model: number, order: Int32Array): readonly number[] {
    const row = (model * WORKLOAD_TIERS.length + TIER_NON_INTERACTIVE) * this.#regions;
    const pools = Array.from(order, (r) => this.#topology.poolAt[row + r]).filter((pool) => pool >= 0);
    return pools.length === 0 ? NONE : pools;
  }
}
