import { type EndpointSnapshot, type FleetSnapshot, isCounted } from '@sageserve/core';
import { bounded, plannedInstances } from './decorators.js';

/** Why an endpoint without an instance gets one. */
export const ABANDONED = 'requests wait and there is no instance';

/** How many instances a policy wants an endpoint to have, as far as it says. */
export type Wanted = (endpoint: EndpointSnapshot) => number | undefined;

/**
 * Whether requests wait in a pool that has no instance and gets none, and this endpoint is the one
 * to get it: no reading will ever come from there, and a plan for nothing leaves them there.
 */
export function isAbandoned(endpoint: EndpointSnapshot, fleet: FleetSnapshot, wanted?: Wanted): boolean {
  return (
    isCounted(endpoint) &&
    plannedInstances(endpoint) === 0 &&
    endpoint.maxInstances > 0 &&
    (endpoint.queuedRequests ?? 0) > 0 &&
    isKeeper(endpoint, fleet, isSamePool, wanted)
  );
}

/**
 * A count held to the endpoint's bounds, and never none where the pool has work and this is its
 * last instance: a plan is a target, and what is there to be done outranks it. Endpoints of several
 * SKUs have one pool's work: `wanted` says what the policy makes of the others.
 */
export function boundedByWork(
  count: number,
  endpoint: EndpointSnapshot,
  fleet: FleetSnapshot,
  wanted?: Wanted,
): number {
  const target = bounded(count, endpoint);
  const hasWork = (endpoint.queuedRequests ?? 0) + (endpoint.runningRequests ?? 0) > 0;
  return target === 0 && endpoint.maxInstances > 0 && hasWork && isKeeper(endpoint, fleet, isSamePool, wanted)
    ? 1
    : target;
}

/** Whether this is the last instance for which non-interactive work of its model is held back. */
export function isLastForBacklog(endpoint: EndpointSnapshot, fleet: FleetSnapshot): boolean {
  const held = fleet.backlog?.find(({ modelId }) => modelId === endpoint.modelId)?.requests ?? 0;
  return held > 0 && takesBacklog(endpoint, endpoint) && isKeeper(endpoint, fleet, takesBacklog);
}

type Among = (other: EndpointSnapshot, endpoint: EndpointSnapshot) => boolean;

/** Whether endpoints have the same work: those of several SKUs in a region. */
export const isSamePool: Among = (other, { modelId, regionId, pool }) =>
  other.modelId === modelId && other.regionId === regionId && other.pool === pool;
const takesBacklog: Among = (other, { modelId }) =>
  other.modelId === modelId && other.tiers.includes('non-interactive');

/**
 * Of endpoints that can do the same work one keeps an instance, or gets the first: see
 * {@link rankOf}; of equals the first.
 */
function isKeeper(endpoint: EndpointSnapshot, fleet: FleetSnapshot, among: Among, wanted?: Wanted): boolean {
  const own = rankOf(endpoint, fleet, wanted);
  let isBefore = true;
  for (const other of fleet.endpoints) {
    if (other.endpointId === endpoint.endpointId) isBefore = false;
    else if (other.maxInstances > 0 && among(other, endpoint)) {
      const order = compared(rankOf(other, fleet, wanted), own);
      if (order > 0 || (order === 0 && isBefore)) return false;
    }
  }
  return true;
}

/**
 * What makes an endpoint the keeper, by weight: it has one that is ready, or one on its way, or
 * room for one; the policy wants one there; it has the most, or must have the most.
 */
function rankOf(endpoint: EndpointSnapshot, fleet: FleetSnapshot, wanted?: Wanted): readonly number[] {
  // What is not known is not counted on.
  const { readyInstances = 0, provisioningInstances = 0, minInstances } = endpoint;
  const is = (yes: boolean): number => (yes ? 1 : 0);
  return [
    is(readyInstances > 0),
    is(provisioningInstances > 0),
    is(hasRoom(endpoint, fleet)),
    is((wanted?.(endpoint) ?? 0) > 0),
    readyInstances,
    provisioningInstances,
    minInstances,
  ];
}

/**
 * Whether there are GPUs for an instance, free ones and those that can be taken from spot; true
 * where nothing is told of them.
 */
function hasRoom(
  { regionId, skuId, gpusPerInstance }: EndpointSnapshot,
  { capacity, endpoints }: FleetSnapshot,
): boolean {
  const cell = capacity?.find((one) => one.regionId === regionId && one.skuId === skuId);
  if (cell === undefined) return true;
  if (cell.gpuCapacity === undefined || cell.gpusInUse === undefined) return true;
  let free = cell.gpuCapacity - cell.gpusInUse;
  for (const [modelId, count] of cell.spotInstances ?? []) {
    const each = endpoints.find((one) => one.modelId === modelId && one.skuId === skuId)?.gpusPerInstance ?? 0;
    free += count * each;
  }
  return cell.gpuCapacity > 0 && free >= gpusPerInstance;
}

function compared(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
