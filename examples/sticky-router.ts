import type { RegionRouter } from '@sageserve/core';

/**
 * A region router that stays with the region it chose last until that one fills up: fewer moves than always taking the least utilised one. It needs nothing but
 * the interfaces of `@sageserve/core`.
 */
export function createStickyRouter(leaveAbove = 0.8): RegionRouter {
  const lastChoice = new Map<number, number>();
  return {
    name: 'sticky',
    route(request, regions) {
      const last = lastChoice.get(request.originRegion);
      if (last !== undefined && regions.allowed(last) && regions.hosts(last) && (regions.kvCacheUtilization(last) ?? 1) < leaveAbove) return last;
      let best = -1;
      for (let k = 0; k < regions.preferenceCount; k++) {
        const r = regions.preferred(k);
        if (!regions.hosts(r)) continue;
        if (best === -1 || (regions.kvCacheUtilization(r) ?? 1) < (regions.kvCacheUtilization(best) ?? 1)) best = r;
      }
      if (best !== -1) lastChoice.set(request.originRegion, best);
      return best;
    },
  };
}
