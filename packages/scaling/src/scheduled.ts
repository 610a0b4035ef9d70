import { type EndpointSnapshot, type FleetSnapshot, isCounted, type ScalingDecision } from '@sageserve/core';
import { plannedInstances } from './decorators.js';
import type { keeping } from './kept.js';
import { boundedByWork } from './last-instance.js';
import { heldTo, isUnknown } from './planned.js';

/**
 * Brings each endpoint to the count that a schedule has for it, and says where it has that many.
 * Nothing is said of one for which there is no count, and nothing given up of one whose load is not
 * known. `reason` is of a change.
 */
export function decideBySchedule(
  fleet: FleetSnapshot,
  countOf: (endpoint: EndpointSnapshot) => number | undefined,
  kept: ReturnType<typeof keeping>,
  reason: (count: number) => string,
): ScalingDecision[] {
  const decisions: ScalingDecision[] = [];
  for (const endpoint of fleet.endpoints) {
    if (!isCounted(endpoint)) continue;
    const count = countOf(endpoint);
    if (count === undefined) continue;
    const targetInstances = boundedByWork(count, endpoint, fleet, countOf);
    const planned = plannedInstances(endpoint);
    if (targetInstances <= planned && isUnknown(endpoint)) continue;
    const decision =
      targetInstances === planned
        ? kept(endpoint)
        : {
            endpointId: endpoint.endpointId,
            targetInstances,
            reason: `${reason(count)}${heldTo(count, targetInstances)}`,
          };
    if (decision !== undefined) decisions.push(decision);
  }
  return decisions;
}
