import { ConfigError, type EndpointSnapshot, MS_PER_MIN, type ScalingPolicy } from '@sageserve/core';
import { keeping } from './kept.js';
import { memoryOf } from './memory.js';
import { cellOf, windowAt } from './planned.js';
import { decideBySchedule } from './scheduled.js';
import { createStaticScaling } from './static.js';

export interface OracleScalingOptions {
  /**
   * How far ahead of a window its instances are asked for, at least (ms, default 2 min); the
   * longest measured provisioning delay where that is longer.
   */
  readonly leadMs?: number;
  /** Decides while there is no plan; by default the fleet is kept as it began. */
  readonly withoutPlan?: ScalingPolicy;
}

/**
 * Follows a plan whose forecasts are the truth: each window's instances are there when it begins,
 * and gone when it ends. Given perfect foresight it is the bound that nothing real can beat; given
 * forecasts it is what a schedule by itself is worth.
 */
export function createOracleScaling(options: OracleScalingOptions = {}): ScalingPolicy {
  const { leadMs = 2 * MS_PER_MIN, withoutPlan = createStaticScaling() } = options;
  if (!(leadMs >= 0)) throw new ConfigError('leadMs', `must be 0 or more milliseconds, not ${leadMs}`);
  const kept = keeping('as many are needed in the time that comes');
  return {
    name: 'oracle',
    ...memoryOf(withoutPlan),
    decide(fleet, plan, nowMs) {
      const demand = plan?.demand;
      if (plan === undefined || demand === undefined) return withoutPlan.decide(fleet, plan, nowMs);
      const schedule = plan.schedule ?? [plan.target];
      const neededBy = (endpoint: EndpointSnapshot): number | undefined => {
        const cell = cellOf(plan, endpoint);
        if (cell === undefined) return undefined;
        const at = (atMs: number): number => windowAt(demand, atMs, schedule.length);
        let most = 0;
        for (let w = at(nowMs); w <= at(nowMs + Math.max(leadMs, endpoint.provisioningDelayMs ?? 0)); w++)
          most = Math.max(most, schedule[w]!.at(cell.m, cell.r, cell.k));
        return most;
      };
      return decideBySchedule(fleet, neededBy, kept, (needed) => `${needed} are needed in the time that comes`);
    },
  };
}
