import { type EndpointSnapshot, type FleetSnapshot, type RegionId, withoutFigures } from '@sageserve/core';
import { named } from './seen.js';

/**
 * A snapshot in which endpoints whose figures are older than `staleAfterMs` have none, and what is
 * to be said of them: regions of which nothing is fresh by their names, other endpoints by theirs.
 * The snapshot itself where all is fresh.
 */
export function freshOnly(
  fleet: FleetSnapshot,
  nowMs: number,
  staleAfterMs: number,
): { readonly fleet: FleetSnapshot; readonly stale: string | undefined } {
  const isStale = ({ observedAtMs = fleet.takenAtMs }: EndpointSnapshot): boolean =>
    !(nowMs - observedAtMs <= staleAfterMs);
  const dark = fleet.endpoints.filter(isStale);
  if (dark.length === 0) return { fleet, stale: undefined };
  const lit = new Set(fleet.endpoints.filter((one) => !isStale(one)).map((one) => one.regionId));
  const regions = new Set<RegionId>(dark.map((one) => one.regionId).filter((region) => !lit.has(region)));
  const names = [...regions, ...dark.filter((one) => lit.has(one.regionId)).map((one) => one.endpointId)];
  return {
    fleet: { ...fleet, endpoints: fleet.endpoints.map((one) => (isStale(one) ? withoutFigures(one) : one)) },
    stale: `telemetry of ${named(names)} is stale: what is there is held as it is`,
  };
}
