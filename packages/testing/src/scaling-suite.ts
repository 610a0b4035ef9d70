import {
  createRng,
  type EndpointSnapshot,
  modelId,
  PlacementGrid,
  type PlacementPlan,
  type ScalingPolicy,
} from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';
import { fakeEndpoint, fakeFleet } from './fakes.js';

/** A plan that asks for two instances, for a tenth of what they carry. */
function planForLess({ modelId: model, regionId, skuId }: EndpointSnapshot): PlacementPlan {
  const grid = (value: number): PlacementGrid => new PlacementGrid(1, 1, 1, Float64Array.of(value));
  const demand = Array.from({ length: 24 }, () => grid(20));
  return {
    models: [model],
    regions: [regionId],
    skus: [skuId],
    target: grid(2),
    validFromMs: 0,
    validUntilMs: 14_400_000,
    schedule: demand.map(() => grid(2)),
    demand: { startMs: 0, stepMs: 600_000, expectedTokensPerS: demand, upperTokensPerS: demand, mix: [undefined] },
    tokensPerSPerInstance: grid(100),
  };
}

/** What every scaling policy must do. */
export function scalingPolicyConformance(create: () => ScalingPolicy): ConformanceCase[] {
  return [
    {
      name: 'decides only for endpoints of the snapshot, once each, within their bounds and with a reason',
      run() {
        const rng = createRng('scaling-conformance');
        const policy = create();
        for (let round = 0; round < 300; round++) {
          const endpoints = Array.from({ length: 4 }, (_, e) => {
            const minInstances = Math.floor(rng.next() * 3);
            const maxInstances = minInstances + Math.floor(rng.next() * 8);
            const readyInstances = minInstances + Math.floor(rng.next() * (maxInstances - minInstances + 1));
            return fakeEndpoint({
              modelId: modelId(`model-${e}`),
              minInstances,
              maxInstances,
              readyInstances,
              kvCacheUtilization: rng.next() < 0.2 ? undefined : rng.next(),
            });
          });
          const known = new Map(endpoints.map((e) => [e.endpointId, e]));
          const seen = new Set<string>();
          for (const decision of policy.decide(fakeFleet(endpoints, round * 60_000), undefined, round * 60_000)) {
            const endpoint = known.get(decision.endpointId);
            expect(endpoint !== undefined, `decided for ${decision.endpointId}, which is not in the snapshot`);
            expect(!seen.has(decision.endpointId), `decided twice for ${decision.endpointId}`);
            seen.add(decision.endpointId);
            expect(
              Number.isInteger(decision.targetInstances),
              `target ${decision.targetInstances} is not a whole number`,
            );
            expect(
              decision.targetInstances >= endpoint.minInstances && decision.targetInstances <= endpoint.maxInstances,
              `target ${decision.targetInstances} is outside ${endpoint.minInstances}–${endpoint.maxInstances}`,
            );
            expect(decision.reason.length > 0, 'gives no reason');
          }
        }
      },
    },
    {
      name: 'never scales in on unknown telemetry, with a plan for less or without one',
      run() {
        const endpoint = fakeEndpoint({
          readyInstances: 6,
          kvCacheUtilization: undefined,
          queuedRequests: undefined,
          queuedTokens: undefined,
          runningRequests: undefined,
          demandTokensPerS: undefined,
        });
        for (const plan of [undefined, planForLess(endpoint)]) {
          const policy = create();
          for (let minute = 0; minute < 180; minute++) {
            for (const decision of policy.decide(fakeFleet([endpoint], minute * 60_000), plan, minute * 60_000)) {
              expect(decision.targetInstances >= 6, `scaled in to ${decision.targetInstances} with nothing known`);
            }
          }
        }
      },
    },
    {
      name: 'does not throw for an empty fleet',
      run() {
        expect(create().decide(fakeFleet([]), undefined, 0).length === 0, 'decided for an empty fleet');
      },
    },
  ];
}
