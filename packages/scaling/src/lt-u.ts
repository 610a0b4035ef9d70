import {
  ConfigError,
  type EndpointSnapshot,
  type FleetSnapshot,
  type PlacementPlan,
  type ScalingDecision,
  type ScalingPolicy,
  isCounted,
  type CountedEndpoint,
} from '@sageserve/core';
import { bounded, plannedInstances, withCooldown } from './decorators.js';
import { keeping } from './kept.js';
import { ABANDONED, boundedByWork, isAbandoned } from './last-instance.js';
import { memoryOf } from './memory.js';
import { heldTo, plannedCount } from './planned.js';
import { createReactiveScaling } from './reactive.js';
import { told } from './told.js';

export interface LtUtilizationScalingOptions {
  /**
   * Above this KV-cache utilisation (0–1, default 0.7) a step towards a larger count of the plan is
   * taken.
   */
  readonly scaleOutAbove?: number;
  /** Below this one (default 0.3) a step towards a smaller one. */
  readonly scaleInBelow?: number;
  /** Above this one (default 0.9) an endpoint may have one more than the plan says. */
  readonly passAbove?: number;
  /** Rest after each step (ms, default 15 s). */
  readonly cooldownMs?: number;
  /** Decides while there is no plan; reactive by default. */
  readonly withoutPlan?: ScalingPolicy;
}

/** How far an endpoint may be from the plan's count, either way. */
export interface PlanBounds {
  readonly least: number;
  readonly most: number;
  readonly why: string;
}

/**
 * The paper's LT-U: the plan's count is a bound, and utilisation triggers each step towards it.
 * Source: arXiv 2502.14617, section 6.4.
 */
export function createLtUtilizationScaling(options: LtUtilizationScalingOptions = {}): ScalingPolicy {
  return createBoundedByPlan('lt-u', options, (target) => ({ least: target, most: target, why: '' }));
}

/** Steps within bounds that are drawn around the plan's count. */
export function createBoundedByPlan(
  name: string,
  options: LtUtilizationScalingOptions,
  boundsOf: (
    target: number,
    endpoint: EndpointSnapshot,
    fleet: FleetSnapshot,
    plan: PlacementPlan,
    nowMs: number,
  ) => PlanBounds,
): ScalingPolicy {
  const {
    scaleOutAbove = 0.7,
    scaleInBelow = 0.3,
    passAbove = 0.9,
    cooldownMs = 15_000,
    withoutPlan = createReactiveScaling(),
  } = options;
  if (!(scaleOutAbove > 0 && scaleOutAbove <= 1))
    throw new ConfigError('scaleOutAbove', `must be above 0 and at most 1, not ${scaleOutAbove}`);
  if (!(scaleInBelow >= 0 && scaleInBelow < scaleOutAbove))
    throw new ConfigError(
      'scaleInBelow',
      `must be from 0 to under scaleOutAbove (${scaleOutAbove}), not ${scaleInBelow}`,
    );
  if (!(passAbove >= scaleOutAbove))
    throw new ConfigError('passAbove', `must be at least scaleOutAbove (${scaleOutAbove}), not ${passAbove}`);

  const kept = keeping('utilisation asks for no other count within the plan');

  function step(
    endpoint: CountedEndpoint,
    fleet: FleetSnapshot,
    plan: PlacementPlan,
    nowMs: number,
  ): ScalingDecision | undefined {
    const count = plannedCount(plan, endpoint);
    if (count === undefined) return undefined;
    const wanted = (other: EndpointSnapshot): number | undefined => plannedCount(plan, other);
    const target = boundedByWork(count, endpoint, fleet, wanted);
    const said = `the plan says ${count}${heldTo(count, target)}`;
    const planned = plannedInstances(endpoint);
    const to = (count: number, reason: string): ScalingDecision => ({
      endpointId: endpoint.endpointId,
      targetInstances: bounded(count, endpoint),
      reason,
    });
    if (planned < endpoint.minInstances)
      return to(endpoint.minInstances, `${planned} instances are under the minimum of ${endpoint.minInstances}`);
    if (isAbandoned(endpoint, fleet, wanted)) return to(1, ABANDONED);
    const utilization = endpoint.kvCacheUtilization;
    // Where there is no instance, what waits is all that can be read.
    if (utilization === undefined) return planned === 0 ? kept(endpoint) : undefined;
    const { least, most, why } = boundsOf(target, endpoint, fleet, plan, nowMs);
    const seen = (limit: number): string => `utilisation ${told(utilization, limit)}`;
    if (utilization > scaleOutAbove && planned < Math.min(most, endpoint.maxInstances))
      return to(planned + 1, `${seen(scaleOutAbove)} is above ${scaleOutAbove}; ${said}${why}`);
    if (utilization > passAbove && planned === Math.max(most, target) && planned < endpoint.maxInstances)
      return to(planned + 1, `${seen(passAbove)} is above ${passAbove}: one more than the ${planned} of the plan`);
    const less = boundedByWork(planned - 1, endpoint, fleet, wanted);
    if (utilization < scaleInBelow && planned > Math.max(least, endpoint.minInstances) && less < planned)
      return to(less, `${seen(scaleInBelow)} is below ${scaleInBelow}; ${said}${why}`);
    return kept(endpoint);
  }

  const policy: ScalingPolicy = {
    name,
    ...memoryOf(withoutPlan),
    decide(fleet, plan, nowMs) {
      if (plan === undefined) return withoutPlan.decide(fleet, plan, nowMs);
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        if (!isCounted(endpoint)) continue;
        const decision = step(endpoint, fleet, plan, nowMs);
        if (decision !== undefined) decisions.push(decision);
      }
      return decisions;
    },
  };
  return cooldownMs === 0 ? policy : withCooldown(policy, { cooldownMs });
}
