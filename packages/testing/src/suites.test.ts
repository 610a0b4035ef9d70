import {
  type AcquisitionPolicy,
  type ControlLoop,
  type Forecaster,
  modelId,
  type OverflowPolicy,
  PlacementGrid,
  type PlacementOptimizer,
  type PlacementProblem,
  regionId,
  type RegionRouter,
  type ReleasePolicy,
  type ScalingPolicy,
  skuId,
  type VictimPolicy,
} from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { acquisitionPolicyConformance, victimPolicyConformance } from './acts-suites.js';
import type { ConformanceCase } from './conformance-case.js';
import { actuatorConformance, controlLoopConformance, telemetrySourceConformance } from './control-suites.js';
import { fakeEndpoint, fakeFleet } from './fakes.js';
import { forecasterConformance, placementOptimizerConformance } from './model-suites.js';
import { overflowPolicyConformance } from './overflow-suite.js';
import {
  batchSchedulerConformance,
  instanceRouterConformance,
  regionRouterConformance,
  releasePolicyConformance,
} from './routing-suites.js';
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
    expect(
      await failures(
        instanceRouterConformance(() => ({ name: 'careless', route: (_q, pool) => (pool.count > 0 ? 0 : -1) })),
      ),
    ).not.toEqual([]);
  });

  it('a scheduler whose keys are not numbers', async () => {
    expect(
      (await failures(batchSchedulerConformance(() => ({ name: 'broken', priority: () => NaN })))).join(),
    ).toContain('not finite');
  });

  it('a release policy that starves', async () => {
    const policy: ReleasePolicy = { name: 'miser', release: () => 0 };
    expect(await failures(releasePolicyConformance(() => policy))).toEqual([
      'held back a request past its deadline: it would wait for ever',
    ]);
  });

  it('a scaling policy that takes unknown for zero', async () => {
    const policy: ScalingPolicy = {
      name: 'trusting',
      decide: (fleet) =>
        fleet.endpoints.flatMap((e) =>
          (e.kvCacheUtilization ?? 0) < 0.3 && e.readyInstances! > e.minInstances
            ? [{ endpointId: e.endpointId, targetInstances: e.readyInstances! - 1, reason: 'low' }]
            : [],
        ),
    };
    expect(await failures(scalingPolicyConformance(() => policy))).toEqual([
      'scaled in to 5 with nothing known',
      'decided for an endpoint whose provisioningInstances are not known',
    ]);
  });

  it('a victim policy that waits for a load that is known, one that is out by one, and one that promises', async () => {
    const suite = (choose: VictimPolicy['choose']) =>
      failures(victimPolicyConformance(() => ({ name: 'mine', choose })));
    const least: VictimPolicy['choose'] = (candidates) => {
      let best = -1;
      for (let i = 0; i < candidates.count; i++)
        if (best === -1 || candidates.outstandingTokens(i)! < candidates.outstandingTokens(best)!) best = i;
      return best;
    };
    expect(await suite(least)).toEqual([]);
    expect(
      await suite((candidates) => {
        const some = [...Array(candidates.count).keys()].filter((i) => candidates.outstandingTokens(i) !== undefined);
        return some.length === 0 ? -1 : least(candidates, 0);
      }),
    ).toContain('answered with -1 where region-a/model-a/sku-a has 3 to choose from, of which nothing is known');
    expect((await suite((candidates) => candidates.count)).join()).toContain('where region-a/model-a/sku-a has');
    const promise = (() => Promise.resolve(0)) as unknown as VictimPolicy['choose'];
    expect((await suite(promise)).join()).toContain('a promise, and it must answer at once');
    let turn = 0;
    expect(await suite((candidates) => turn++ % candidates.count)).toEqual(['remembers something and has no save()']);
  });

  it('an acquisition policy that compares what is not known, or names a kind', async () => {
    const suite = (choose: AcquisitionPolicy['choose']) =>
      failures(acquisitionPolicyConformance(() => ({ name: 'mine', choose })));
    expect(await suite(() => -1)).toEqual([]);
    expect(await suite((options) => options.count - 1)).toEqual([]);
    const priciest: AcquisitionPolicy['choose'] = (options) => {
      const usd = Array.from({ length: options.count }, (_, o) => options.usdPerHour(o)!);
      return usd.findIndex((one) => one === Math.max(...usd)) - 1;
    };
    expect((await suite(priciest)).join()).toContain('of which nothing is known');
    const kind = ((options) => options.kind(0)) as (...args: Parameters<AcquisitionPolicy['choose']>) => unknown;
    expect((await suite(kind as AcquisitionPolicy['choose'])).join()).toContain('answered with the text "');
    expect((await suite(() => -2)).join()).toContain('answered with -2');
  });

  it('an overflow policy that leaves home for the unknown, one that promises, and one that takes turns', async () => {
    const suite = (overflows: OverflowPolicy['overflows']) =>
      failures(overflowPolicyConformance(() => ({ name: 'mine', overflows })));
    expect(await suite(() => false)).toEqual([]);
    expect(await suite((_request, { kvCacheUtilization: used }) => used === undefined || used >= 0.6)).toEqual([
      'left home, and nothing is known',
      'left home for what is not known',
    ]);
    const promise = (() => Promise.resolve(false)) as unknown as OverflowPolicy['overflows'];
    expect((await suite(promise)).join()).toContain(
      'a promise, and it must answer at once where pool-a may pass a request on to pool-b',
    );
    let turn = 0;
    expect(await suite((_request, _home, other) => other.kvCacheUtilization !== undefined && turn++ % 2 === 0)).toEqual(
      ['remembers something and has no save()'],
    );
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
    const eager = {
      apply: () => [
        { endpointId: decisions[0]!.endpointId, status: 'applied' as const, reachedInstances: 3, detail: undefined },
      ],
    };
    expect(await failures(actuatorConformance(() => eager, decisions))).toEqual([
      'region-a/model-a/sku-a was applied by a repeated decision',
      'an endpoint that does not exist was passed over',
      'region-a/model-a/sku-a was applied under an older fence',
    ]);
  });
});

