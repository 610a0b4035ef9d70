import type { DemandSnapshot, EndpointSnapshot, FleetSnapshot, PlacementPlan, PlannedDemand } from '@sageserve/core';

/** Position of an endpoint in a plan's grids. */
export interface PlanCell {
  readonly m: number;
  readonly r: number;
  readonly k: number;
}

/** Where a plan speaks of an endpoint; undefined where it does not. */
export function cellOf(
  plan: PlacementPlan,
  endpoint: Pick<EndpointSnapshot, 'modelId' | 'regionId' | 'skuId'>,
): PlanCell | undefined {
  const cell = {
    m: plan.models.indexOf(endpoint.modelId),
    r: plan.regions.indexOf(endpoint.regionId),
    k: plan.skus.indexOf(endpoint.skuId),
  };
  return cell.m === -1 || cell.r === -1 || cell.k === -1 ? undefined : cell;
}

/** A count of a plan, and what an endpoint's bounds and its work make of it, in words. */
export function heldTo(count: number, target: number): string {
  return count === target ? '' : `, held to ${target}`;
}

/**
 * What a plan says an endpoint should have, as it stands there; undefined without a plan for it.
 */
export function plannedCount(plan: PlacementPlan | undefined, endpoint: EndpointSnapshot): number | undefined {
  const cell = plan === undefined ? undefined : cellOf(plan, endpoint);
  return cell === undefined ? undefined : plan!.target.at(cell.m, cell.r, cell.k);
}

/** Whether nothing is known of what an endpoint is doing, so that it must not be scaled in. */
export function isUnknown(endpoint: EndpointSnapshot): boolean {
  return endpoint.readyInstances !== 0 && endpoint.kvCacheUtilization === undefined;
}

/**
 * Window of the planned demand in which a time lies, held to the first and the last of as many as
 * there are: those of the demand unless given.
 */
export function windowAt(
  { startMs, stepMs, expectedTokensPerS }: PlannedDemand,
  atMs: number,
  windows = expectedTokensPerS.length,
): number {
  return Math.min(windows - 1, Math.max(0, Math.floor((atMs - startMs) / stepMs)));
}

/** Interactive tokens/s that were seen to come from a model and region of late. */
export function observedTokensPerS(
  fleet: FleetSnapshot,
  endpoint: Pick<EndpointSnapshot, 'modelId' | 'regionId'>,
): number | undefined {
  const match = (cell: DemandSnapshot): boolean =>
    cell.modelId === endpoint.modelId && cell.regionId === endpoint.regionId;
  return fleet.demand?.find(match)?.interactiveTokensPerS;
}
