import {
  type BacklogSnapshot,
  type DeferrableWork,
  type DemandForecast,
  type DemandKey,
  type FleetSnapshot,
  type FleetSpec,
  isCounted,
  type ModelId,
  MS_PER_HOUR,
  PlacementGrid,
  type PlacementProblem,
  type TokenMix,
} from '@sageserve/core';
import type { StrategyPlanning } from './factory.js';
import { deploymentKey, type MeasuredCapacities } from './measured-capacity.js';
import { placementProblem, type PlannedFleet } from './placement-problem.js';

const S_PER_HOUR = 3_600;

/** What a control loop sees when it plans. */
export interface PlanningView {
  readonly fleet: FleetSnapshot;
  /** One for each model and region that could be forecast. */
  readonly forecasts: readonly { readonly key: DemandKey; readonly forecast: DemandForecast }[];
  /** Mean shape of each model's requests of late. */
  readonly mix: ReadonlyMap<ModelId, TokenMix>;
  readonly backlog: readonly BacklogSnapshot[];
}

/**
 * Makes the integer program's data for a fleet as a control loop sees it: speeds and prices of the
 * fleet, what is held and which GPUs there are from the snapshot, non-interactive work as the
 * strategy plans it.
 */
export function fleetProblem(
  described: PlannedFleet,
  fleet: FleetSpec,
  planning: StrategyPlanning,
  demandQuantile: number,
  capacity: MeasuredCapacities,
): (input: PlanningView) => PlacementProblem {
  const adjusted: PlannedFleet = { ...described, placement: { ...described.placement, demandQuantile } };
  return (input) => {
    const { forecasts } = input;
    // Of a model whose requests can all wait nothing interactive is seen: it is planned with the
    // requests that it was measured with.
    const mix = new Map([...measuredMix(fleet, capacity), ...input.mix]);
    const problem = placementProblem(
      adjusted,
      { forecasts, mix, deferrable: deferrableWork({ ...input, mix }, planning, described) },
      fleet,
    );
    return withFleet(
      { ...problem, tokensPerSPerInstance: speeds(problem, fleet, mix, capacity, planning.headroom) },
      input.fleet,
    );
  };
}

function measuredMix(fleet: FleetSpec, capacity: MeasuredCapacities): [ModelId, TokenMix][] {
  return fleet.endpoints.flatMap(({ model, sku, gpusPerInstance }) => {
    const measured = capacity.get(deploymentKey(model, sku, gpusPerInstance));
    return measured === undefined ? [] : [[model, measured.mix]];
  });
}

/**
 * Tokens/s within the objectives, less the strategy's headroom, for the shape of requests that is
 * seen now.
 */
function speeds(
  { models, skus }: PlacementProblem,
  fleet: FleetSpec,
  mix: PlanningView['mix'],
  capacity: MeasuredCapacities,
  headroom: number,
): PlacementGrid {
  const tokens = new PlacementGrid(models.length, 1, skus.length);
  for (const { model, sku, gpusPerInstance, performance } of fleet.endpoints) {
    const shape = mix.get(model);
    if (shape === undefined) continue;
    const share = capacity.get(deploymentKey(model, sku, gpusPerInstance))?.throughputShare ?? 1;
    tokens.set(
      models.indexOf(model),
      0,
      skus.indexOf(sku),
      Math.floor(performance.maxTokensPerS(shape) * Math.min(1, share * (1 - headroom))),
    );
  }
  return tokens;
}

/**
 * What is held now, and the GPUs that there are: none in a region that is down, where then no
 * minimum can be kept.
 */
function withFleet(problem: PlacementProblem, { endpoints, capacity }: FleetSnapshot): PlacementProblem {
  const { models, regions, skus } = problem;
  const current = new PlacementGrid(models.length, regions.length, skus.length);
  const minInstances = new PlacementGrid(
    models.length,
    regions.length,
    skus.length,
    Float64Array.from(problem.minInstances.values),
  );
  const gpuCapacity = new PlacementGrid(1, regions.length, skus.length, Float64Array.from(problem.gpuCapacity.values));
  for (const cell of capacity ?? [])
    if (cell.gpuCapacity !== undefined)
      gpuCapacity.set(0, regions.indexOf(cell.regionId), skus.indexOf(cell.skuId), cell.gpuCapacity);
  for (const endpoint of endpoints) {
    const [m, r, k] = [
      models.indexOf(endpoint.modelId),
      regions.indexOf(endpoint.regionId),
      skus.indexOf(endpoint.skuId),
    ];
    // Of what is not counted at least the minimum is there.
    const held = isCounted(endpoint) ? endpoint.readyInstances + endpoint.provisioningInstances : endpoint.minInstances;
    current.set(m, r, k, current.at(m, r, k) + held);
    if (gpuCapacity.at(0, r, k) === 0) minInstances.set(m, r, k, 0);
  }
  return { ...problem, current, minInstances, gpuCapacity };
}

function deferrableWork(
  { backlog, mix }: PlanningView,
  { deferrable }: StrategyPlanning,
  described: PlannedFleet,
): DeferrableWork[] {
  const work = backlog.map(({ modelId, requests, promptTokens, arrivedTokensPerS }): DeferrableWork => {
    if (deferrable === 'buffer')
      return {
        modelId,
        tokens: Math.round((arrivedTokensPerS ?? 0) * S_PER_HOUR * described.placement.nonInteractiveBuffer),
        dueInMs: MS_PER_HOUR,
      };
    const shape = mix.get(modelId);
    const expansion = shape === undefined ? 1 : (shape.promptTokens + shape.outputTokens) / shape.promptTokens;
    return {
      modelId,
      tokens: requests === 0 ? 0 : Math.round(promptTokens * expansion),
      dueInMs: deferrable.drainHours * MS_PER_HOUR,
    };
  });
  return work.filter(({ tokens }) => tokens > 0);
}
