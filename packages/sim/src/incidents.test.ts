import { modelId, regionId, skuId, type WorkloadTier, WORKLOAD_TIERS } from '@sageserve/core';
import { createHeadroomRelease, createPfScheduler } from '@sageserve/routing';
import { createReactiveScaling } from '@sageserve/scaling';
import { generateO365Trace, traceFromRequests } from '@sageserve/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearPerformance, outcomes, request, spyEveryMinute, testConfig } from './fixtures.js';
import type { Incident } from './incidents.js';
import { simulate } from './simulation.js';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const r0 = regionId('r0');
const gpu = skuId('gpu');

const traffic = (seed: number, requestsPerDay: number) =>
  generateO365Trace({
    seed,
    durationMs: 2 * HOUR,
    requestsPerDay,
    regions: [
      { name: 'r0', share: 1 },
      { name: 'r1', share: 1 },
    ],
    models: [{ name: 'm', share: 1 }],
  });

describe('incidents', () => {
  it('of every kind leave no request unaccounted for, and break no invariant', async () => {
    const time = fc.integer({ min: 1, max: 110 }).map((minutes) => minutes * MINUTE + 12_345);
    const incident: fc.Arbitrary<Incident> = fc.oneof(
      fc.record({
        kind: fc.constant('region-outage' as const),
        atMs: time,
        durationMs: time,
        region: fc.constantFrom(r0, regionId('r1')),
      }),
      fc.record({ kind: fc.constant('telemetry-outage' as const), atMs: time, durationMs: time }),
      fc.record({
        kind: fc.constant('eviction' as const),
        atMs: time,
        noticeMs: fc.constantFrom(0, 5_000, 30_000),
        region: fc.constantFrom(r0, regionId('r1')),
        sku: fc.constant(gpu),
        instances: fc.integer({ min: 1, max: 4 }),
        target: fc.constantFrom('on-demand' as const, 'spot' as const),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(incident, { minLength: 1, maxLength: 5 }),
        fc.nat(1_000),
        fc.integer({ min: 20_000, max: 120_000 }),
        fc.boolean(),
        fc.boolean(),
        async (incidents, seed, requestsPerDay, reserve, chunkedPrefill) => {
          const seen = outcomes();
          const config = testConfig({
            regions: 2,
            instances: 3,
            maxInstances: 5,
            gpus: 6,
            rttMs: 30,
            performance: linearPerformance(30_000),
            incidents,
            engine: {
              kvAllocation: reserve ? 'reserve' : 'growth',
              chunkedPrefill,
              maxBatchTokens: 2_048,
              maxBatchRequests: 64,
            },
            policies: {
              batchScheduler: createPfScheduler(),
              release: createHeadroomRelease(),
              scaling: createReactiveScaling({ scaleOutAbove: 0.5, scaleInBelow: 0.1 }),
            },
          });
          const spot = {
            ...config,
            endpoints: config.endpoints.map((endpoint) => ({ ...endpoint, initialSpotInstances: 2 })),
          };
          const { total, rerouted } = await simulate(spot, traffic(seed, requestsPerDay), { ...seen, audit: true });
          expect(total.completed + total.rejected + total.unfinished).toBe(total.arrived);
          expect(total.unfinished).toBe(0);
          expect(seen.byId.size).toBe(total.arrived);
          expect(rerouted).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('an outage sends what ran there elsewhere, from its beginning, with its latency counted from its arrival', async () => {
    const seen = outcomes();
    const result = await simulate(
      testConfig({
        regions: 2,
        incidents: [{ kind: 'region-outage', atMs: 1_000, durationMs: HOUR, region: r0 }],
        durationMs: 2 * HOUR,
        policies: { scaling: { name: 'none', decide: () => [] } },
      }),
      traceFromRequests([request(0, 100, 1_000), request(2_000, 100, 10), request(2 * HOUR - 1, 100, 10)]),
      { ...seen, audit: true },
    );
    expect(result).toMatchObject({ rerouted: 1, servedAway: 3, rejectedNoRegion: 0, total: { completed: 3 } });
    // The region is back after an hour, and nobody asks for instances there: the last one is better
    // off away too.
    expect([...seen.byId.values()].map((one) => one.region)).toEqual([1, 1, 1]);
    expect(result.byTier['interactive-fast']!.ttftMs.max).toBeGreaterThan(1_000);
    expect(result.actions.lost).toBe(1);
  });

  it('policies are told how often a request began anew, held in between or not', async () => {
    const routed: [number, number][] = [];
    const placed: [number, number][] = [];
    await simulate(
      testConfig({
        regions: 2,
        incidents: [{ kind: 'region-outage', atMs: 1_000, durationMs: HOUR, region: r0 }],
        durationMs: 2 * HOUR,
        policies: {
          scaling: { name: 'none', decide: () => [] },
          release: createHeadroomRelease(),
          regionRouter: {
            name: 'spy',
            route: ({ requestId, attempt }, regions) => {
              routed.push([requestId, attempt]);
              return regions.hosts(0) ? 0 : 1;
            },
          },
          instanceRouter: {
            name: 'spy',
            route: ({ requestId, attempt }) => {
              placed.push([requestId, attempt]);
              return 0;
            },
          },
        },
      }),
      traceFromRequests([
        request(0, 100, 1_000),
        request(1, 100, 1_000, { tier: 'non-interactive' }),
        request(2_000, 100, 10, { tier: 'non-interactive' }),
      ]),
      { audit: true },
    );
    const told = [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
      [2, 0],
    ];
    expect([routed, placed]).toEqual([told, told]);
  });

  it('a request that comes home when it is rerouted is no longer served away', async () => {
    const seen = outcomes();
    const away = { name: 'away', route: (_q: unknown, _regions: unknown, nowMs: number) => (nowMs < 1_000 ? 1 : 0) };
    const config = testConfig({
      regions: 2,
      incidents: [{ kind: 'region-outage', atMs: 1_000, durationMs: HOUR, region: regionId('r1') }],
      policies: { regionRouter: away, scaling: { name: 'none', decide: () => [] } },
    });
    const result = await simulate(
      config,
      traceFromRequests([request(0, 100, 1_000), request(1, 100, 1_000), request(2_000, 100, 10)]),
      {
        ...seen,
        audit: true,
      },
    );
    expect([...seen.byId.values()].map((one) => one.region)).toEqual([0, 0, 0]);
    expect(result).toMatchObject({ rerouted: 2, servedAway: 0, total: { completed: 3 } });
  });

  it('a request that may run nowhere else is rejected and counted as a miss', async () => {
    const result = await simulate(
      testConfig({ regions: 2, incidents: [{ kind: 'region-outage', atMs: 1_000, durationMs: HOUR, region: r0 }] }),
      traceFromRequests([request(0, 100, 1_000, { allowedRegions: ['r0'] })]),
      { audit: true },
    );
    expect(result).toMatchObject({ rejectedNoRegion: 1, total: { rejected: 1, sloAttainment: 0 } });
  });

  it('two outages that overlap last until the later one is over', async () => {
    const ready: [number, number][] = [];
    await simulate(
      testConfig({
        durationMs: 30 * MINUTE,
        incidents: [
          { kind: 'region-outage', atMs: 2 * MINUTE, durationMs: 18 * MINUTE, region: r0 },
          { kind: 'region-outage', atMs: 4 * MINUTE, durationMs: 2 * MINUTE, region: r0 },
          { kind: 'telemetry-outage', atMs: 5 * MINUTE, durationMs: 10 * MINUTE },
          { kind: 'telemetry-outage', atMs: 6 * MINUTE, durationMs: 2 * MINUTE },
        ],
        control: spyEveryMinute(async ({ telemetry }, nowMs) => {
          const { takenAtMs, capacity } = await telemetry.snapshot();
          ready.push([takenAtMs / MINUTE, nowMs / MINUTE < 16 ? 0 : capacity![0].gpuCapacity!]);
        }),
      }),
      traceFromRequests([request(0, 10, 2)]),
      { audit: true },
    );
    expect(ready.slice(4, 16).map(([taken]) => taken)).toEqual([4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 15]);
    expect(ready.slice(16, 22).map(([, gpus]) => gpus)).toEqual([0, 0, 0, 0, 1, 1]);
  });

  it('work that can wait waits for a region to come back', async () => {
    const both = ['r0', 'r1'].map((name): Incident => ({
      kind: 'region-outage',
      atMs: MINUTE,
      durationMs: 10 * MINUTE,
      region: regionId(name),
    }));
    const result = await simulate(
      testConfig({ regions: 2, incidents: both, policies: { scaling: createReactiveScaling() }, durationMs: 2 * HOUR }),
      traceFromRequests([request(2 * MINUTE, 100, 10, { tier: 'non-interactive' }), request(3 * MINUTE, 100, 10)]),
      { audit: true },
    );
    expect(result.byTier['non-interactive']).toMatchObject({ completed: 1, rejected: 0 });
    expect(result.byTier['interactive-fast']).toMatchObject({ completed: 0, rejected: 1 });
  });

  it('a region that is back is empty, and gets its minimum anew with a new VM', async () => {
    const samples: [number, number][] = [];
    const result = await simulate(
      testConfig({
        instances: 2,
        maxInstances: 2,
        minInstances: 2,
        durationMs: 2 * HOUR,
        incidents: [{ kind: 'region-outage', atMs: 10 * MINUTE, durationMs: 20 * MINUTE, region: r0 }],
        policies: { scaling: createReactiveScaling() },
      }),
      traceFromRequests([request(0, 10, 2)]),
      { audit: true, onSample: (s) => samples.push([s.timeMs, s.readyInstances]) },
    );
    expect(result.actions).toMatchObject({ lost: 2, acquiredByWay: { 'new-vm': 2 } });
    const readyAt = (atMs: number) => samples.find(([timeMs]) => timeMs === atMs)![1];
    // Half an hour of outage, forty minutes for a VM.
    expect([readyAt(9 * MINUTE), readyAt(11 * MINUTE), readyAt(69 * MINUTE), readyAt(71 * MINUTE)]).toEqual([
      2, 0, 0, 2,
    ]);
  });

  it('a notice drains: what waits goes elsewhere at once, what runs ends in time or begins anew', async () => {
    const evict = (noticeMs: number) =>
      simulate(
        testConfig({
          instances: 2,
          maxInstances: 2,
          incidents: [
            { kind: 'eviction', atMs: 100, noticeMs, region: r0, sku: gpu, instances: 1, target: 'on-demand' },
          ],
          durationMs: MINUTE,
        }),
        traceFromRequests([request(0, 100, 200), request(1, 100, 200), request(200, 100, 10)]),
        { audit: true },
      );
    // About 1.2 s of work each.
    expect(await evict(5_000)).toMatchObject({
      rerouted: 0,
      actions: { lost: 1 },
      total: { completed: 3 },
      spotGpuHours: 0,
    });
    expect(await evict(300)).toMatchObject({ rerouted: 1, actions: { lost: 1 }, total: { completed: 3 } });
  });

  it('spot that is taken back is no longer there to be reclaimed', async () => {
    const config = testConfig({
      instances: 1,
      maxInstances: 3,
      gpus: 3,
      durationMs: HOUR,
      incidents: [
        { kind: 'eviction', atMs: MINUTE, noticeMs: 30_000, region: r0, sku: gpu, instances: 1, target: 'spot' },
      ],
      policies: {
        scaling: {
          name: 'all',
          decide: (fleet, _, nowMs) =>
            nowMs < 2 * MINUTE
              ? []
              : [{ endpointId: fleet.endpoints[0].endpointId, targetInstances: 3, reason: 'test' }],
        },
      },
    });
    const result = await simulate(
      { ...config, endpoints: config.endpoints.map((e) => ({ ...e, initialSpotInstances: 2 })) },
      traceFromRequests([request(0, 10, 2)]),
      { audit: true },
    );
    expect(result.actions).toMatchObject({ lost: 1, acquiredByWay: { reclaim: 1, 'new-vm': 1 } });
  });

  it('are refused with their path', async () => {
    const trace = traceFromRequests([request(0, 10, 2)]);
    const wrong: [string, Incident][] = [
      [
        'incidents[0].region: "mars" is not one of the fleet\'s',
        { kind: 'region-outage', atMs: 0, durationMs: 1, region: regionId('mars') },
      ],
      [
        'incidents[0].atMs: must be a finite time of 0 or more, not -1',
        { kind: 'telemetry-outage', atMs: -1, durationMs: 1 },
      ],
      [
        'incidents[0].instances: must be a whole number of 1 or more, not 0',
        { kind: 'eviction', atMs: 0, noticeMs: 0, region: r0, sku: gpu, instances: 0, target: 'spot' },
      ],
    ];
    for (const [message, one] of wrong)
      await expect(simulate(testConfig({ incidents: [one] }), trace)).rejects.toThrow(message);
  });
});

describe('a control loop in the simulator', () => {
  it('ticks at its times, is awaited, and acts through the actuator', async () => {
    const ticks: number[] = [];
    const results: unknown[] = [];
    const result = await simulate(
      testConfig({
        instances: 2,
        maxInstances: 4,
        gpus: 4,
        durationMs: 10 * MINUTE,
        control: spyEveryMinute(async ({ telemetry, actuator }, nowMs) => {
          await Promise.resolve();
          ticks.push(nowMs);
          const { endpoints } = await telemetry.snapshot();
          if (nowMs === 2 * MINUTE)
            results.push(
              ...(await actuator.apply([{ endpointId: endpoints[0].endpointId, targetInstances: 4, reason: 'x' }])),
            );
          if (nowMs === 3 * MINUTE)
            results.push(
              ...(await actuator.apply([{ endpointId: endpoints[0].endpointId, targetInstances: 4, reason: 'x' }])),
            );
        }),
      }),
      traceFromRequests([request(0, 10, 2), request(9 * MINUTE, 10, 2)]),
      { audit: true },
    );
    expect(ticks).toEqual(Array.from({ length: 10 }, (_, m) => m * MINUTE));
    expect(results).toMatchObject([
      { status: 'applied', reachedInstances: 4 },
      { status: 'unchanged', reachedInstances: 4 },
    ]);
    expect(result.actions.acquiredByWay['new-vm']).toBe(2);
  });

  it('is told demand, history before the run included, backlog, and how long instances took', async () => {
    let last: unknown;
    const series: unknown[] = [];
    const key = { modelId: modelId('m'), regionId: r0 };
    const tier = (name: WorkloadTier) => ({ tier: name });
    const config = testConfig({
      instances: 1,
      maxInstances: 2,
      gpus: 2,
      durationMs: 30 * MINUTE,
      policies: { release: { name: 'never', release: (held, _, nowMs) => (nowMs > 31 * MINUTE ? held.count : 0) } },
      demandHistory: [
        {
          key,
          startMs: 0,
          stepMs: 10 * MINUTE,
          promptTokensPerS: Float64Array.of(7, 9),
          outputTokensPerS: Float64Array.of(1, 1),
          requestsPerS: Float64Array.of(1, 1),
        },
      ],
      control: spyEveryMinute(async ({ telemetry, actuator }, nowMs) => {
        const snapshot = await telemetry.snapshot();
        if (nowMs === MINUTE)
          await actuator.apply([{ endpointId: snapshot.endpoints[0].endpointId, targetInstances: 2, reason: 'x' }]);
        if (nowMs !== 20 * MINUTE) return;
        series.push(...(await telemetry.demand([key], -HOUR, 10 * MINUTE)));
        last = JSON.parse(JSON.stringify({ demand: snapshot.demand, backlog: snapshot.backlog }));
      }),
    });
    await simulate(
      { ...config, endpoints: config.endpoints.map((e) => ({ ...e, initialSpotInstances: 1 })) },
      traceFromRequests([
        request(0, 1_200, 3),
        request(1_000, 600, 5, tier('non-interactive')),
        request(19 * MINUTE, 300, 2),
      ]),
    );
    const [seen] = series as { startMs: number; promptTokensPerS: Float64Array }[];
    expect(seen.startMs).toBe(-20 * MINUTE);
    expect([...seen.promptTokensPerS].map((x) => Number(x.toFixed(6)))).toEqual([7, 9, 2, 0.5]);
    expect(last).toMatchObject({
      demand: [{ modelId: 'm', regionId: 'r0', interactiveTokensPerS: (300 + 2) / 300 }],
      backlog: [{ modelId: 'm', requests: 1, promptTokens: 600, earliestDeadlineAtMs: 24 * HOUR + 1_000 }],
    });
  });

  it('sees nothing new while telemetry is down', async () => {
    const taken: number[] = [];
    await simulate(
      testConfig({
        durationMs: 10 * MINUTE,
        incidents: [{ kind: 'telemetry-outage', atMs: 3 * MINUTE, durationMs: 4 * MINUTE }],
        control: spyEveryMinute(async ({ telemetry }) => void taken.push((await telemetry.snapshot()).takenAtMs)),
      }),
      traceFromRequests([request(0, 10, 2)]),
    );
    expect(taken.map((ms) => ms / MINUTE)).toEqual([0, 1, 2, 3, 3, 3, 3, 7, 8, 9]);
  });

  it('passes what a pool has no room for on to its overflow pool', async () => {
    const base = testConfig({ performance: linearPerformance(1_000), gpus: 2 });
    const endpoint = base.endpoints[0];
    const result = await simulate(
      {
        ...base,
        endpoints: [
          { ...endpoint, pool: 'own', tiers: ['interactive-fast', 'interactive-normal'] },
          { ...endpoint, pool: 'mixed', tiers: WORKLOAD_TIERS },
        ],
        durationMs: MINUTE,
      },
      traceFromRequests(Array.from({ length: 6 }, (_, i) => request(i * 50, 200, 50))),
      { audit: true },
    );
    expect(result.endpoints.map((e) => e.capacity.idleGpuHours < MINUTE / HOUR)).toEqual([true, true]);
    expect(result.total.completed).toBe(6);
  });
});
