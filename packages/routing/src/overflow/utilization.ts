import { ConfigError, type EndpointLoadView, type OverflowPolicy } from '@sageserve/core';

export interface UtilizationOverflowOptions {
  /**
   * From this KV-cache utilisation on (0–1, default 0.6) a pool passes requests on, where the other
   * is less utilised.
   */
  readonly threshold?: number;
}

/**
 * Passes a request on from a pool that is filling up to one that is emptier. A pool without ready
 * instances is full: it passes requests on to any that has some, whatever is known of their load.
 */
export function createUtilizationOverflow({ threshold = 0.6 }: UtilizationOverflowOptions = {}): OverflowPolicy {
  if (!(threshold >= 0 && threshold <= 1)) throw new ConfigError('threshold', `must be from 0 to 1, not ${threshold}`);
  return {
    name: 'utilization',
    overflows(_request, home, other) {
      if (home.readyInstances === 0 && (other.readyInstances ?? 0) > 0) return true;
      const used = utilization(home);
      if (used === undefined || used < threshold) return false;
      const usedThere = utilization(other);
      return usedThere !== undefined && usedThere < used;
    },
  };
}

/** KV-cache utilisation; `Infinity` where nothing is ready, `undefined` where it is not known. */
function utilization({ readyInstances, kvCacheUtilization }: EndpointLoadView): number | undefined {
  return readyInstances === 0 ? Infinity : kvCacheUtilization;
}
