import type { RegionRouter } from '@sageserve/core';

/**
 * Sends each request to the least utilised region that may serve it; ties go to the request's order
 * of preference, regions without ready instances come last.
 */
export function createLeastUtilizedRouter(): RegionRouter {
  return {
    name: 'least-utilized',
    route(_request, regions) {
      let best = -1;
      let bestUtilization = Infinity;
      const count = regions.preferenceCount;
      for (let k = 0; k < count; k++) {
        const r = regions.preferred(k);
        if (!regions.hosts(r)) continue;
        const utilization = regions.kvCacheUtilization(r) ?? Infinity;
        if (best === -1 || utilization < bestUtilization) {
          best = r;
          bestUtilization = utilization;
        }
      }
      return best;
    },
  };
}
