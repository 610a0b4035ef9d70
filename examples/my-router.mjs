// @ts-check
/**
 * A region router that stays with the region it chose last for an origin until that one fills up:
 * fewer moves than always taking the least utilised one. It needs nothing but the interfaces of
 * `@sageserve/core`. What it keeps are names, since indices are valid for one call only.
 * @param {number} [leaveAbove] KV-cache utilisation (0–1) above which it looks for another region
 * @returns {import('@sageserve/core').RegionRouter}
 */
export function createStickyRouter(leaveAbove = 0.8) {
  /** @type {Map<string, string>} */
  const lastChoice = new Map();
  return {
    name: 'sticky',
    route(request, regions) {
      const origin = regions.regionId(request.originRegion);
      const last = lastChoice.get(origin);
      let best = -1;
      for (let k = 0; k < regions.preferenceCount; k++) {
        const r = regions.preferred(k);
        if (!regions.hosts(r)) continue;
        const utilization = regions.kvCacheUtilization(r) ?? 1;
        if (regions.regionId(r) === last && utilization <= leaveAbove) return r;
        if (best === -1 || utilization < (regions.kvCacheUtilization(best) ?? 1)) best = r;
      }
      if (best !== -1) lastChoice.set(origin, regions.regionId(best));
      return best;
    },
  };
}

// What a scenario file finds here by name: names → factories, by kind.
export default { regionRouters: { sticky: () => createStickyRouter() } };
