import { type ScalingDecision, type ScalingPolicy, isCounted } from '@sageserve/core';
import { plannedInstances } from './decorators.js';
import { keeping } from './kept.js';
import { boundedByWork } from './last-instance.js';
import { memoryOf } from './memory.js';
import { heldTo, isUnknown, plannedCount } from './planned.js';
import { createReactiveScaling } from './reactive.js';

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
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        if (!isCounted(endpoint)) continue;
        const count = plannedCount(plan, endpoint);
        if (count === undefined) continue;
        const target = boundedByWork(count, endpoint, fleet, (other) => plannedCount(plan, other));
        const planned = plannedInstances(endpoint);
        if (target <= planned && isUnknown(endpoint)) continue;
        const decision =
          target === planned
            ? kept(endpoint)
            : {
                endpointId: endpoint.endpointId,
                targetInstances: target,
                reason: `the plan says ${count}${heldTo(count, target)}`,
              };
        if (decision !== undefined) decisions.push(decision);
      }
      return decisions;
    },
  };
}
