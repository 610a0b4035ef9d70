import {
  ConfigError,
  type FleetSnapshot,
  type ScalingDecision,
  type ScalingPolicy,
  isCounted,
  type CountedEndpoint,
} from '@sageserve/core';
import { plannedInstances, withCooldown } from './decorators.js';
import { keeping } from './kept.js';
import { ABANDONED, boundedByWork, isAbandoned, isLastForBacklog } from './last-instance.js';
import { told } from './told.js';

export interface ReactiveScalingOptions {
  /** Above this KV-cache utilisation (0–1, default 0.7) one instance is added. */
  readonly scaleOutAbove?: number;
  /** Below this one (default 0.3) one is removed. */
  readonly scaleInBelow?: number;
  /** Rest after each change (ms, default 15 s). */
  readonly cooldownMs?: number;
}

/**
 * What clouds do today: one instance more above a utilisation, one less below another, one step per
 * cooldown. Source: arXiv 2502.14617, section 5 ("Reactive"); its artifact uses 0.5 and 0.25.
 */
export function createReactiveScaling(options: ReactiveScalingOptions = {}): ScalingPolicy {
  const { scaleOutAbove = 0.7, scaleInBelow = 0.3, cooldownMs = 15_000 } = options;
  if (!(scaleOutAbove > 0 && scaleOutAbove <= 1))
    throw new ConfigError('scaleOutAbove', `must be above 0 and at most 1, not ${scaleOutAbove}`);
  if (!(scaleInBelow >= 0 && scaleInBelow < scaleOutAbove))
    throw new ConfigError(
      'scaleInBelow',
      `must be from 0 to under scaleOutAbove (${scaleOutAbove}), not ${scaleInBelow}`,
    );

  const kept = keeping('utilisation asks for no other count');

  function step(endpoint: CountedEndpoint, fleet: FleetSnapshot): ScalingDecision | undefined {
    const utilization = endpoint.kvCacheUtilization;
    const planned = plannedInstances(endpoint);
    // Nothing ready and nothing on its way: no reading will ever come, so the floor must be
    // restored first.
    if (planned < endpoint.minInstances)
      return {
        endpointId: endpoint.endpointId,
        targetInstances: endpoint.minInstances,
        reason: `${planned} instances are under the minimum of ${endpoint.minInstances}`,
      };
    if (isAbandoned(endpoint, fleet)) return { endpointId: endpoint.endpointId, targetInstances: 1, reason: ABANDONED };
    // Where there is no instance, what waits is all that can be read.
    if (utilization === undefined) return planned === 0 ? kept(endpoint) : undefined;
    if (utilization > scaleOutAbove && planned < endpoint.maxInstances) {
      return {
        endpointId: endpoint.endpointId,
        targetInstances: planned + 1,
        reason: `utilisation ${told(utilization, scaleOutAbove)} is above ${scaleOutAbove}`,
      };
    }
    if (utilization < scaleInBelow) {
      const target = boundedByWork(planned - 1, endpoint, fleet);
      // Requests that come one by one leave moments without any: the last instance goes when none
      // has come for a while.
      const isWanted = (endpoint.demandTokensPerS ?? 0) > 0 || isLastForBacklog(endpoint, fleet);
      if (target === planned || (target === 0 && isWanted)) return kept(endpoint);
      return {
        endpointId: endpoint.endpointId,
        targetInstances: target,
        reason: `utilisation ${told(utilization, scaleInBelow)} is below ${scaleInBelow}`,
      };
    }
    return kept(endpoint);
  }

  const policy: ScalingPolicy = {
    name: 'reactive',
    decide(fleet) {
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        if (!isCounted(endpoint)) continue;
        const decision = step(endpoint, fleet);
        if (decision !== undefined) decisions.push(decision);
      }
      return decisions;
    },
  };
  return cooldownMs === 0 ? policy : withCooldown(policy, { cooldownMs });
}
