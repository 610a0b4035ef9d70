import type { EndpointId, ScalingDecision, ScalingPolicy } from '@sageserve/core';
import { plannedInstances } from './decorators.js';

/** Keeps the fleet as it was when it was first seen: nothing grows or shrinks, and what an outage or an eviction took is asked for again. */
export function createStaticScaling(): ScalingPolicy {
  const counts = new Map<EndpointId, number>();
  return {
    name: 'static',
    decide(fleet) {
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        const { endpointId, minInstances, maxInstances } = endpoint;
        const planned = plannedInstances(endpoint);
        let count = counts.get(endpointId);
        if (count === undefined) counts.set(endpointId, (count = planned));
        count = Math.min(maxInstances, Math.max(minInstances, count));
        if (planned < count) decisions.push({ endpointId, targetInstances: count, reason: `${planned} are left of ${count}` });
      }
      return decisions;
    },
  };
}
