import type { EndpointId, EndpointSnapshot, FleetSnapshot } from '@sageserve/core';
import type { SeenEndpoint } from './journal.js';

export type Seen = ReadonlyMap<EndpointId, EndpointSnapshot>;

export function byId(fleet: FleetSnapshot): Seen {
  const seen = new Map<EndpointId, EndpointSnapshot>();
  for (const endpoint of fleet.endpoints) seen.set(endpoint.endpointId, endpoint);
  return seen;
}

/** What an endpoint has or is getting; `undefined` where that is not known. */
export function heldBy(endpoint: EndpointSnapshot | undefined): number | undefined {
  if (endpoint?.readyInstances === undefined || endpoint.provisioningInstances === undefined) return undefined;
  return endpoint.readyInstances + endpoint.provisioningInstances;
}

/** A few of many names, and how many more there are. */
export function named(names: readonly string[]): string {
  return names.length > MOST_NAMED
    ? `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more`
    : names.join(', ');
}

const MOST_NAMED = 3;

/** What is written down of an endpoint as it was seen. */
export function seenOf(endpoint: EndpointSnapshot | undefined): SeenEndpoint {
  return {
    readyInstances: endpoint?.readyInstances,
    provisioningInstances: endpoint?.provisioningInstances,
    drainingInstances: endpoint?.drainingInstances,
    kvCacheUtilization: endpoint?.kvCacheUtilization,
    queuedTokens: endpoint?.queuedTokens,
    demandTokensPerS: endpoint?.demandTokensPerS,
  };
}