describe('conformance suites accept what keeps a contract, and say what does not', () => {
  const lastValue = (quantiles: readonly number[]): Forecaster => ({
    name: 'last-value',
    minHistorySteps: 1,
    forecast(history, horizonSteps) {
      const last = history.promptTokensPerS.findLast((value) => value >= 0) ?? 0;
      const column = (part: number) => ({
        mean: new Float64Array(horizonSteps).fill(last * part),
        quantiles: quantiles.map((scale, i) => ({
          level: 0.1 + 0.4 * i,
          values: new Float64Array(horizonSteps).fill(last * part * scale),
        })),
      });
      return {
        ...column(1),
        startMs: history.startMs + history.promptTokensPerS.length * history.stepMs,
        stepMs: history.stepMs,
        promptTokensPerS: column(0.75),
        outputTokensPerS: column(0.25),
        method: 'last-value',
      };
    },
  });

  it('forecasters', async () => {
    expect(await failures(forecasterConformance(() => lastValue([0.5, 1, 2])))).toEqual([]);
    expect((await failures(forecasterConformance(() => lastValue([2, 1])))).join()).toContain(
      'the 0.5 quantile lies under the 0.1 quantile',
    );
  });

  it('placement optimisers', async () => {
    const grid = (value: number) => new PlacementGrid(1, 1, 1, Float64Array.of(value));
    const problem: PlacementProblem = {
      models: [modelId('m')],
      regions: [regionId('r')],
      skus: [skuId('k')],
      current: grid(2),
      minInstances: grid(1),
      maxInstances: grid(4),
      tokensPerSPerInstance: grid(100),
      gpusPerInstance: grid(8),
      gpuCapacity: grid(24),
      usdPerInstanceHour: grid(1),
      startUsd: grid(1),
      demandTokensPerS: [grid(150)],
      localShare: 0.8,
    };
    const answering = (target: number, obedient = true): PlacementOptimizer => ({
      name: 'fixed',
      async solve(_, options) {
        if (obedient) options?.signal?.throwIfAborted();
        return { status: 'feasible', target: grid(target), objectiveUsd: 0, relativeGap: undefined, solver: 'fixed' };
      },
    });
    expect(await failures(placementOptimizerConformance(() => answering(2), problem))).toEqual([]);
    expect(await failures(placementOptimizerConformance(() => answering(4), problem))).toEqual([
      'uses more GPUs than region 0 has',
    ]);
    expect(await failures(placementOptimizerConformance(() => answering(1.5), problem))).toEqual([
      'target 1.5 is not a whole number',
    ]);
    expect(await failures(placementOptimizerConformance(() => answering(1), problem))).toEqual([
      'r holds too little of m for its own share in window 0',
    ]);
    expect(await failures(placementOptimizerConformance(() => answering(2, false), problem))).toEqual([
      'went on after an abort',
    ]);
    let next = 1;
    expect(await failures(placementOptimizerConformance(() => answering(2 + (next++ % 2)), problem))).toEqual([
      'gave two plans',
    ]);
  });

  it('control loops', async () => {
    const loop = (stepMs: number): ControlLoop => {
      let next = 0;
      return {
        get nextTickAtMs() {
          return next;
        },
        tick(nowMs) {
          next = nowMs + stepMs;
          return Promise.resolve({ atMs: nowMs, decisions: [], results: [], degradations: [] });
        },
      };
    };
    expect(await failures(controlLoopConformance(() => loop(60_000)))).toEqual([]);
    expect(await failures(controlLoopConformance(() => loop(0)))).toEqual(['asked for no later tick']);
  });
});

describe('a scaling policy with a memory', () => {
  const counting = (saves: boolean): ScalingPolicy => {
    let asked = 0;
    return {
      name: 'counting',
      decide: (fleet) =>
        ++asked % 7 === 0
          ? fleet.endpoints.map(({ endpointId, maxInstances }) => ({
              endpointId,
              targetInstances: maxInstances,
              reason: 'x',
            }))
          : [],
      ...(saves ? { save: () => ({ version: 1, state: 0 }), restore: () => undefined } : {}),
    };
  };

  it('has to save it, and all of it', async () => {
    expect(await failures(scalingPolicyConformance(() => counting(false)))).toContain(
      'remembers something and has no save()',
    );
    expect(await failures(scalingPolicyConformance(() => counting(true)))).toContain(
      'decides otherwise after a restart',
    );
  });
});
