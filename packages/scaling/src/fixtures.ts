import { PlacementGrid, type PlacementPlan } from '@sageserve/core';
import { fakeEndpoint } from '@sageserve/testing';

/** A plan for the one fake endpoint, with a forecast of 1,000 tokens/s. */
export function fakePlan(target: number, fields: Partial<PlacementPlan> = {}): PlacementPlan {
  const { modelId, regionId, skuId } = fakeEndpoint();
  const grid = (value: number): PlacementGrid => new PlacementGrid(1, 1, 1, Float64Array.of(value));
  const demand = Array.from({ length: 12 }, () => grid(1_000));
  return {
    models: [modelId],
    regions: [regionId],
    skus: [skuId],
    target: grid(target),
    validFromMs: 0,
    validUntilMs: 3_600_000,
    demand: { startMs: 0, stepMs: 600_000, expectedTokensPerS: demand, upperTokensPerS: demand, mix: [undefined] },
    ...fields,
  };
}
