import { DEFAULT_OBJECTIVES, type RegionId, type TokenMix, WORKLOAD_TIERS } from '@sageserve/core';
import { simulate, type SimulationConfig, type SimulationResult } from '@sageserve/sim';
import { deploymentKey, type MeasuredCapacities, type MeasuredCapacity, measuringPolicies } from '@sageserve/fleet';
import { buildTraffic } from '../build.js';
import { parseScenario } from '../parse.js';
import type { Scenario } from '../schema.js';

/**
 * Instances of the pool that is measured: few, as most pools are, since a large pool evens out
 * bursts.
 */
const INSTANCES = 4;
const REQUESTS = 20_000;
const LEAST_DURATION_S = 900;
/** Where requests are so short that a pool takes thousands a second, fewer seconds will do. */
const MOST_REQUESTS = 300_000;
const MOST_DURATION_S = 30 * 86_400;
/** No generated traffic has more: what carries that carries all that there is. */
const MOST_PER_S = 100_000;
const STEPS = 6;
const LOWEST_SHARE = 0.2;
/** Where no load will do, the objective is out of reach and memory says nothing. */
const DEFAULT_KV = 0.5;
/**
 * How much better than its objective's target a tier must do: real pools see more than steady
 * traffic. Share of what is missing to all.
 */
const MARGIN = 0.6;
/** Held work that is left at the end may be this share of what came. */
const MOST_LEFT = 0.15;

/**
 * Measures, in the simulator, how much of its full throughput each deployment of a scenario
 * sustains while every tier meets its objective: θ of the paper's program. A pool of four instances
 * is given steady generated traffic of the scenario's tokens and tiers at rates that close in on
 * the largest that will do. About half a CPU-second for each deployment.
 */
export async function measureCapacity(
  scenario: Scenario,
  fleet: SimulationConfig,
  signal?: AbortSignal,
): Promise<MeasuredCapacities> {
  const measured = new Map<string, MeasuredCapacity>();
  for (const endpoint of fleet.endpoints) {
    const key = deploymentKey(endpoint.model, endpoint.sku, endpoint.gpusPerInstance);
    if (measured.has(key)) continue;
    let low = LOWEST_SHARE;
    let high = 1;
    let kvCacheUtilization = DEFAULT_KV;
    for (let step = 0; step < STEPS; step++) {
      signal?.throwIfAborted();
      const share = (low + high) / 2;
      const trial = await tryLoad(scenario, fleet, endpoint, share, signal);
      if (meetsObjectives(trial.result, fleet)) {
        low = share;
        kvCacheUtilization = trial.kvCacheUtilization;
      } else high = share;
    }
    measured.set(key, { throughputShare: low, kvCacheUtilization, mix: scenarioMix(scenario, endpoint.model) });
  }
  return measured;
}

/** Mean tokens of a model's requests, as the scenario describes them. */
export function scenarioMix({ models, traffic }: Scenario, name: string): TokenMix {
  const model = models.find((one) => one.name === name)!;
  return meanTokens(model.promptTokens ?? traffic.promptTokens, model.outputTokens ?? traffic.outputTokens);
}

async function tryLoad(
  scenario: Scenario,
  fleet: SimulationConfig,
  endpoint: SimulationConfig['endpoints'][number],
  share: number,
  signal: AbortSignal | undefined,
): Promise<{ result: SimulationResult; kvCacheUtilization: number }> {
  const model = scenario.models.find(({ name }) => name === endpoint.model)!;
  const mix = scenarioMix(scenario, endpoint.model);
  const requestsPerS = Math.min(
    MOST_PER_S,
    (share * endpoint.performance.maxTokensPerS(mix) * INSTANCES) / (mix.promptTokens + mix.outputTokens),
  );
  const durationS = Math.max(
    Math.min(LEAST_DURATION_S, Math.ceil(MOST_REQUESTS / requestsPerS)),
    Math.min(MOST_DURATION_S, Math.ceil(REQUESTS / requestsPerS)),
  );
  const { trace: _trace, format: _format, burst: _burst, levels: _levels, ...traffic } = scenario.traffic;
  const trial = parseScenario({
    name: 'capacity',
    seed: 1,
    duration: durationS,
    regions: [{ name: endpoint.region, gpus: { [endpoint.sku]: INSTANCES * endpoint.gpusPerInstance } }],
    skus: scenario.skus.filter(({ name }) => name === endpoint.sku),
    models: [
      {
        ...model,
        share: 1,
        regions: undefined,
        deployments: [{ sku: endpoint.sku, gpusPerInstance: endpoint.gpusPerInstance }],
      },
    ],
    // Noise and the shape of the week are left out: what is measured is one rate.
    traffic: { ...traffic, requestsPerDay: requestsPerS * 86_400, shape: 'flat', rateNoise: 0 },
  });
  const region: RegionId = endpoint.region;
  let kvSum = 0;
  let samples = 0;
  const result = await simulate(
    {
      ...fleet,
      regions: [region],
      models: [endpoint.model],
      skus: fleet.skus.filter((sku) => sku.skuId === endpoint.sku),
      endpoints: [
        {
          ...endpoint,
          pool: 'shared',
          tiers: WORKLOAD_TIERS,
          initialInstances: INSTANCES,
          initialSpotInstances: 0,
          minInstances: INSTANCES,
          maxInstances: INSTANCES,
        },
      ],
      gpuCapacity: [[INSTANCES * endpoint.gpusPerInstance]],
      networkRttMs: [[0]],
      incidents: [],
      durationMs: durationS * 1_000,
      policies: measuringPolicies(),
    },
    await buildTraffic(trial),
    {
      ...(signal === undefined ? {} : { signal }),
      onSample(sample) {
        // The pool fills up first.
        if (sample.timeMs < (durationS * 1_000) / 3) return;
        kvSum += sample.kvCacheUtilization ?? 0;
        samples++;
      },
    },
  );
  return { result, kvCacheUtilization: samples === 0 ? DEFAULT_KV : kvSum / samples };
}

function meetsObjectives(result: SimulationResult, fleet: SimulationConfig): boolean {
  for (const tier of WORKLOAD_TIERS) {
    const report = result.byTier[tier];
    const target = (fleet.objectives ?? DEFAULT_OBJECTIVES)[tier].attainmentTarget;
    if (report !== undefined && !((report.sloAttainment ?? 0) >= target + MARGIN * (1 - target))) return false;
  }
  return result.inFlightAtDurationEnd <= MOST_LEFT * result.total.arrived;
}

/**
 * Means of distributions given by quantiles, linear between them; those of the Azure 2024 week
 * where a scenario gives none.
 */
function meanTokens(
  prompt: Scenario['traffic']['promptTokens'],
  output: Scenario['traffic']['outputTokens'],
): TokenMix {
  const mean = (quantiles: readonly (readonly [number, number])[] | undefined, otherwise: number): number => {
    if (quantiles === undefined) return otherwise;
    let sum = quantiles[0]![0] * quantiles[0]![1] + (1 - quantiles.at(-1)![0]) * quantiles.at(-1)![1];
    for (let i = 1; i < quantiles.length; i++)
      sum += ((quantiles[i]![0] - quantiles[i - 1]![0]) * (quantiles[i]![1] + quantiles[i - 1]![1])) / 2;
    return sum;
  };
  return {
    promptTokens: mean(prompt, AZURE_2024_MEAN.promptTokens),
    outputTokens: mean(output, AZURE_2024_MEAN.outputTokens),
  };
}

const AZURE_2024_MEAN = { promptTokens: 1_530, outputTokens: 117 };
