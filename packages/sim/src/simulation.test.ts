import { createRng, modelId, regionId, skuId, type WorkloadTier, WORKLOAD_TIERS } from '@sageserve/core';
import {
  createDpaScheduler,
  createPfScheduler,
  createRandomOfTwoRouter,
  createUtilizationRelease,
} from '@sageserve/routing';
import { createReactiveScaling } from '@sageserve/scaling';
import { generateO365Trace, traceFromRequests } from '@sageserve/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearPerformance, outcomes, request, scriptedScaling, testConfig } from './fixtures.js';
import type { EndpointSample } from './results.js';
import { simulate } from './simulation.js';

const HOUR = 3_600_000;
const MINUTE = 60_000;

const traffic = (seed: number, requestsPerDay: number, hours: number, regions = 2) =>
  generateO365Trace({
    seed,
    durationMs: hours * HOUR,
    requestsPerDay,
    regions: Array.from({ length: regions }, (_, r) => ({ name: `r${r}`, share: r + 1 })),
    models: [{ name: 'm', share: 1 }],
    burst: { everyMs: HOUR, lengthMs: MINUTE, factor: 9 },
  });

describe('invariants', () => {
  it(
    'hold on random fleets and traffic: requests, KV memory, instances and GPUs are conserved, time goes on, ' +
      'nothing idles with work',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            seed: fc.nat(10_000),
            requestsPerDay: fc.integer({ min: 2_000, max: 150_000 }),
            instances: fc.integer({ min: 1, max: 4 }),
            extra: fc.integer({ min: 0, max: 4 }),
            kv: fc.integer({ min: 9_000, max: 40_000 }),
            chunkedPrefill: fc.boolean(),
            reserve: fc.boolean(),
            rttMs: fc.constantFrom(0, 40),
            scaling: fc.boolean(),
          }),
          async (o) => {
            const seen = outcomes();
            const result = await simulate(
              testConfig({
                regions: 2,
                instances: o.instances,
                maxInstances: o.instances + o.extra,
                performance: linearPerformance(o.kv),
                rttMs: o.rttMs,
                engine: {
                  chunkedPrefill: o.chunkedPrefill,
                  kvAllocation: o.reserve ? 'reserve' : 'growth',
                  maxBatchTokens: 2_048,
                  maxBatchRequests: 64,
                },
                policies: {
                  batchScheduler: createPfScheduler(),
                  release: createUtilizationRelease(),
                  instanceRouter: createRandomOfTwoRouter({ rng: createRng(o.seed) }),
                  ...(o.scaling ? { scaling: createReactiveScaling({ scaleOutAbove: 0.3, scaleInBelow: 0.1 }) } : {}),
                },
              }),
              traffic(o.seed, o.requestsPerDay, 1),
              { ...seen, audit: true },
            );
            const { total } = result;
            expect(total.arrived).toBe(total.completed + total.rejected + total.unfinished);
            expect(total.unfinished).toBe(0);
            expect(seen.byId.size).toBe(total.arrived);
            expect(result.byGroup.reduce((sum, g) => sum + g.requests.arrived, 0)).toBe(total.arrived);
            const { capacity } = result;
            expect(capacity.gpuHours).toBeGreaterThanOrEqual(capacity.wastedGpuHours + capacity.idleGpuHours - 1e-9);
            expect(capacity.gpuHours + result.spotGpuHours).toBeLessThanOrEqual(
              ((o.instances + o.extra) * 2 * result.durationMs) / HOUR + 1e-9,
            );
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  it('arrived ≤ first token ≤ completed for every request', async () => {
    let checked = 0;
    await simulate(testConfig({ regions: 2, instances: 2, rttMs: 30 }), traffic(3, 100_000, 2), {
      audit: true,
      onRequestEnd(requests, slot, outcome, endedAtMs) {
        if (outcome !== 'completed') return;
        checked++;
        expect(
          requests.arrivedAtMs[slot] <= requests.startedAtMs[slot] &&
            requests.startedAtMs[slot] <= requests.firstTokenAtMs[slot] &&
            requests.firstTokenAtMs[slot] <= endedAtMs,
        ).toBe(true);
      },
    });
    expect(checked).toBeGreaterThan(5_000);
  });

  it('the same seed gives the same bytes', async () => {
    const run = async (seed: number): Promise<string> => {
      const samples: EndpointSample[] = [];
      const result = await simulate(
        testConfig({
          regions: 2,
          instances: 2,
          maxInstances: 6,
          policies: {
            scaling: createReactiveScaling(),
            release: createUtilizationRelease(),
            instanceRouter: createRandomOfTwoRouter({ rng: createRng(seed) }),
          },
        }),
        traffic(seed, 80_000, 2),
        { onSample: (sample) => samples.push(sample) },
      );
      return JSON.stringify([result, samples]);
    };
    expect(await run(1)).toBe(await run(1));
    expect(await run(1)).not.toBe(await run(2));
  });

  it('no policy is shown a true output length', async () => {
    const views: unknown[] = [];
    await simulate(
      testConfig({
        policies: {
          regionRouter: { name: 'spy', route: (q) => (views.push({ ...q }), 0) },
          instanceRouter: { name: 'spy', route: (q) => (views.push({ ...q }), 0) },
          batchScheduler: { name: 'spy', priority: (q) => (views.push({ ...q }), q.arrivedAtMs) },
        },
      }),
      traceFromRequests([request(0, 11, 1_234)]),
    );
    expect(views).toHaveLength(3);
    expect(JSON.stringify(views)).not.toContain('1234');
  });

  it('stops with the signal’s reason', async () => {
    await expect(
      simulate(testConfig(), traffic(1, 10_000, 1, 1), { signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
  });
});

describe('capacity', () => {
  it('counts instance-hours exactly, up to the end of the run', async () => {
    const result = await simulate(
      testConfig({ instances: 3, durationMs: 2 * HOUR }),
      traceFromRequests([request(0, 100, 10)]),
    );
    expect(result.capacity).toMatchObject({ instanceHours: 6, gpuHours: 6, wastedGpuHours: 0, costUsd: 6 });
    expect(result.capacity.idleGpuHours).toBeCloseTo(6 - (0.015 + 9 * 0.00561) / 3_600, 5);
  });

  it('takes the cheapest way first: draining, spot of the same model, another model’s spot, a new VM', async () => {
    const other = modelId('other');
    const base = testConfig({ instances: 4, maxInstances: 6, minInstances: 0, gpus: 8, durationMs: 6 * HOUR });
    const config = {
      ...base,
      models: [...base.models, other],
      endpoints: [
        ...base.endpoints,
        { ...base.endpoints[0], model: other, initialInstances: 2, minInstances: 0, maxInstances: 8 },
      ],
    };
    // m gives up two; other takes them by redeploying, one reclaimed of its own before that, then
    // new VMs while GPUs last.
    const script: [number, number, number][] = [
      [10_000, 0, 2],
      [20_000, 1, 1],
      [30_000, 1, 5],
    ];
    const policy = {
      name: 'scripted',
      decide(fleet: { endpoints: readonly { endpointId: string }[] }, _plan: unknown, nowMs: number) {
        return script
          .filter(([at]) => at === nowMs)
          .map(([, endpoint, targetInstances]) => ({
            endpointId: fleet.endpoints[endpoint].endpointId as never,
            targetInstances,
            reason: 'script',
          }));
      },
    };
    const { actions, capacity } = await simulate(
      { ...config, policies: { ...config.policies, scaling: policy } },
      traceFromRequests([request(0, 10, 2)]),
      {
        audit: true,
      },
    );
    expect(actions.acquiredByWay).toEqual({ initial: 6, reclaim: 1, redeploy: 2, 'new-vm': 1 });
    expect(capacity.wastedGpuHoursByWay.reclaim).toBeCloseTo(MINUTE / HOUR, 9);
    expect(capacity.wastedGpuHoursByWay.redeploy).toBeCloseTo((2 * 10 * MINUTE) / HOUR, 9);
    expect(capacity.wastedGpuHoursByWay['new-vm']).toBeCloseTo((40 * MINUTE) / HOUR, 9);
  });

  it('drains before it donates, takes no new work meanwhile, and puts a draining instance back for nothing', async () => {
    const samples: EndpointSample[] = [];
    const result = await simulate(
      testConfig({
        instances: 2,
        durationMs: 10 * MINUTE,
        policies: {
          scaling: scriptedScaling([
            [10_000, 1],
            [150_000, 2],
          ]),
        },
      }),
      traceFromRequests([request(0, 50_000, 30_000), request(1, 50_000, 30_000), request(20_000, 10, 10)]),
      { onSample: (sample) => samples.push(sample), audit: true },
    );
    expect(samples[0]).toMatchObject({ readyInstances: 1, drainingInstances: 1 });
    expect(result.actions).toMatchObject({ resumed: 1, acquiredByWay: { reclaim: 0 } });
    expect(result.total.completed).toBe(3);
    expect(result.spotGpuHours).toBe(0);
  });

  it('gives up what is still being provisioned before it drains a ready one', async () => {
    const result = await simulate(
      testConfig({
        instances: 1,
        maxInstances: 3,
        durationMs: HOUR,
        policies: {
          scaling: scriptedScaling([
            [10_000, 3],
            [20_000, 1],
          ]),
        },
      }),
      traceFromRequests([request(0, 10, 10)]),
      { audit: true },
    );
    expect(result.actions).toMatchObject({ cancelled: 2, acquiredByWay: { 'new-vm': 2 } });
    expect(result.capacity.wastedGpuHours).toBeCloseTo((2 * 10) / 3_600, 9);
  });

  it('keeps the spot pool when a request for GPUs is refused', async () => {
    const base = testConfig({ instances: 1, durationMs: HOUR });
    const config = {
      ...base,
      gpuCapacity: [[10]],
      models: [...base.models, modelId('big')],
      endpoints: [
        { ...base.endpoints[0], gpusPerInstance: 2, minInstances: 0 },
        { ...base.endpoints[0], model: modelId('big'), gpusPerInstance: 8, maxInstances: 2 },
      ],
    };
    const script: readonly (readonly [number, number, number])[] = [
      [10_000, 0, 0],
      [20_000, 1, 2],
      [30_000, 0, 1],
    ];
    const scaling = {
      name: 'scripted',
      decide: (fleet: { endpoints: readonly { endpointId: string }[] }, _plan: unknown, nowMs: number) =>
        script
          .filter(([at]) => at === nowMs)
          .map(([, endpoint, targetInstances]) => ({
            endpointId: fleet.endpoints[endpoint].endpointId as never,
            targetInstances,
            reason: 'script',
          })),
    };
    const { actions } = await simulate(
      { ...config, policies: { ...config.policies, scaling } },
      traceFromRequests([]),
      { audit: true },
    );
    expect(actions).toMatchObject({ refused: 1, scaleOut: 1, acquiredByWay: { reclaim: 1, 'new-vm': 0 } });
  });

  it('sees KV memory grow while a long answer is decoded', async () => {
    const samples: EndpointSample[] = [];
    await simulate(
      testConfig({ durationMs: 10 * MINUTE, performance: { ...linearPerformance(50_000), iterationMs: () => 20 } }),
      traceFromRequests([request(0, 100, 40_000)]),
      { onSample: (sample) => samples.push(sample), audit: true },
    );
    expect(samples).toHaveLength(10);
    for (const [minute, sample] of samples.entries())
      expect(sample.kvCacheUtilization).toBeCloseTo((100 + ((minute + 1) * MINUTE) / 20) / 50_000, 3);
  });

  it('takes the instance that can hold a long request where a pool has several SKUs', async () => {
    const base = testConfig({ performance: linearPerformance(1_000) });
    const big = { ...base.endpoints[0], sku: skuId('big'), performance: linearPerformance(100_000) };
    const config = {
      ...base,
      skus: [...base.skus, { ...base.skus[0], skuId: skuId('big') }],
      gpuCapacity: [[1, 1]],
      endpoints: [base.endpoints[0], big],
    };
    const result = await simulate(config, traceFromRequests([request(0, 5_000, 10), request(0, 5_000, 10)]), {
      audit: true,
    });
    expect(result).toMatchObject({ rejectedTooLong: 0, total: { completed: 2 } });
  });

  it('says when a region has no GPU left', async () => {
    const result = await simulate(
      testConfig({
        instances: 2,
        maxInstances: 5,
        gpus: 3,
        durationMs: HOUR,
        policies: { scaling: scriptedScaling([[10_000, 5]]) },
      }),
      traceFromRequests([request(0, 10, 10)]),
      { audit: true },
    );
    expect(result.actions).toMatchObject({ refused: 2, acquiredByWay: { 'new-vm': 1 } });
  });
});

describe('regions', () => {
  it('sends work on when a region is full, and charges the round trip before the first token', async () => {
    const seen = outcomes();
    const config = testConfig({ regions: 2, rttMs: 50, performance: linearPerformance(1_000) });
    const result = await simulate(config, traceFromRequests([request(0, 800, 100), request(1_000, 10, 2)]), {
      ...seen,
      audit: true,
    });
    // The first fills its region from its second event on; the second request finds it above 0.7.
    expect([seen.byId.get(0)!.region, seen.byId.get(1)!.region]).toEqual([0, 0]);
    const busy = outcomes();
    await simulate(config, traceFromRequests([request(0, 800, 100), request(20, 10, 2)]), { ...busy });
    expect(busy.byId.get(1)!.region).toBe(1);
    expect(busy.byId.get(1)!.firstTokenAtMs - 20).toBeCloseTo(50 + 6, 6);
    expect(result.servedAway).toBe(0);
  });

  it('never serves a request outside its residency set, interactive or not, and rejects what no region may serve', async () => {
    const config = testConfig({
      regions: 3,
      performance: linearPerformance(2_000),
      policies: { release: createUtilizationRelease() },
    });
    const served = outcomes();
    const list = Array.from({ length: 400 }, (_, i) =>
      request(i * 5, 200, 20, {
        originRegion: `r${i % 3}`,
        tier: i % 2 === 0 ? 'interactive-fast' : 'non-interactive',
        allowedRegions: [`r${i % 3}`],
        ...(i % 2 === 0 ? {} : { deadlineAtMs: i * 5 + HOUR }),
      }),
    );
    const result = await simulate(config, traceFromRequests(list), { ...served, audit: true });
    for (const [id, { region, outcome }] of served.byId) if (outcome === 'completed') expect(region).toBe(id % 3);
    expect(result.total.completed).toBe(400);
    const onlyFirst = { ...config, endpoints: config.endpoints.slice(0, 1) };
    const rejected = await simulate(
      onlyFirst,
      traceFromRequests([
        request(0, 10, 10, { allowedRegions: ['r1'] }),
        request(0, 10, 10, { tier: 'non-interactive', allowedRegions: ['r2'] }),
      ]),
      { audit: true },
    );
    expect(rejected).toMatchObject({ rejectedNoRegion: 2, total: { rejected: 2, completed: 0 } });
  });

  it('refuses a trace that names regions or models which the fleet does not have', async () => {
    await expect(simulate(testConfig(), traceFromRequests([request(0, 1, 1, { model: 'x' })]))).rejects.toThrow(
      'models: the trace asks for the model "x", which the fleet does not have',
    );
    await expect(
      simulate(testConfig(), traceFromRequests([request(0, 1, 1, { originRegion: 'mars' })])),
    ).rejects.toThrow('regions: the trace names the region "mars"');
  });
});

describe('two pools that serve one tier', () => {
  /**
   * The first pool's instance holds 1,000 tokens and the second's 2,000; the second begins with
   * `second` instances.
   */
  const poolsOf = (second = 1) => {
    const base = testConfig({ policies: { scaling: { name: 'none', decide: () => [] } } });
    const endpoint = base.endpoints[0];
    return {
      ...base,
      gpuCapacity: [[4]],
      endpoints: [
        { ...endpoint, pool: 'first', performance: { ...linearPerformance(1_000), iterationMs: () => 10 } },
        {
          ...endpoint,
          pool: 'second',
          minInstances: 0,
          initialInstances: second,
          performance: { ...linearPerformance(2_000), iterationMs: () => 10 },
        },
      ],
    };
  };
  const pools = async (config: ReturnType<typeof poolsOf>, list: readonly [atMs: number, prompt: number][]) => {
    const chosen: string[] = [];
    const spy = {
      name: 'spy',
      route: (_q: unknown, pool: { key: string; count: number }) => (
        chosen.push(pool.key.split('/')[2]),
        pool.count > 0 ? 0 : -1
      ),
    };
    await simulate(
      { ...config, policies: { ...config.policies, instanceRouter: spy } },
      traceFromRequests(list.map(([atMs, prompt]) => request(atMs, prompt, 200))),
      { audit: true },
    );
    return chosen;
  };

  it('the first takes what it has room for, and what it has none for goes to the other while that is emptier', async () => {
    // 560 of 1,000 tokens are not six tenths. 900 are: full, the other empty. 1,500 of 2,000 in the
    // other are less full than the first; 1,950 are not.
    expect(
      await pools(poolsOf(), [
        [0, 550],
        [100, 320],
        [200, 1_500],
        [300, 450],
        [400, 10],
      ]),
    ).toEqual(['first', 'first', 'second', 'second', 'first']);
  });

  it('a pool without an instance is full, and takes nothing that the other could', async () => {
    expect(
      await pools(poolsOf(0), [
        [0, 900],
        [100, 50],
        [200, 10],
      ]),
    ).toEqual(['first', 'first', 'first']);
  });
});

describe('non-interactive work', () => {
  const batch = (at: number, deadlineMs: number) =>
    request(at, 100, 10, { tier: 'non-interactive', deadlineAtMs: at + deadlineMs });

  it(
    'waits while the endpoint is busy and never for ever: every request ends by its deadline when there is ' +
      'capacity for it',
    async () => {
      // Interactive load that keeps utilisation above both thresholds for two hours.
      const interactive = Array.from({ length: 24_000 }, (_, s) => request(s * 300, 600, 150));
      const held = Array.from({ length: 200 }, (_, i) => batch(i * 1_000, 3 * HOUR));
      const list = [...interactive, ...held].sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
      let longestHeld = 0;
      const result = await simulate(
        testConfig({
          performance: linearPerformance(3_000),
          policies: { release: createUtilizationRelease(), batchScheduler: createDpaScheduler() },
        }),
        traceFromRequests(list),
        {
          audit: true,
          onSample: (sample) => {
            longestHeld = Math.max(longestHeld, sample.heldRequests);
          },
        },
      );
      expect(longestHeld).toBeGreaterThan(10);
      expect(result.byTier['non-interactive']).toMatchObject({ completed: 200, unfinished: 0, deadlineMisses: 0 });
    },
  );

  it('is not dragged along when another request of its model has nowhere to run', async () => {
    const config = testConfig({
      regions: 2,
      policies: { release: { name: 'deadline', release: (held, _pool, nowMs) => held.countDueBy(nowMs + 1_000) } },
    });
    const result = await simulate(
      { ...config, endpoints: config.endpoints.slice(0, 1) },
      traceFromRequests([
        batch(0, 60_000),
        batch(1, 60_000),
        request(2, 100, 10, { tier: 'non-interactive', allowedRegions: ['r1'] }),
      ]),
      { audit: true },
    );
    expect(result).toMatchObject({ rejectedNoRegion: 1, total: { completed: 2, rejected: 1 } });
  });

  it('keeps its place when no instance is ready, and goes when one is', async () => {
    const result = await simulate(
      testConfig({
        instances: 0,
        maxInstances: 1,
        minInstances: 0,
        durationMs: 2 * HOUR,
        policies: { release: createUtilizationRelease(), scaling: scriptedScaling([[60_000, 1]]) },
      }),
      traceFromRequests([request(0, 10, 10), batch(0, 24 * HOUR)]),
      { audit: true },
    );
    expect(result.total).toMatchObject({ completed: 2 });
    expect(result.total.ttftMs.max!).toBeGreaterThan(40 * MINUTE);
  });
});

describe('configuration', () => {
  it('is refused before the run, with the field’s path', async () => {
    const trace = traceFromRequests([]);
    const base = testConfig({ instances: 2 });
    const endpoint = base.endpoints[0];
    const broken: [string, Parameters<typeof simulate>[0]][] = [
      ['endpoints[0].region: unknown region "x"', { ...base, endpoints: [{ ...endpoint, region: regionId('x') }] }],
      ['endpoints[0].sku: unknown SKU "x"', { ...base, endpoints: [{ ...endpoint, sku: skuId('x') }] }],
      [
        'endpoints[0].maxInstances: must be a whole number of at least minInstances (3), not 2',
        { ...base, endpoints: [{ ...endpoint, minInstances: 3 }] },
      ],
      ['gpuCapacity[0][0]: r0 has 1 GPUs of gpu, too few for the initial instances', { ...base, gpuCapacity: [[1]] }],
      ['networkRttMs: needs 1 rows, not 0', { ...base, networkRttMs: [] }],
      [
        'engine.maxBatchTokens: must be above maxBatchRequests',
        { ...base, engine: { maxBatchRequests: 10, maxBatchTokens: 10 } },
      ],
      ['engine.maxBatchTokens: is needed where prompts are not cut', { ...base, engine: { chunkedPrefill: false } }],
      ['engine.chunkMs: must be a finite number above 0', { ...base, engine: { chunkMs: 0 } }],
      ['engine.maxBatchTokens: must be 2 or more, not 1', { ...base, engine: { maxBatchTokens: 1 } }],
      [
        'endpoints[0].maxBatchTokens: must be 2 or more, not 1',
        { ...base, endpoints: [{ ...endpoint, maxBatchTokens: 1 }] },
      ],
      ['endpoints[0].maxBatchTokens: must be', { ...base, endpoints: [{ ...endpoint, maxBatchTokens: 1.5 }] }],
      ['unknown engine "vllm"', { ...base, engine: { like: 'vllm' as 'vllm-v1' } }],
      [
        'serves interactive-fast in more than two pools: shared, second, third',
        {
          ...base,
          gpuCapacity: [[9]],
          endpoints: [endpoint, { ...endpoint, pool: 'second' }, { ...endpoint, pool: 'third' }],
        },
      ],
    ];
    for (const [message, config] of broken) await expect(simulate(config, trace)).rejects.toThrow(message);
  });

  it('runs a trace without requests', async () => {
    const result = await simulate(testConfig({ durationMs: HOUR }), traceFromRequests([]), { audit: true });
    expect(result.total).toMatchObject({ arrived: 0, sloAttainment: undefined });
    expect(JSON.stringify(result)).not.toContain('NaN');
  });
});

it('every tier is a tier', () => {
  // Columns hold positions in this list: its order is part of the format.
  expect(WORKLOAD_TIERS).toEqual([
    'interactive-fast',
    'interactive-normal',
    'non-interactive',
  ] satisfies WorkloadTier[]);
});
