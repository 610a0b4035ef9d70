import { modelId, regionId, skuId } from '@sageserve/core';
import { traceFromRequests } from '@sageserve/trace';
import { describe, expect, it } from 'vitest';
import { linearPerformance, request, scriptedScaling, testConfig } from './fixtures.js';
import { DEFAULT_ENGINE } from './engine-options.js';
import { leftWork } from './left-work.js';
import { ModelWork } from './model-work.js';
import { Reversals } from './reversals.js';
import { simulate } from './simulation.js';

const MINUTE = 60_000;

describe('work that is left', () => {
  const endpoint = (sku: string, gpusPerInstance: number, speed: number) => {
    const performance = linearPerformance(10_000);
    return {
      model: modelId('m'),
      sku: skuId(sku),
      gpusPerInstance,
      performance: {
        ...performance,
        iterationMs: (...args: Parameters<typeof performance.iterationMs>) => performance.iterationMs(...args) / speed,
      },
    };
  };
  const sku = (name: string, usdPerGpuHour: number) => ({
    skuId: skuId(name),
    usdPerGpuHour,
    reclaimMs: 0,
    redeployMs: 0,
    newVmMs: 0,
  });
  const config = {
    models: [modelId('m'), modelId('idle')],
    endpoints: [endpoint('fast', 4, 3), endpoint('slow', 1, 1)],
    skus: [sku('fast', 5), sku('slow', 2)],
    engine: { ...DEFAULT_ENGINE, maxBatchRequests: 20 },
    maxBatchTokens: [1_000, 1_000],
  };
  const work = (requests: number, prompt: number, output: number): ModelWork => {
    const all = new ModelWork(2);
    for (let i = 0; i < requests; i++) all.add(0, prompt, output);
    return all;
  };
  const NONE = new ModelWork(2);
  const hoursOf = (left: ModelWork, done = NONE, refused = NONE): number =>
    leftWork(config, { left, refused }, done)[0].gpuHours;

  it('is charged to the deployment that takes the fewest GPU-hours for it', () => {
    // 100,000 prompt tokens are a hundred iterations of 5 + 100 ms; the fast one takes 4/3 as much.
    const [only] = leftWork(config, { left: work(100, 1_000, 1), refused: NONE }, NONE);
    expect(only).toMatchObject({ modelId: 'm', requests: 100, refused: 0, tokens: 100_100 });
    expect(only.gpuHours).toBeCloseTo(10_500 / 3_600_000, 9);
    expect(only.costUsd).toBeCloseTo((2 * 10_500) / 3_600_000, 9);
  });

  it('is charged by what each kind of it takes, within the limits of the engine', () => {
    // 2,000 decodes are a hundred iterations of twenty, each of which reads 20 × 150 tokens.
    const decodes = 100 * (5 + 0.5 * 20 + 0.001 * 20 * 150.5);
    expect(hoursOf(work(20, 100, 101), work(20, 100, 1))).toBeCloseTo(decodes / 3_600_000, 9);
    // A batch of as many answers of 5,000 tokens is more than memory holds: two at a time.
    const long = 100 * 1_000 * (5 / 2 + 0.5 + 0.001 * 4_500.5);
    const some = hoursOf(work(100, 4_000, 1_001), work(100, 4_000, 1)) * 3_600_000;
    expect(some).toBeGreaterThan(0.95 * long);
    expect(some).toBeLessThan(1.05 * long);
  });

  it('is not what one long answer among many short ones would be on the mean', () => {
    const even = hoursOf(work(10, 100, 1_000));
    const uneven = work(9, 100, 10);
    uneven.add(0, 100, 9_910);
    expect(uneven.output[0]).toBe(10_000);
    expect(hoursOf(uneven)).toBeGreaterThan(2 * even);
  });

  it('has what was turned away in it', () => {
    const both = leftWork(config, { left: work(60, 1_000, 1), refused: work(40, 1_000, 1) }, NONE);
    expect(both).toMatchObject([{ requests: 100, refused: 40 }]);
    expect(both[0].gpuHours).toBeCloseTo(hoursOf(work(100, 1_000, 1)), 9);
  });

  it('is what the requests are that are in the system when the run ends', async () => {
    const trace = traceFromRequests([
      request(0, 100, 10),
      request(MINUTE - 1, 200, 20),
      request(MINUTE - 1, 300, 30, { tier: 'non-interactive' }),
    ]);
    const result = await simulate(testConfig({ durationMs: MINUTE }), trace, { audit: true });
    expect(result.leftWork).toMatchObject([{ requests: 2, tokens: 550 }]);
    const { gpuHours } = result.leftWork[0];
    // 500 prompt tokens and 48 decodes: an iteration's 5 ms are a small part of what they take.
    expect(gpuHours * 3_600_000).toBeGreaterThan(0.1 * 500 + 0.5 * 48);
    expect(gpuHours * 3_600_000).toBeLessThan(2 * (0.1 * 500 + 0.5 * 48));
    expect(result.atEqualWork.gpuHours).toBeCloseTo(result.capacity.gpuHours + gpuHours, 12);
    expect(result.total).toMatchObject({ completed: 3, unfinished: 0 });
  });

  it('is charged at the rate of the rest too, which nothing has that did nothing', async () => {
    const trace = () => traceFromRequests([request(0, 1_000, 1), request(MINUTE - 1, 3_000, 1)]);
    const { atOwnRate, capacity, leftWork: left } = await simulate(testConfig({ durationMs: MINUTE }), trace());
    // Three quarters were left: the quarter took all that was held.
    expect(left[0].tokens).toBe(3_001);
    expect(atOwnRate!.gpuHours).toBeGreaterThan(3.9 * capacity.gpuHours);
    expect(atOwnRate!.gpuHours).toBeLessThan(4.1 * capacity.gpuHours);
    const done = await simulate(testConfig({ durationMs: 10 * MINUTE }), trace());
    expect(done.atOwnRate!.gpuHours).toBe(done.capacity.gpuHours);
    const idle = await simulate(testConfig({ durationMs: MINUTE }), traceFromRequests([]));
    expect(idle.atOwnRate!.gpuHours).toBe(idle.capacity.gpuHours);
    const none = await simulate(testConfig({ durationMs: MINUTE }), traceFromRequests([request(MINUTE, 1_000, 1)]));
    expect(none.atOwnRate).toBeUndefined();
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

  it('leaves out the chunks that are done of a prompt', async () => {
    // A chunk takes 35 ms, and more as it reads those before it; chunk follows on chunk
    // until the short answer beside it ends.
    const result = await simulate(
      testConfig({ durationMs: 250, engine: { maxBatchTokens: 300 } }),
      traceFromRequests([request(0, 10, 4), request(1, 3_000, 1)]),
    );
    expect(result.leftWork[0].requests).toBe(1);
    expect(result.leftWork[0].tokens).toBeLessThanOrEqual(3_001 - 2 * 299);
    expect(result.leftWork[0].tokens).toBeGreaterThan(3_001 - 7 * 300);
  });

  it('is what was refused though the fleet could serve it, and not what nothing can', async () => {
    const outage = testConfig({
      durationMs: MINUTE,
      incidents: [{ kind: 'region-outage', region: regionId('r0'), atMs: 0, durationMs: MINUTE }],
    });
    const lost = await simulate(outage, traceFromRequests([request(1, 200, 20)]));
    expect(lost).toMatchObject({ rejectedNoRegion: 1, leftWork: [{ requests: 1, refused: 1, tokens: 220 }] });
    const long = await simulate(testConfig({ durationMs: MINUTE }), traceFromRequests([request(1, 200_000, 20)]));
    expect(long).toMatchObject({ rejectedTooLong: 1, leftWork: [] });
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
