import { type DemandSeries, modelId, PlacementGrid, type PlacementProblem, regionId, skuId } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { createForecaster, createOptimizer } from './build-fleet.js';
import { DEFAULT_CATALOGUE } from './catalogue.js';
import type { FleetInput } from './fleet-schema.js';
import { createLivePlanners } from './live-planners.js';
import { parseFleet } from './read-fleet.js';

const fleetOf = (control: FleetInput['control']) =>
  parseFleet({
    regions: [{ name: 'eastus', gpus: { h100: 32 } }],
    skus: [{ name: 'h100', usdPerGpuHour: 12.29 }],
    models: [{ name: 'llama-3.1-8b', deployments: [{ sku: 'h100', gpusPerInstance: 1, maxInstances: 8 }] }],
    control,
  });

const wave = Float64Array.from({ length: 288 }, (_, t) => 1_000 + 600 * Math.sin(t / 23) + 40 * Math.sin(t * t));
const history: DemandSeries = {
  key: { modelId: modelId('llama-3.1-8b'), regionId: regionId('eastus') },
  startMs: 0,
  stepMs: 600_000,
  promptTokensPerS: wave,
  outputTokensPerS: wave.map((x) => x / 5),
  requestsPerS: wave.map((x) => x / 800),
};
const one = (value: number): PlacementGrid => new PlacementGrid(1, 1, 1, Float64Array.of(value));
const problem: PlacementProblem = {
  models: [history.key.modelId],
  regions: [history.key.regionId],
  skus: [skuId('h100')],
  current: one(2),
  minInstances: one(1),
  maxInstances: one(8),
  tokensPerSPerInstance: one(1_000),
  gpusPerInstance: one(1),
  gpuCapacity: one(32),
  usdPerInstanceHour: one(12.29),
  startUsd: one(2),
  demandTokensPerS: [one(4_500)],
  localShare: 1,
};

describe('createLivePlanners', () => {
  it('forecasts and plans in workers what a simulation does in its own thread', async () => {
    // A window that is not the default shows that options arrive.
    const fleet = fleetOf({ forecaster: { name: 'moving-average', window: 7 } });
    const { forecaster, optimizer, notes, close } = createLivePlanners(fleet);
    const inThread = createForecaster(fleet, DEFAULT_CATALOGUE);
    try {
      expect([forecaster.name, forecaster.minHistorySteps]).toEqual([inThread.name, inThread.minHistorySteps]);
      expect(notes).toEqual([]);
      expect(await forecaster.forecast(history, 6)).toEqual(await inThread.forecast(history, 6));
      const solution = await optimizer.solve(problem);
      expect(solution).toEqual(await createOptimizer(fleet).solve(problem));
      expect(solution.target?.at(0, 0, 0)).toBe(5);
    } finally {
      await close();
    }
    await expect(forecaster.forecast(history, 6)).rejects.toMatchObject({ code: 'ERR_FORECAST_WORKER' });
    await expect(optimizer.solve(problem)).rejects.toMatchObject({ code: 'ERR_SOLVER' });
  });

  it('ends a worker that an abort does not wait for', async () => {
    const { forecaster, close } = createLivePlanners(fleetOf({ forecaster: 'auto' }));
    const end = new AbortController();
    const forecast = forecaster.forecast(history, 6, { signal: end.signal });
    end.abort(new Error('enough'));
    await expect(forecast).rejects.toThrow('enough');
    await close();
  });

  it.each(['mine', 'auto'])('keeps a plug-in’s forecaster in the thread, and says so: %s', async (name) => {
    const own = createForecaster(fleetOf({ forecaster: 'ses' }), DEFAULT_CATALOGUE);
    const catalogue = { ...DEFAULT_CATALOGUE, forecasters: { ...DEFAULT_CATALOGUE.forecasters, [name]: () => own } };
    const { forecaster, notes, close } = createLivePlanners(fleetOf({ forecaster: name }), catalogue);
    expect(forecaster).toBe(own);
    expect(notes).toEqual([
      `the forecaster "${name}" computes in the thread of the loop, which waits for it: ` +
        'a worker knows those of SageServe only',
    ]);
    await close();
  });

  it('says at once what is wrong with a name or its options', () => {
    expect(() => createLivePlanners(fleetOf({ forecaster: 'none' }))).toThrow('none');
    expect(() => createLivePlanners(fleetOf({ forecaster: { name: 'ses', speed: 3 } }))).toThrow('control.forecaster');
  });
});
