import { createRng, modelId, type ScalingPolicy } from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';
import { fakeEndpoint, fakeFleet } from './fakes.js';

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
            expect(Number.isInteger(decision.targetInstances), `target ${decision.targetInstances} is not a whole number`);
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
      name: 'never scales in on unknown telemetry',
      run() {
        const policy = create();
        const endpoint = fakeEndpoint({
          readyInstances: 6,
          kvCacheUtilization: undefined,
          queuedRequests: undefined,
          queuedTokens: undefined,
          runningRequests: undefined,
          demandTokensPerS: undefined,
        });
        for (let minute = 0; minute < 180; minute++) {
          for (const decision of policy.decide(fakeFleet([endpoint], minute * 60_000), undefined, minute * 60_000)) {
            expect(decision.targetInstances >= 6, `scaled in to ${decision.targetInstances} with nothing known`);
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
