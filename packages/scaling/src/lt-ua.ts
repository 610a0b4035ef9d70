import { ConfigError, MS_PER_MIN, type ScalingPolicy } from '@sageserve/core';
import { createBoundedByPlan, type LtUtilizationScalingOptions } from './lt-u.js';
import { cellOf, observedTokensPerS, windowAt } from './planned.js';
import { told } from './told.js';

export interface LtUtilizationAwareScalingOptions extends LtUtilizationScalingOptions {
  /** Observed ÷ forecast demand from which an endpoint may grow past the plan (default 5). */
  readonly growFrom?: number;
  /** Observed ÷ forecast demand down to which it may shrink below the plan (default 0.5). */
  readonly shrinkFrom?: number;
  /** How long after a plan was made its forecast begins to be doubted (ms, default 40 min). */
  readonly doubtAfterMs?: number;
}

/**
 * The paper's LT-UA: LT-U, and late in the hour, when the forecast is old, the gap between observed
 * and forecast tokens/s may lift the bound. The forecast is that of the endpoint's own model and
 * region (the artifact compares all models with one). Source: arXiv 2502.14617, section 6.4.
 */
export function createLtUtilizationAwareScaling(options: LtUtilizationAwareScalingOptions = {}): ScalingPolicy {
  const { growFrom = 5, shrinkFrom = 0.5, doubtAfterMs = 40 * MS_PER_MIN } = options;
  if (!(growFrom >= 1)) throw new ConfigError('growFrom', `must be 1 or more, not ${growFrom}`);
  if (!(shrinkFrom >= 0 && shrinkFrom <= 1))
    throw new ConfigError('shrinkFrom', `must be from 0 to 1, not ${shrinkFrom}`);
  if (!(doubtAfterMs >= 0))
    throw new ConfigError('doubtAfterMs', `must be 0 or more milliseconds, not ${doubtAfterMs}`);
  return createBoundedByPlan('lt-ua', options, (target, endpoint, fleet, plan, nowMs) => {
    const plain = { least: target, most: target, why: '' };
    const { demand } = plan;
    if (demand === undefined || nowMs - plan.validFromMs < doubtAfterMs) return plain;
    const observed = observedTokensPerS(fleet, endpoint);
    const cell = cellOf(plan, endpoint);
    if (observed === undefined || cell === undefined) return plain;
    const forecast = demand.expectedTokensPerS[windowAt(demand, nowMs)]!.at(cell.m, cell.r, 0);
    if (!(forecast > 0)) return plain;
    const gap = observed / forecast;
    const why = (limit: number): string => `, and demand is ${told(gap, limit)} times its forecast`;
    if (gap >= growFrom) return { least: target, most: endpoint.maxInstances, why: why(growFrom) };
    if (gap <= shrinkFrom) return { least: endpoint.minInstances, most: target, why: why(shrinkFrom) };
    return plain;
  });
}
