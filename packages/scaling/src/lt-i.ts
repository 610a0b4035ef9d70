import type { ScalingPolicy } from '@sageserve/core';
import { keeping } from './kept.js';
import { memoryOf } from './memory.js';
import { plannedCount } from './planned.js';
import { createReactiveScaling } from './reactive.js';
import { decideBySchedule } from './scheduled.js';

export interface LtImmediateScalingOptions {
  /** Decides while there is no plan; reactive by default. */
  readonly withoutPlan?: ScalingPolicy;
}

/**
 * The paper's LT-I: every change of the hourly plan is applied at once, and nothing else happens
 * until the next. Source: arXiv 2502.14617, section 6.4.
 */
export function createLtImmediateScaling(options: LtImmediateScalingOptions = {}): ScalingPolicy {
  const { withoutPlan = createReactiveScaling() } = options;
  const kept = keeping('the plan says so');
  return {
    name: 'lt-i',
    ...memoryOf(withoutPlan),
    decide(fleet, plan, nowMs) {
      if (plan === undefined) return withoutPlan.decide(fleet, plan, nowMs);
      return decideBySchedule(
        fleet,
        (endpoint) => plannedCount(plan, endpoint),
        kept,
        (count) => `the plan says ${count}`,
      );
    },
  };
}
