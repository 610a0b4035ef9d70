import { ConfigError } from '@sageserve/core';
import type { TraceDictionaries } from '@sageserve/trace';
import type { ResolvedConfig } from './config.js';

/** A request's residency set: who may serve it, in which order, from where. */
export interface Residency {
  readonly allowed: Uint8Array;
  /** Order of preference; where a region releases held work, the same with that region first. */
  readonly order: Int32Array;
  readonly orderFrom: readonly Int32Array[];
}

/**
 * The trace's names as positions in the fleet, looked up once each. Throws `ConfigError` for those
 * that the fleet does not have.
 */
export class TraceNames {
  readonly #config: ResolvedConfig;
  readonly #dictionaries: TraceDictionaries;
  readonly #modelOf: number[] = [];
  readonly #regionOf: number[] = [];
  readonly #residency: Residency[] = [];

  constructor(config: ResolvedConfig, dictionaries: TraceDictionaries) {
    this.#config = config;
    this.#dictionaries = dictionaries;
  }

  model(index: number): number {
    return this.#modelOf[index] ?? this.#resolveModel(index);
  }

  region(index: number): number {
    return this.#regionOf[index] ?? this.#resolveRegion(index);
  }

  residency(list: number): Residency {
    const known = this.#residency[list];
    if (known !== undefined) return known;
    const { regions } = this.#config;
    const order = Int32Array.from(this.#dictionaries.regionLists[list], (index) => this.region(index));
    const allowed = new Uint8Array(regions.length);
    for (const r of order) allowed[r] = 1;
    const orderFrom = regions.map((_, first) =>
      allowed[first] === 1 ? Int32Array.from([first, ...order.filter((r) => r !== first)]) : order,
    );
    const residency = { allowed, order, orderFrom };
    this.#residency[list] = residency;
    return residency;
  }

  #resolveModel(index: number): number {
    const name = this.#dictionaries.models[index];
    const model = this.#config.models.findIndex((m) => m === name);
    if (model === -1)
      throw new ConfigError('models', `the trace asks for the model "${name}", which the fleet does not have`, {
        hint:
          `The fleet has ${this.#config.models.join(', ')}. In a scenario file, traffic.rename.model gives the ` +
          `trace's models other names: { "*": ${this.#config.models[0]} } renames all.`,
      });
    this.#modelOf[index] = model;
    return model;
  }

  #resolveRegion(index: number): number {
    const name = this.#dictionaries.regions[index];
    const region = this.#config.regions.findIndex((r) => r === name);
    if (region === -1)
      throw new ConfigError('regions', `the trace names the region "${name}", which the fleet does not have`, {
        hint:
          `The fleet has ${this.#config.regions.join(', ')}. In a scenario file, traffic.rename.region gives the ` +
          `trace's regions other names.`,
      });
    this.#regionOf[index] = region;
    return region;
  }
}
