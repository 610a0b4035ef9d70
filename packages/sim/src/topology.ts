import { WORKLOAD_TIERS } from '@sageserve/core';
import type { ResolvedConfig } from './config.js';

/**
 * Where requests of a model and tier can go: a *pool* is what a region router chooses, all
 * endpoints of one model in one region that serve the same tiers. Built once; only numbers inside.
 */
export interface Topology {
  readonly pools: number;
  /** Name of each pool, such as `eastus/llama-2-70b/shared`. */
  readonly names: readonly string[];
  /** Pool of each endpoint. */
  readonly poolOfEndpoint: Int32Array;
  readonly regionOfPool: Int32Array;
  readonly modelOfPool: Int32Array;
  /** Pool by (model × tier) × region, −1 where the region has none. */
  readonly poolAt: Int32Array;
  /**
   * A second pool that serves the same tier and takes what the first has no room for, −1 where
   * there is none.
   */
  readonly overflowAt: Int32Array;
  /** Regions in order of preference by origin: the origin first, then by round trip. */
  readonly byDistance: readonly Int32Array[];
}

export function createTopology(config: ResolvedConfig): Topology {
  const { regions, models, endpoints } = config;
  const tiers = WORKLOAD_TIERS.length;
  const poolAt = new Int32Array(models.length * tiers * regions.length).fill(-1);
  const overflowAt = new Int32Array(poolAt.length).fill(-1);
  const poolOfEndpoint = new Int32Array(endpoints.length);
  const regionOfPool: number[] = [];
  const modelOfPool: number[] = [];
  const byName = new Map<string, number>();
  for (const [e, spec] of endpoints.entries()) {
    const region = regions.indexOf(spec.region);
    const model = models.indexOf(spec.model);
    const name = `${spec.region}/${spec.model}/${spec.pool}`;
    let pool = byName.get(name);
    if (pool === undefined) {
      pool = byName.size;
      byName.set(name, pool);
      regionOfPool.push(region);
      modelOfPool.push(model);
    }
    poolOfEndpoint[e] = pool;
    for (const tier of spec.tiers) {
      const at = (model * tiers + WORKLOAD_TIERS.indexOf(tier)) * regions.length + region;
      if (poolAt[at] === -1) poolAt[at] = pool;
      else if (poolAt[at] !== pool) overflowAt[at] = pool;
    }
  }
  const byDistance = regions.map((_, origin) => {
    const rtt = config.networkRttMs[origin];
    const others = regions.map((__, r) => r).filter((r) => r !== origin);
    others.sort((a, b) => rtt[a] - rtt[b] || a - b);
    return Int32Array.from([origin, ...others]);
  });
  return {
    pools: byName.size,
    names: [...byName.keys()],
    poolOfEndpoint,
    regionOfPool: Int32Array.from(regionOfPool),
    modelOfPool: Int32Array.from(modelOfPool),
    poolAt,
    overflowAt,
    byDistance,
  };
}
