import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScalingPolicy } from '@sageserve/core';
import { simulate } from '@sageserve/sim';
import { describe, expect, it } from 'vitest';
import { buildSimulation } from '../build.js';
import { parseScenario } from '../parse.js';
import { runTraffic } from '../prepare/prepare-run.js';
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
