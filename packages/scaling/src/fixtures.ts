import { PlacementGrid, type PlacementPlan, type ScalingPolicy } from '@sageserve/core';
import { fakeEndpoint } from '@sageserve/testing';
import { createChironLikeScaling } from './chiron-like.js';
import { createLtImmediateScaling } from './lt-i.js';
import { createLtUtilizationScaling } from './lt-u.js';
import { createLtUtilizationAwareScaling } from './lt-ua.js';
import { createOracleScaling } from './oracle.js';
import { createReactiveScaling } from './reactive.js';
import { createSageScaling } from './sage.js';
import { createSiloedScaling } from './siloed.js';
import { createStaticScaling } from './static.js';

/** A strategy that says what is to change, and not what is to stay. */
const changing =
  <T extends unknown[]>(create: (...options: T) => ScalingPolicy) =>
  (...options: T): ScalingPolicy => {
    const policy = create(...options);
    return {
      ...policy,
      decide: (fleet, plan, nowMs) =>
        policy.decide(fleet, plan, nowMs).filter(({ endpointId, targetInstances }) => {
          const { readyInstances, provisioningInstances } = fleet.endpoints.find((e) => e.endpointId === endpointId)!;
          return readyInstances! + provisioningInstances! !== targetInstances;
        }),
    };
  };

/** The strategies, as far as they change something; `kept.test.ts` has the rest. */
export const changes = {
  reactive: changing(createReactiveScaling),
  siloed: changing(createSiloedScaling),
  chiron: changing(createChironLikeScaling),
  ltI: changing(createLtImmediateScaling),
  ltU: changing(createLtUtilizationScaling),
  ltUa: changing(createLtUtilizationAwareScaling),
  oracle: changing(createOracleScaling),
  sage: changing(createSageScaling),
  static: changing(createStaticScaling),
};

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
