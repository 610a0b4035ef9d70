import type { RegionRouter } from '@sageserve/core';

/**
 * Keeps every request where it came from, whatever the load; the first region that may serve it
 * where its origin may not.
 */
export function createOriginOnlyRouter(): RegionRouter {
  return {
    name: 'origin-only',
    route(request, regions) {
      const origin = request.originRegion;
      if (regions.allowed(origin) && regions.hosts(origin)) return origin;
      const count = regions.preferenceCount;
      for (let k = 0; k < count; k++) {
        const r = regions.preferred(k);
        if (regions.hosts(r)) return r;
      }
      return -1;
    },
  };
}
