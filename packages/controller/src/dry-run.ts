import type { Actuator, EndpointId } from '@sageserve/core';

/**
 * An actuator that changes nothing and remembers what it was told: for trying a controller against
 * live telemetry.
 */
export function createDryRunActuator(): Actuator {
  const told = new Map<EndpointId, number>();
  return {
    apply: (decisions) =>
      decisions.map(({ endpointId, targetInstances }) => {
        const status = told.get(endpointId) === targetInstances ? ('unchanged' as const) : ('applied' as const);
        told.set(endpointId, targetInstances);
        return { endpointId, status, reachedInstances: targetInstances, detail: 'dry run: nothing was changed' };
      }),
  };
}
