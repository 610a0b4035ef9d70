import { ConfigError, MS_PER_HOUR, type ReleasePolicy } from '@sageserve/core';
import { withinReading } from './within-reading.js';

export interface UtilizationReleaseOptions {
  /**
   * Under this KV-cache utilisation (0–1, default 0.6) an endpoint gets one request each time it is
   * asked.
   */
  readonly oneUnder?: number;
  /** Under this one (default 0.5) it gets two. */
  readonly twoUnder?: number;
  /** A request whose deadline is this near (ms, default 1 h) is let go whatever the load. */
  readonly slackMs?: number;
}

/**
 * The paper's queue manager for non-interactive work: a lightly used endpoint is fed one or two
 * held requests at a time, and one whose slack has run out is let go regardless, so that nothing
 * waits for ever. Source: arXiv 2502.14617, section 6.3 (its artifact has the two thresholds the
 * wrong way round).
 */
export function createUtilizationRelease(options: UtilizationReleaseOptions = {}): ReleasePolicy {
  const { oneUnder = 0.6, twoUnder = 0.5, slackMs = MS_PER_HOUR } = options;
  if (!(oneUnder >= 0 && oneUnder <= 1)) throw new ConfigError('oneUnder', `must be from 0 to 1, not ${oneUnder}`);
  if (!(twoUnder >= 0 && twoUnder <= oneUnder))
    throw new ConfigError('twoUnder', `must be from 0 to oneUnder (${oneUnder}), not ${twoUnder}`);
  if (!(slackMs >= 0)) throw new ConfigError('slackMs', `must be 0 or more milliseconds, not ${slackMs}`);
  return {
    name: 'utilization',
    release(held, pool, nowMs) {
      const utilization = (pool.readyInstances ?? 0) > 0 ? pool.kvCacheUtilization : undefined;
      const room = utilization === undefined ? 0 : utilization < twoUnder ? 2 : utilization < oneUnder ? 1 : 0;
      return withinReading(room, nowMs + slackMs, held, pool);
    },
  };
}
