import type { EndpointSnapshot, FleetSnapshot } from '@sageserve/core';
import { bounded, plannedInstances } from './decorators.js';

/** Why an endpoint without an instance gets one. */
export const ABANDONED = 'requests wait and there is no instance';

/** Whether requests wait in a pool that has no instance and gets none, and this endpoint is the one to get it: no reading will ever come from there, and a plan for nothing leaves them there. */
export function isAbandoned(endpoint: EndpointSnapshot, fleet: FleetSnapshot): boolean {
  return plannedInstances(endpoint) === 0 && endpoint.maxInstances > 0 && (endpoint.queuedRequests ?? 0) > 0 && isKeeper(endpoint, fleet, isSamePool);
}

/** A count held to the endpoint's bounds, and never none where the pool has work and this is its last instance: a plan is a target, and what is there to be done outranks it. Endpoints of several SKUs have one pool's work. */
export function boundedByWork(count: number, endpoint: EndpointSnapshot, fleet: FleetSnapshot): number {
  const target = bounded(count, endpoint);
  const hasWork = (endpoint.queuedRequests ?? 0) + (endpoint.runningRequests ?? 0) > 0;
  return target === 0 && endpoint.maxInstances > 0 && hasWork && isKeeper(endpoint, fleet, isSamePool) ? 1 : target;
}

/** Whether this is the last instance for which non-interactive work of its model is held back. */
export function isLastForBacklog(endpoint: EndpointSnapshot, fleet: FleetSnapshot): boolean {
  const held = fleet.backlog?.find(({ modelId }) => modelId === endpoint.modelId)?.requests ?? 0;
  return held > 0 && takesBacklog(endpoint, endpoint) && isKeeper(endpoint, fleet, takesBacklog);
}

type Among = (other: EndpointSnapshot, endpoint: EndpointSnapshot) => boolean;

const isSamePool: Among = (other, { modelId, regionId, pool }) => other.modelId === modelId && other.regionId === regionId && other.pool === pool;
const takesBacklog: Among = (other, { modelId }) => other.modelId === modelId && other.tiers.includes('non-interactive');

/** Of endpoints that can do the same work one keeps an instance: the one with the most that are ready, or else on their way, or else with GPUs that are there, or the highest minimum; of equals the first. */
function isKeeper(endpoint: EndpointSnapshot, fleet: FleetSnapshot, among: Among): boolean {
  let keeper = endpoint;
  let best = rankOf(endpoint, fleet);
  let isBefore = true;
  for (const other of fleet.endpoints) {
    if (other.endpointId === endpoint.endpointId) isBefore = false;
    else if (other.maxInstances > 0 && among(other, endpoint)) {
      const rank = rankOf(other, fleet);
      const order = compared(rank, best);
      if (order > 0 || (order === 0 && isBefore && keeper === endpoint)) [keeper, best] = [other, rank];
    }
  }
  return keeper === endpoint;
}

type Rank = readonly [ready: number, provisioning: number, gpus: number, least: number];

function rankOf({ readyInstances, provisioningInstances, regionId, skuId, minInstances }: EndpointSnapshot, { capacity }: FleetSnapshot): Rank {
  const isDown = capacity.some((cell) => cell.regionId === regionId && cell.skuId === skuId && cell.gpuCapacity === 0);
  return [readyInstances, provisioningInstances, isDown ? 0 : 1, minInstances];
}

function compared(a: Rank, b: Rank): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
