import type { Actuator, EndpointId } from '@sageserve/core';

/**
 * An actuator that changes nothing and remembers what it was told: for trying a controller against
 * live telemetry.
 */
export function createDryRunActuator(): Actuator {
  const told = new Map<EndpointId, number>();
  const fences = new Map<EndpointId, number>();
  return {
    apply: (decisions, options) =>
      decisions.map(({ endpointId, targetInstances }) => {
        const newest = fences.get(endpointId) ?? -Infinity;
        const fence = options?.fence ?? newest;
        if (fence < newest)
          return { endpointId, status: 'refused', reachedInstances: undefined, detail: `fence ${newest} has acted` };
        fences.set(endpointId, fence);
        const status = told.get(endpointId) === targetInstances ? ('unchanged' as const) : ('applied' as const);
        told.set(endpointId, targetInstances);
        return { endpointId, status, reachedInstances: targetInstances, detail: 'dry run: nothing was changed' };
      }),
  };
}
