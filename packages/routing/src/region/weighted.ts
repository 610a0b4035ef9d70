import { ConfigError, type RegionIndex, type RegionRouter, type RequestView, type Rng } from '@sageserve/core';

export interface WeightedRouterOptions {
  /**
   * Relative weight (≥ 0) of serving this request in region `r`: the flows of a placement plan, for
   * instance.
   */
  readonly weight: (request: RequestView, r: RegionIndex) => number;
  readonly rng: Rng;
}

/**
 * Draws a region with probability in proportion to its weight among those that may serve the
 * request; the first in order of preference where every weight is 0.
 */
export function createWeightedRouter(options: WeightedRouterOptions): RegionRouter {
  const { weight, rng } = options;
  if (typeof weight !== 'function') throw new ConfigError('weight', 'must be a function of a request and a region');
  return {
    name: 'weighted',
    route(request, regions) {
      // Reservoir sampling: one pass, nothing allocated.
      let total = 0;
      let chosen = -1;
      let first = -1;
      const count = regions.preferenceCount;
      for (let k = 0; k < count; k++) {
        const r = regions.preferred(k);
        if (!regions.hosts(r)) continue;
        if (first === -1) first = r;
        const w = weight(request, r);
        if (!(w > 0)) continue;
        total += w;
        if (rng.next() * total < w) chosen = r;
      }
      return chosen === -1 ? first : chosen;
    },
  };
}
