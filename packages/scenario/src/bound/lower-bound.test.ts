import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScalingPolicy } from '@sageserve/core';
import { costOf, workPrices } from '@sageserve/optimize';
import { saturatedMs } from '@sageserve/perf';
import { simulate } from '@sageserve/sim';
import { describe, expect, it } from 'vitest';
import { buildSimulation } from '../build.js';
import { parseScenario } from '../parse.js';
import { preset } from '../presets/presets.js';
import { prepareRun, runTraffic } from '../prepare/prepare-run.js';
import type { Scenario, ScenarioInput } from '../schema.js';
import { lowerBound } from './lower-bound.js';

const MINUTE = 60_000;

/** Instances come and go at once. */
const small = (over: Partial<ScenarioInput> = {}, minInstances = 0): Scenario =>
  parseScenario({
    name: 'brute-force',
    seed: 3,
    duration: '20m',
    traffic: { requestsPerDay: 700_000, shape: 'flat', tiers: { 'interactive-fast': 0.4, 'non-interactive': 0.6 } },
    regions: [{ name: 'east', gpus: { 'a100-80gb': 2 } }],
    skus: [{ name: 'a100-80gb', usdPerGpuHour: 1, reclaim: 0, redeploy: 0, newVm: 0 }],
    models: [
      {
        name: 'llama-3.1-8b',
        deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, initialInstances: 2, minInstances, maxInstances: 2 }],
      },
    ],
    release: 'headroom',
    scalingInterval: '15s',
    ...over,
  });

/** Every endpoint has as many as the schedule says of its stretch of time. */
function scripted(counts: readonly number[], stretchMs: number): ScalingPolicy {
  return {
    name: 'scripted',
    decide: (fleet, _plan, nowMs) =>
      fleet.endpoints.map(({ endpointId, minInstances }) => ({
        endpointId,
        targetInstances: Math.max(minInstances, counts[Math.min(counts.length - 1, Math.floor(nowMs / stretchMs))]!),
        reason: 'as scripted',
      })),
  };
}

/** The fewest GPU-hours at equal work of all schedules. */
async function bruteForce(scenario: Scenario, stretches: number, most: number): Promise<number> {
  const config = buildSimulation(scenario, 'static');
  let least = Infinity;
  for (let code = 0; code < (most + 1) ** stretches; code++) {
    const counts = Array.from({ length: stretches }, (_, s) => Math.floor(code / (most + 1) ** s) % (most + 1));
    const { atEqualWork, total } = await simulate(
      {
        ...config,
        policies: {
          ...buildSimulation(scenario, 'static').policies,
          scaling: scripted(counts, (20 * MINUTE) / stretches),
        },
      },
      await runTraffic(scenario),
    );
    expect(total.rejected).toBe(0);
    least = Math.min(least, atEqualWork.gpuHours);
  }
  return least;
}

