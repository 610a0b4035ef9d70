import { modelId, regionId, skuId, WORKLOAD_TIERS } from '@sageserve/core';
import { traceFromRequests } from '@sageserve/trace';
import { describe, expect, it } from 'vitest';
import { linearPerformance, request, scriptedScaling, testConfig } from './fixtures.js';
import { leftWork } from './left-work.js';
import { Reversals } from './reversals.js';
import { simulate } from './simulation.js';

const MINUTE = 60_000;

describe('work that is left', () => {
  const endpoint = (sku: string, gpusPerInstance: number, tokensPerS: number) => ({
    region: regionId('r'),
    model: modelId('m'),
    sku: skuId(sku),
    pool: 'shared',
    tiers: WORKLOAD_TIERS,
    gpusPerInstance,
    performance: { ...linearPerformance(), maxTokensPerS: () => tokensPerS },
    initialInstances: 1,
    minInstances: 1,
    maxInstances: 1,
  });
  const sku = (name: string, usdPerGpuHour: number) => ({
    skuId: skuId(name),
    usdPerGpuHour,
    reclaimMs: 0,
    redeployMs: 0,
    newVmMs: 0,
  });
  const config = {
    models: [modelId('m'), modelId('idle')],
    endpoints: [endpoint('fast', 4, 3_000), endpoint('slow', 1, 1_000)],
    skus: [sku('fast', 5), sku('slow', 2)],
  };
  const left = {
    requests: Float64Array.of(10, 0),
    prompt: Float64Array.of(3_600_000, 0),
    output: Float64Array.of(400_000, 0),
  };

  it('is charged at the throughput of the deployment that takes the fewest GPU-hours', () => {
    // 3,600,000 tokens at 1,000 a second are an hour of one GPU, at 3,000 twenty minutes of four.
    expect(leftWork(config, left, Float64Array.of(400_000, 0))).toEqual([
      { modelId: 'm', requests: 10, tokens: 3_600_000, gpuHours: 1, costUsd: 2 },
    ]);
  });

  it('is what the requests are that are in the system when the run ends', async () => {
    const trace = traceFromRequests([
      request(0, 100, 10),
      request(MINUTE - 1, 200, 20),
      request(MINUTE - 1, 300, 30, { tier: 'non-interactive' }),
    ]);
    const result = await simulate(testConfig({ durationMs: MINUTE }), trace, { audit: true });
    expect(result.leftWork).toMatchObject([{ requests: 2, tokens: 550 }]);
    const hours = 550 / 1_000 / 3_600;
    expect(result.leftWork[0].gpuHours).toBeCloseTo(hours, 12);
    expect(result.atEqualWork.gpuHours).toBeCloseTo(result.capacity.gpuHours + hours, 12);
    expect(result.total).toMatchObject({ completed: 3, unfinished: 0 });
  });

  it('leaves out the tokens that are done', async () => {
    // 100 prompt tokens take 15 ms, and each of the 1,000 others 5.6 to 6.6 ms: some 170 are done.
    const result = await simulate(
      testConfig({ durationMs: 1_000 }),
      traceFromRequests([request(0, 100, 1_000), request(999, 100, 1)]),
    );
    expect(result.leftWork[0].requests).toBe(2);
    expect(result.leftWork[0].tokens).toBeGreaterThan(1_101 - 100 - 180 - 1);
    expect(result.leftWork[0].tokens).toBeLessThan(1_101 + 100 - 100 - 160);
  });

  it('is nothing where all is done', async () => {
    const result = await simulate(testConfig({ durationMs: MINUTE }), traceFromRequests([request(0, 100, 10)]));
    expect(result.leftWork).toEqual([]);
    expect(result.atEqualWork).toEqual({
      gpuHours: result.capacity.gpuHours,
      costUsd: result.capacity.costUsd,
    });
  });
});

describe('reversals', () => {
  it('are instances asked for within ten minutes of their being given up', () => {
    const reversals = new Reversals(2);
    reversals.scaledIn(0, 3, 0);
    expect(reversals.scaledOut(1, 3, 1)).toBe(0);
    expect(reversals.scaledOut(0, 1, 10 * MINUTE)).toBe(1);
    expect(reversals.scaledOut(0, 5, 10 * MINUTE)).toBe(2);
    reversals.scaledIn(0, 1, 11 * MINUTE);
    expect(reversals.scaledOut(0, 1, 21 * MINUTE + 1)).toBe(0);
  });

  it('are counted of a run', async () => {
    const run = async (atMs: number) =>
      simulate(
        testConfig({
          instances: 3,
          minInstances: 1,
          durationMs: 60 * MINUTE,
          policies: {
            scaling: scriptedScaling([
              [MINUTE, 1],
              [atMs, 3],
            ]),
          },
        }),
        traceFromRequests([]),
      );
    expect((await run(11 * MINUTE)).actions).toMatchObject({ scaleIn: 1, scaleOut: 1, reversals: 2 });
    expect((await run(12 * MINUTE)).actions).toMatchObject({ scaleIn: 1, scaleOut: 1, reversals: 0 });
  });
});
