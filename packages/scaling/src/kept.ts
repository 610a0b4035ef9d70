import type { CountedEndpoint, EndpointId, ScalingDecision } from '@sageserve/core';
import { plannedInstances } from './decorators.js';

/**
 * Makes what a policy says of an endpoint with which it is content: that what it holds is wanted.
 * The decision is the same object for as long as the count stays, since policies are asked every
 * second for every endpoint.
 *
 * Nothing is said, and `undefined` returned, where the endpoint's bounds do not allow what it
 * holds, and where it holds nothing and it is not known whether somebody waits there.
 */
export function keeping(reason: string): (endpoint: CountedEndpoint) => ScalingDecision | undefined {
  const last = new Map<EndpointId, ScalingDecision>();
  return (endpoint) => {
    const { endpointId } = endpoint;
    const targetInstances = plannedInstances(endpoint);
    if (targetInstances < endpoint.minInstances || targetInstances > endpoint.maxInstances) return undefined;
    // Some hosts count those only where they are asked for.
    if (targetInstances === 0 && endpoint.queuedRequests === undefined) return undefined;
    let decision = last.get(endpointId);
    if (decision?.targetInstances !== targetInstances) {
      decision = Object.freeze({ endpointId, targetInstances, reason });
      last.set(endpointId, decision);
    }
    return decision;
  };
}
