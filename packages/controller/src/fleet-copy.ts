import type { FleetSnapshot } from '@sageserve/core';

/** A snapshot that stays as it is: those of a host are borrowed, and may change with the fleet. */
export function copyOf({ takenAtMs, endpoints, capacity, demand, backlog }: FleetSnapshot): FleetSnapshot {
  return {
    takenAtMs,
    endpoints: endpoints.map((endpoint) => ({ ...endpoint })),
    ...(capacity === undefined
      ? {}
      : { capacity: capacity.map((one) => ({ ...one, spotInstances: new Map(one.spotInstances) })) }),
    ...(demand === undefined ? {} : { demand: demand.map((one) => ({ ...one })) }),
    ...(backlog === undefined ? {} : { backlog: backlog.map((one) => ({ ...one, due: [...one.due] })) }),
  };
}
