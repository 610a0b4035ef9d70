import type { Catalogue, MeasuredCapacities } from '@sageserve/fleet';
import { buildSimulation } from '../build.js';
import type { Scenario } from '../schema.js';
import { measureCapacity } from './measure-capacity.js';
import { demandAround, type OnReading, type RunDemand } from './prepare-run.js';

/** Demand of so many scenarios and seeds is kept: runs of one come together. */
const MOST = 8;

/**
 * What several runs need and is the same for them: the measured capacity of a scenario's fleet, and
 * the demand around the runs of one seed.
 */
export class PreparationCache {
  readonly #capacities: Map<string, Promise<MeasuredCapacities>>;
  readonly #demands: Map<string, Promise<RunDemand>>;
  readonly #inputs: string;

  constructor(from?: PreparationCache, inputs = '') {
    this.#capacities = from === undefined ? new Map<string, Promise<MeasuredCapacities>>() : from.#capacities;
    this.#demands = from === undefined ? new Map<string, Promise<RunDemand>>() : from.#demands;
    this.#inputs = inputs;
  }

  /** The same cache for scenarios whose other files hold what `inputs` stands for. */
  of(inputs: string): PreparationCache {
    return new PreparationCache(this, inputs);
  }

  capacity(scenario: Scenario, catalogue: Catalogue, signal?: AbortSignal): Promise<MeasuredCapacities> {
    // How long and how busy a run is, and what goes wrong in it, is not part of what an instance
    // carries.
    const {
      description: _d,
      duration: _t,
      history: _h,
      incidents: _i,
      strategies: _s,
      control: _c,
      name: _n,
      traffic,
      ...fleet
    } = scenario;
    const { requestsPerDay: _r, levels: _l, burst: _b, ...shape } = traffic;
    return kept(this.#capacities, JSON.stringify([this.#inputs, fleet, shape]), () =>
      measureCapacity(scenario, buildSimulation(scenario, 'static', catalogue), signal),
    );
  }

  demand(scenario: Scenario, foresight: boolean, onReading?: OnReading): Promise<RunDemand> {
    const { description: _d, incidents: _i, strategies: _s, control: _c, ...about } = scenario;
    return kept(this.#demands, JSON.stringify([this.#inputs, about, foresight]), () =>
      demandAround(scenario, foresight, { onReading }),
    );
  }
}

/** The value of a key; the one asked for longest ago makes room. What failed is not kept. */
function kept<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  cache.delete(key);
  const value = known ?? make();
  cache.set(key, value);
  if (cache.size > MOST) cache.delete(cache.keys().next().value!);
  if (known === undefined) value.catch(() => cache.delete(key));
  return value;
}
