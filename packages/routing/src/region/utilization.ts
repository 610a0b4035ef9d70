import { ConfigError, type ModelId, type RegionRouter } from '@sageserve/core';

export interface UtilizationRouterOptions {
  /**
   * A region takes requests while its KV-cache utilisation is under this share (0–1, default 0.7),
   * by model where it is a function.
   */
  readonly threshold?: number | ((modelId: ModelId) => number);
}

/**
 * The paper's region router: the first region in the request's order of preference whose effective
 * memory utilisation is under the threshold; where none is, the least utilised, first in order on a
 * tie. A region without ready instances comes last. Source: arXiv 2502.14617, section 6.2.
 */
export function createUtilizationRouter(options: UtilizationRouterOptions = {}): RegionRouter {
  const threshold = options.threshold ?? 0.7;
  if (typeof threshold === 'number' && !(threshold > 0 && threshold <= 1))
    throw new ConfigError('threshold', `must be above 0 and at most 1, not ${threshold}`);
  return {
    name: 'utilization',
    route(request, regions) {
      const limit = typeof threshold === 'number' ? threshold : threshold(request.modelId);
      let best = -1;
      let bestUtilization = Infinity;
      const count = regions.preferenceCount;
      for (let k = 0; k < count; k++) {
        const r = regions.preferred(k);
        if (!regions.hosts(r)) continue;
        const utilization = regions.kvCacheUtilization(r) ?? Infinity;
        if (utilization < limit) return r;
        if (best === -1 || utilization < bestUtilization) {
          best = r;
          bestUtilization = utilization;
        }
      }
      return best;
    },
  };
}
