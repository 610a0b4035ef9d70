import { type BacklogSnapshot, type DemandForecast, modelId, regionId, skuId } from '@sageserve/core';
import { fakeEndpoint, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { buildFleetSpec } from './build-fleet.js';
import type { StrategyPlanning } from './factory.js';
import { fleetProblem, type PlanningView } from './fleet-problem.js';
import { deploymentKey, type MeasuredCapacities } from './measured-capacity.js';
import { parseFleet } from './read-fleet.js';

const SKUS = ['a100-80gb', 'h100-80gb'];
const MODELS = ['llama-3.1-8b', 'llama-2-70b'];
const REGIONS = ['eastus', 'westus'];
const described = parseFleet({
  name: 'problem',
  regions: REGIONS.map((name) => ({ name, gpus: Object.fromEntries(SKUS.map((sku) => [sku, 64])) })),
  skus: SKUS.map((name, k) => ({ name, usdPerGpuHour: 2 + k })),
  models: MODELS.map((name, m) => ({
    name,
    deployments: SKUS.map((sku) => ({
      sku,
      gpusPerInstance: m === 0 ? 1 : 8,
      minInstances: 1,
      initialInstances: 2,
      maxInstances: 5,
    })),
  })),
});
const fleet = buildFleetSpec(described, 'static');

/**
 * 100 tokens/s × (1 + its position) as the mean, ten times that at 0.9 and a hundred times at 0.99.
 */
const forecasts = MODELS.flatMap((model, m) =>
  REGIONS.map((region, r) => {
    const mean = new Float64Array(2).fill(100 * (1 + 2 * m + r));
    const column = {
      mean,
      quantiles: [
        { level: 0.9, values: mean.map((v) => 10 * v) },
        { level: 0.99, values: mean.map((v) => 100 * v) },
      ],
    };
    const forecast: DemandForecast = {
      ...column,
      startMs: 0,
      stepMs: 600_000,
      promptTokensPerS: column,
      outputTokensPerS: column,
      method: 'x',
    };
    return { key: { modelId: modelId(model), regionId: regionId(region) }, forecast };
  }),
);
const mix = new Map(
  MODELS.map((model, m) => [modelId(model), { promptTokens: 300, outputTokens: m === 0 ? 100 : 300 }]),
);

function problemOf(
  planning: Partial<StrategyPlanning> = {},
  input: Partial<PlanningView> = {},
  capacity: MeasuredCapacities = new Map(),
  demandQuantile = 0.9,
) {
  const endpoints = MODELS.flatMap((model, m) =>
    REGIONS.flatMap((region, r) =>
      SKUS.map((sku, k) =>
        fakeEndpoint({
          modelId: modelId(model),
          regionId: regionId(region),
          skuId: skuId(sku),
          readyInstances: 4 * m + 2 * r + k,
          provisioningInstances: 10,
          drainingInstances: 100,
        }),
      ),
    ),
  );
  const gpuCapacity = (r: number, k: number) => (r === 1 && k === 0 ? 0 : 20 + 10 * r + k);
  const capacityOf = REGIONS.flatMap((region, r) =>
    SKUS.map((sku, k) => ({
      regionId: regionId(region),
      skuId: skuId(sku),
      gpuCapacity: gpuCapacity(r, k),
      gpusInUse: 0,
      spotInstances: new Map(),
    })),
  );
  const snapshot = { ...fakeFleet(endpoints), capacity: capacityOf };
  const make = fleetProblem(
    described,
    fleet,
    { windows: 'peak', deferrable: { drainHours: 6 }, headroom: 0, ...planning },
    demandQuantile,
    capacity,
  );
  return make({ fleet: snapshot, forecasts, mix, backlog: [], ...input });
}

describe('fleetProblem', () => {
  it('holds what is ready and what is on its way, and not what drains', () => {
    expect([...problemOf().current.values]).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
  });

  it('adds up the pools of one deployment', () => {
    const one = fakeEndpoint({
      modelId: modelId(MODELS[1]!),
      regionId: regionId(REGIONS[0]!),
      skuId: skuId(SKUS[1]!),
      readyInstances: 3,
    });
    const snapshot = {
      ...fakeFleet([one, { ...one, pool: 'other', readyInstances: 4, provisioningInstances: 1 }]),
      capacity: [],
    };
    expect([...problemOf({}, { fleet: snapshot }).current.values]).toEqual([0, 0, 0, 0, 0, 8, 0, 0]);
  });

  it('has the GPUs that there are, and asks for no minimum where there are none', () => {
    const { gpuCapacity, minInstances } = problemOf();
    expect([...gpuCapacity.values]).toEqual([20, 21, 0, 31]);
    expect([...minInstances.values]).toEqual([1, 1, 0, 1, 1, 1, 0, 1]);
  });

  it('is for the quantile of the forecast, not for its mean', () => {
    const demand = (quantile: number) =>
      problemOf({}, {}, new Map(), quantile).demandTokensPerS.map((grid) => [...grid.values]);
    expect(demand(0.9)).toEqual([
      [1_000, 2_000, 3_000, 4_000],
      [1_000, 2_000, 3_000, 4_000],
    ]);
    expect(demand(0.99)[1]).toEqual([10_000, 20_000, 30_000, 40_000]);
  });

  it('takes instances to be as fast as they are for these requests within their objectives, less the headroom', () => {
    const speed = (m: number, k: number) =>
      fleet.endpoints
        .find((one) => one.model === MODELS[m] && one.sku === SKUS[k])!
        .performance.maxTokensPerS(mix.get(modelId(MODELS[m]!))!);
    const plain = problemOf().tokensPerSPerInstance;
    for (const m of [0, 1]) for (const k of [0, 1]) expect(plain.at(m, 0, k)).toBe(Math.floor(speed(m, k)));
    const measured: MeasuredCapacities = new Map([
      [deploymentKey(MODELS[1]!, SKUS[0]!, 8), { throughputShare: 0.5 } as never],
    ]);
    const tight = problemOf({ headroom: 0.2 }, {}, measured).tokensPerSPerInstance;
    expect(tight.at(1, 0, 0)).toBe(Math.floor(speed(1, 0) * (0.5 * (1 - 0.2))));
    expect(tight.at(1, 0, 1)).toBe(Math.floor(speed(1, 1) * (1 - 0.2)));
    // Fuller than the objectives allow, but never faster than the instance is.
    const full = problemOf({ headroom: -0.5 }, {}, measured).tokensPerSPerInstance;
    expect(full.at(1, 0, 0)).toBe(Math.floor(speed(1, 0) * 0.75));
    expect(full.at(0, 0, 0)).toBe(Math.floor(speed(0, 0)));
    expect(
      problemOf({}, { mix: new Map([...mix].slice(0, 1)), forecasts: forecasts.slice(0, 2) }).tokensPerSPerInstance.at(
        1,
        0,
        0,
      ),
    ).toBe(0);
  });

  it('serves what waits in the strategy’s hours, or the paper’s share of what came in the last one', () => {
    const queue = (m: number, fields: Partial<BacklogSnapshot>): BacklogSnapshot => ({
      modelId: modelId(MODELS[m]!),
      requests: 0,
      promptTokens: 0,
      earliestDeadlineAtMs: Infinity,
      due: [],
      arrivedTokensPerS: undefined,
      ...fields,
    });
    const backlog = [
      queue(0, { requests: 5, promptTokens: 3_000, arrivedTokensPerS: 10 }),
      queue(1, { requests: 0, promptTokens: 0, arrivedTokensPerS: 20 }),
    ];
    expect(problemOf({}, { backlog }).deferrable).toEqual([
      { modelId: MODELS[0], tokens: 4_000, dueInMs: 6 * 3_600_000 },
    ]);
    const share = described.placement.nonInteractiveBuffer;
    expect(problemOf({ deferrable: 'buffer' }, { backlog }).deferrable).toEqual([
      { modelId: MODELS[0], tokens: Math.round(36_000 * share), dueInMs: 3_600_000 },
      { modelId: MODELS[1], tokens: Math.round(72_000 * share), dueInMs: 3_600_000 },
    ]);
    expect(problemOf({}, { backlog: [queue(1, { requests: 2, promptTokens: 600 })] }).deferrable).toEqual([
      { modelId: MODELS[1], tokens: 1_200, dueInMs: 6 * 3_600_000 },
    ]);
  });
});
