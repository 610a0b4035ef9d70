import { ConfigError, type ModelId, MS_PER_HOUR, type ReleasePolicy } from '@sageserve/core';
import { withinReading } from './within-reading.js';

export interface HeadroomReleaseOptions {
  /**
   * KV-cache utilisation (0–1, default 0.8) up to which held work is let go, by model where it is a
   * function: models differ in how much of their memory they fill before they are slow.
   */
  readonly kvUnder?: number | ((modelId: ModelId) => number);
  /**
   * Prompt tokens that wait or are being prefilled, for each ready instance, up to which it is
   * (default 1,000): an instance that is busy with prompts makes interactive ones wait.
   */
  readonly queuedTokensUnder?: number;
  /** Most requests that are let go at once for each ready instance (default 0.25). */
  readonly atOncePerInstance?: number;
  /** A request whose deadline is this near (ms, default 1 h) is let go whatever the load. */
  readonly slackMs?: number;
}

/**
 * Fills an endpoint with held work as far as neither its memory nor its prompts are in the way of
 * interactive requests. KV memory alone says little of a model with much of it: its instances are
 * saturated with prompts long before their memory is full. A request whose slack has run out is let
 * go regardless, so that nothing waits for ever.
 */
export function createHeadroomRelease(options: HeadroomReleaseOptions = {}): ReleasePolicy {
  const { kvUnder = 0.8, queuedTokensUnder = 1_000, atOncePerInstance = 0.25, slackMs = MS_PER_HOUR } = options;
  if (typeof kvUnder === 'number' && !(kvUnder >= 0 && kvUnder <= 1))
    throw new ConfigError('kvUnder', `must be from 0 to 1, not ${kvUnder}`);
  if (!(queuedTokensUnder >= 0))
    throw new ConfigError('queuedTokensUnder', `must be 0 or more tokens, not ${queuedTokensUnder}`);
  if (!(atOncePerInstance > 0)) throw new ConfigError('atOncePerInstance', `must be above 0, not ${atOncePerInstance}`);
  if (!(slackMs >= 0)) throw new ConfigError('slackMs', `must be 0 or more milliseconds, not ${slackMs}`);
  return {
    name: 'headroom',
    release(held, pool, nowMs) {
      const ready = pool.readyInstances ?? 0;
      const utilization = ready > 0 ? pool.kvCacheUtilization : undefined;
      const limit = typeof kvUnder === 'number' ? kvUnder : kvUnder(pool.modelId);
      const room =
        utilization !== undefined &&
        utilization < limit &&
        pool.queuedTokens !== undefined &&
        pool.queuedTokens < queuedTokensUnder * ready
          ? Math.max(1, Math.floor(ready * atOncePerInstance))
          : 0;
      return withinReading(room, nowMs + slackMs, held, pool);
    },
  };
}
