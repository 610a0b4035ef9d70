import {
  createRng,
  type EndpointSnapshot,
  type FleetSnapshot,
  modelId,
  PlacementGrid,
  type PlacementPlan,
  type SavedState,
  type ScalingPolicy,
  stateFromText,
  stateText,
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

/** A fleet of two whose load comes and goes: the same at the same step. */
function varied(step: number, nowMs: number): FleetSnapshot {
  const rng = createRng(`scaling-memory-${step}`);
  const endpoints = ['model-a', 'model-b'].map((name, e) =>
    fakeEndpoint({
      modelId: modelId(name),
      readyInstances: 3 + Math.floor(3 * (1 + Math.sin(step / 9 + e))),
      provisioningInstances: rng.next() < 0.2 ? 1 : 0,
      kvCacheUtilization: 0.5 + 0.6 * Math.sin(step / 7 + e),
      queuedTokens: rng.next() < 0.3 ? 50_000 : 0,
      demandTokensPerS: 100 * rng.next(),
    }),
  );
  return fakeFleet(endpoints, nowMs);
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
      name: 'says nothing of an endpoint of which it is not known how many instances it has',
      run() {
        for (const count of ['readyInstances', 'provisioningInstances'] as const) {
          const endpoint = fakeEndpoint({ readyInstances: 6, kvCacheUtilization: 0.1, [count]: undefined });
          for (const plan of [undefined, planForLess(endpoint)]) {
            const policy = create();
            for (let minute = 0; minute < 60; minute++) {
              const decisions = policy.decide(fakeFleet([endpoint], minute * 60_000), plan, minute * 60_000);
              expect(decisions.length === 0, `decided for an endpoint whose ${count} are not known`);
            }
          }
        }
      },
    },
    {
      name: 'goes on from what it saved as one that ran on; what remembers something saves it',
      run() {
        for (const withPlan of [false, true])
          for (let splitAt = 5; splitAt < 60; splitAt += 9) {
            const whole = create();
            let restored: ScalingPolicy | undefined;
            for (let step = 0; step < 90; step++) {
              const nowMs = step * 20_000;
              const seen = varied(step, nowMs);
              const plan = withPlan ? planForLess(seen.endpoints[0]!) : undefined;
              if (step === splitAt) {
                restored = create();
                const saved = whole.save?.();
                if (saved !== undefined) restored.restore!(stateFromText(stateText(saved)) as SavedState);
              }
              const made = stateText(whole.decide(seen, plan, nowMs));
              if (restored === undefined) continue;
              const clause =
                whole.save === undefined
                  ? 'remembers something and has no save()'
                  : 'decides otherwise after a restart';
              expect(stateText(restored.decide(seen, plan, nowMs)) === made, clause);
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