describe('lowerBound', () => {
  it('is under every schedule of a small fleet, and not far', async () => {
    const scenario = small();
    const { gpuHours } = await lowerBound(scenario);
    const least = await bruteForce(scenario, 4, 2);
    expect(gpuHours).toBeLessThanOrEqual(least);
    expect(gpuHours).toBeGreaterThan(0.75 * least);
  });

  it('holds its floors, and what they can’t do comes on top', async () => {
    const idle = small({ traffic: { requestsPerDay: 20_000, shape: 'flat' } }, 1);
    expect((await lowerBound(idle)).gpuHours).toBeCloseTo(1 / 3, 9);
    const busy = small({ traffic: { requestsPerDay: 2_000_000, shape: 'flat' } }, 1);
    const { gpuHours, byModel } = await lowerBound(busy);
    expect(byModel[0]!.floorGpuHours).toBeCloseTo(1 / 3, 9);
    expect(gpuHours).toBeGreaterThan(0.5);
    expect(gpuHours).toBeLessThanOrEqual(await bruteForce(busy, 2, 2));
  });

  it('does not count floors of a region that is gone, until they are asked for again', async () => {
    const outage = small(
      {
        traffic: { requestsPerDay: 20_000, shape: 'flat' },
        incidents: [{ kind: 'region-outage', at: '5m', duration: '10m', region: 'east' }],
        duration: '3h',
      },
      1,
    );
    const { byModel } = await lowerBound(outage);
    // Five minutes before it, and all from an hour after its end on.
    expect(byModel[0]!.floorGpuHours).toBeCloseTo(5 / 60 + 105 / 60, 9);
  });

  it('does not count floors that nobody can ask for, since nothing is seen of the fleet', async () => {
    const dark = small(
      {
        traffic: { requestsPerDay: 20_000, shape: 'flat' },
        incidents: [
          { kind: 'telemetry-outage', at: '4m', duration: '2h' },
          { kind: 'region-outage', at: '5m', duration: '10m', region: 'east' },
        ],
        duration: '4h',
      },
      1,
    );
    // Up to the outage, and from an hour after there is telemetry again.
    const floors = async (scenario: Scenario) => (await lowerBound(scenario)).byModel[0]!.floorGpuHours;
    expect(await floors(dark)).toBeCloseTo(5 / 60 + 56 / 60, 9);
    // Or from two looks at the fleet after the region is back.
    const slow = { ...dark, incidents: dark.incidents.slice(1), scalingInterval: '90m' };
    expect(await floors(slow)).toBeCloseTo(5 / 60 + 45 / 60, 9);
  });

  it.each<[what: string, over: Partial<ScenarioInput>, floor: number, strategies: readonly string[]]>([
    [
      'that leave long answers among short ones undone',
      {
        traffic: {
          requestsPerDay: 2_000_000,
          shape: 'flat',
          promptTokens: [[0, 300]],
          outputTokens: [
            [0, 10],
            [0.85, 100],
            [0.851, 6_000],
          ],
        },
      },
      0,
      ['static', 'hpa'],
    ],
    ['whose batches are small', { engine: { maxBatchRequests: 1 } }, 0, ['static']],
    [
      'that refuse what comes while they are down',
      { incidents: [{ kind: 'region-outage', at: '2m', duration: '17m', region: 'east' }] },
      0,
      ['static', 'reactive'],
    ],
    [
      'whose engine takes a prompt whole that is longer than its budget',
      {
        engine: { like: 'paper', maxBatchTokens: 64 },
        traffic: { requestsPerDay: 400_000, shape: 'flat', promptTokens: [[0, 3_000]], outputTokens: [[0, 2]] },
      },
      0,
      ['static'],
    ],
    [
      'whose floor is split between pools',
      {
        traffic: { requestsPerDay: 20_000, shape: 'flat' },
        regions: [{ name: 'east', gpus: { 'a100-80gb': 4 } }],
        models: [
          {
            name: 'llama-3.1-8b',
            deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, minInstances: 4, maxInstances: 4 }],
          },
        ],
      },
      0,
      ['static', 'siloed', 'chiron-like'],
    ],
  ])('is under what fleets hold %s', async (_, over, floor, strategies) => {
    const scenario = small(over, floor);
    const { gpuHours } = await lowerBound(scenario);
    for (const strategy of strategies) {
      const { config, trace } = await prepareRun(scenario, strategy);
      const { atEqualWork } = await simulate(config, trace);
      expect([strategy, atEqualWork.gpuHours]).toEqual([strategy, expect.toSatisfy((held) => held >= gpuHours)]);
    }
  });

  it('asks little less for work than a saturated instance takes, and never more', () => {
    const { endpoints } = buildSimulation(preset('paper-day'), 'static');
    const { performance, gpusPerInstance } = endpoints.find(({ model }) => model === 'llama-3.1-8b')!;
    const limits = { performance, gpusPerInstance, maxBatchTokens: 2_048, maxBatchRequests: 256, chunkedPrefill: true };
    for (const [prompt, output] of [
      [1_000, 200],
      [100, 1_000],
      [20_000, 5],
    ] as const) {
      const decodes = output - 1;
      const work = {
        prompts: 1_000,
        promptTokens: 1_000 * prompt,
        decodes: 1_000 * decodes,
        contextTokens: 1_000 * (decodes * prompt + (decodes * output) / 2),
      };
      const ms = saturatedMs(performance, limits, work);
      const least = costOf(work, workPrices(work, [limits])) / gpusPerInstance;
      expect(ms).toBeGreaterThanOrEqual(least);
      expect(ms).toBeLessThan(1.5 * least);
    }
  });

  it('ends with the last arrival of a trace, in the middle of a window or not', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sageserve-bound-'));
    try {
      const trace = join(dir, 'short.csv');
      await writeFile(trace, 'arrived_at_s,prompt_tokens,output_tokens\n0,100,10\n90,100,10\n');
      const { duration: _, ...open } = small({}, 1);
      const scenario = { ...open, traffic: { ...open.traffic, requestsPerDay: undefined, trace } };
      const { durationMs, atEqualWork } = await simulate(
        buildSimulation(scenario, 'static'),
        await runTraffic(scenario),
      );
      expect(durationMs).toBe(90_000);
      const { gpuHours } = await lowerBound(scenario);
      expect(gpuHours).toBeCloseTo(90 / 3_600, 9);
      expect(gpuHours).toBeLessThan(atEqualWork.gpuHours);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('says what whole instances for ten minutes at a time would take', async () => {
    const { gpuHours, wholeInstanceGpuHours } = await lowerBound(small());
    expect(wholeInstanceGpuHours).toBeGreaterThanOrEqual(gpuHours);
  });
});
