import { type RegionRouter, type ReleasePolicy, type ScalingPolicy } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import type { ConformanceCase } from './conformance-case.js';
import { actuatorConformance, telemetrySourceConformance } from './control-suites.js';
import { fakeEndpoint, fakeFleet } from './fakes.js';
import { batchSchedulerConformance, instanceRouterConformance, regionRouterConformance, releasePolicyConformance } from './routing-suites.js';
import { scalingPolicyConformance } from './scaling-suite.js';

/** Messages of the checks that a plug-in fails. */
async function failures(suite: readonly ConformanceCase[]): Promise<string[]> {
  const messages: string[] = [];
  for (const check of suite) {
    try {
      await check.run();
    } catch (error) {
      messages.push((error as Error).message);
    }
  }
  return messages;
}

describe('conformance suites find what breaks a contract', () => {
  it('a region router that ignores residency', async () => {
    const router: RegionRouter = { name: 'careless', route: () => 0 };
    expect((await failures(regionRouterConformance(() => router))).join()).toContain('may not serve the request');
  });

  it('an instance router that takes one that is not ready', async () => {
    expect(await failures(instanceRouterConformance(() => ({ name: 'careless', route: (_q, pool) => (pool.count > 0 ? 0 : -1) })))).not.toEqual([]);
  });

  it('a scheduler whose keys are not numbers', async () => {
    expect((await failures(batchSchedulerConformance(() => ({ name: 'broken', priority: () => NaN })))).join()).toContain('not finite');
  });

  it('a release policy that starves', async () => {
    const policy: ReleasePolicy = { name: 'miser', release: () => 0 };
    expect(await failures(releasePolicyConformance(() => policy))).toEqual(['held back a request past its deadline: it would wait for ever']);
  });

  it('a scaling policy that takes unknown for zero', async () => {
    const policy: ScalingPolicy = {
      name: 'trusting',
      decide: (fleet) =>
        fleet.endpoints.flatMap((e) =>
          (e.kvCacheUtilization ?? 0) < 0.3 && e.readyInstances > e.minInstances
            ? [{ endpointId: e.endpointId, targetInstances: e.readyInstances - 1, reason: 'low' }]
            : [],
        ),
    };
    expect(await failures(scalingPolicyConformance(() => policy))).toEqual(['scaled in to 5 with nothing known']);
  });

  it('telemetry with NaN, and an actuator that acts twice', async () => {
    expect(
      await failures(
        telemetrySourceConformance(() => ({
          snapshot: () => fakeFleet([fakeEndpoint({ kvCacheUtilization: NaN })]),
          demand: () => Promise.reject(new Error('not asked')),
        })),
      ),
    ).not.toEqual([]);
    const decisions = [{ endpointId: fakeEndpoint().endpointId, targetInstances: 3, reason: 'test' }];
    const eager = { apply: () => [{ endpointId: decisions[0]!.endpointId, status: 'applied' as const, reachedInstances: 3, detail: undefined }] };
    expect(await failures(actuatorConformance(() => eager, decisions))).toHaveLength(1);
  });
});
