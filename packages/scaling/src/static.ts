import { type EndpointId, type ScalingDecision, type ScalingPolicy, isCounted, stateOfVersion } from '@sageserve/core';
import { plannedInstances } from './decorators.js';
import { keeping } from './kept.js';

const VERSION = 1;

/**
 * Keeps the fleet as it began, or as it was when it was first seen where that is not known: nothing
 * grows or shrinks, and what an outage or an eviction took is asked for again as soon as there are
 * GPUs.
 */
export function createStaticScaling(): ScalingPolicy {
  const kept = keeping('the fleet is kept as it is');
  let counts = new Map<EndpointId, number>();
  return {
    name: 'static',
    save: () => ({ version: VERSION, state: new Map(counts) }),
    restore(saved) {
      counts = new Map(stateOfVersion('static', saved, VERSION) as typeof counts);
    },
    decide(fleet) {
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        if (!isCounted(endpoint)) continue;
        const { endpointId, minInstances, maxInstances } = endpoint;
        const planned = plannedInstances(endpoint);
        let count = counts.get(endpointId);
        if (count === undefined) counts.set(endpointId, (count = endpoint.initialInstances ?? planned));
        count = Math.min(maxInstances, Math.max(minInstances, count));
        const isDown = (): boolean =>
          fleet.capacity?.some(
            (one) => one.regionId === endpoint.regionId && one.skuId === endpoint.skuId && one.gpuCapacity === 0,
          ) === true;
        if (planned < count) {
          if (!isDown())
            decisions.push({ endpointId, targetInstances: count, reason: `${planned} are left of ${count}` });
          continue;
        }
        const decision = kept(endpoint);
        if (decision !== undefined) decisions.push(decision);
      }
      return decisions;
    },
  };
}
