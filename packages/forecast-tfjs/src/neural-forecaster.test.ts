import { createRng, type DemandSeries, modelId, regionId } from '@sageserve/core';
import { seasonalNaiveError, withCalibration } from '@sageserve/forecast';
import { forecasterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { chooseBackend } from './backend.js';
import { createNeuralForecaster } from './neural-forecaster.js';

const DAY = 144;
/** Enough to learn from, and no more. */
const SMALL = {
  backend: 'cpu',
  epochs: 4,
  samplesPerEpoch: 512,
  units: 8,
  warmEpochs: 1,
  learningRate: 0.003,
} as const;

function waves(days: number, name: string, noise = 0.03): DemandSeries {
  const rng = createRng(name);
  let drift = 0;
  const values = Float64Array.from({ length: days * DAY }, (_, t) => {
    drift = 0.97 * drift + noise * (2 * rng.next() - 1);
    return 500 * (1 + 0.7 * Math.sin((2 * Math.PI * t) / DAY)) * Math.exp(drift);
  });
  return {
    key: { modelId: modelId(name), regionId: regionId('region') },
    startMs: Date.UTC(2024, 4, 13),
    stepMs: 600_000,
    promptTokensPerS: values,
    outputTokensPerS: values.map((x) => x / 5),
    requestsPerS: values.map((x) => x / 1_000),
  };
}

function until(series: DemandSeries, length: number): DemandSeries {
  return {
    ...series,
    promptTokensPerS: series.promptTokensPerS.subarray(0, length),
    outputTokensPerS: series.outputTokensPerS.subarray(0, length),
  };
}

describe('the neural forecaster', () => {
  for (const { name, run } of forecasterConformance(() =>
    createNeuralForecaster({ ...SMALL, horizonSteps: 12, epochs: 1 }),
  ))
    it(name, run);

  it('learns: its loss falls, and it misses by less than yesterday does', async () => {
    const series = waves(6, 'learns');
    const [short, long] = await Promise.all(
      [1, 20].map(async (epochs) => createNeuralForecaster({ ...SMALL, epochs }).train([until(series, 5 * DAY)])),
    );
    expect(long.loss).toBeLessThan(0.8 * short.loss);
    const start = 5 * DAY + 30;
    const forecaster = createNeuralForecaster(SMALL);
    let missed = 0;
    for (let origin = start; origin < start + 60; origin += 6) {
      const forecast = await forecaster.forecast(until(series, origin), 6);
      for (const [h, mean] of forecast.promptTokensPerS.mean.entries())
        missed += Math.abs(mean - series.promptTokensPerS[origin + h]) / 60;
    }
    expect(missed).toBeLessThan(seasonalNaiveError(series.promptTokensPerS, DAY)!);
  });

  it('gives the same forecasts for the same seed, and others for another', async () => {
    const series = waves(4, 'seed');
    const [a, b, c] = await Promise.all(
      [7, 7, 8].map(async (seed) => createNeuralForecaster({ ...SMALL, seed }).forecast(series, 6)),
    );
    expect([...b.mean]).toEqual([...a.mean]);
    expect([...c.mean]).not.toEqual([...a.mean]);
  });

  it('goes on from saved weights with the same forecasts', async () => {
    const series = waves(4, 'saved');
    const first = createNeuralForecaster(SMALL);
    const want = await first.forecast(series, 6);
    const again = await createNeuralForecaster({ ...SMALL, weights: first.save() }).forecast(series, 6);
    expect([...again.mean]).toEqual([...want.mean]);
    expect(() => createNeuralForecaster({ ...SMALL, units: 16, weights: first.save() })).toThrow(
      /weights: were saved with horizonSteps 6 and units 8, not 6 and 16/,
    );
    expect(() => createNeuralForecaster({ weights: '{}' })).toThrow(/weights: are of the format undefined/);
    expect(() => createNeuralForecaster(SMALL).save()).toThrow(/no weights before the first training/);
  });

  it('trains on all series at once, warm from the day before', async () => {
    const all = ['one', 'two', 'three'].map((name) => waves(6, name));
    const forecaster = createNeuralForecaster(SMALL);
    const cold = await forecaster.train(all.map((series) => until(series, 5 * DAY)));
    expect(cold).toMatchObject({ series: 3, warm: false });
    const warm = await forecaster.train(all);
    expect(warm).toMatchObject({ series: 3, warm: true });
    expect(warm.steps).toBeLessThan(cold.steps);
  });

  it('uses nothing that came later: asked about an earlier time, it answers as if it had never seen more', async () => {
    const series = waves(6, 'later');
    const changed = { ...series, promptTokensPerS: series.promptTokensPerS.map((x, t) => (t < 4 * DAY ? x : 9 * x)) };
    const answers = await Promise.all(
      [series, changed].map(async (later) => {
        const forecaster = createNeuralForecaster(SMALL);
        await forecaster.forecast(later, 6);
        return forecaster.forecast(until(series, 4 * DAY), 6);
      }),
    );
    expect([...answers[1].mean]).toEqual([...answers[0].mean]);
  });

  it('forgets a training that was broken off, and a history that is none leaves it as it was', async () => {
    const series = waves(6, 'broken');
    const early = until(series, 4 * DAY);
    const fresh = await createNeuralForecaster(SMALL).forecast(early, 6);
    const broken = createNeuralForecaster(SMALL);
    const controller = new AbortController();
    // Told to stop after the first steps: it looks at the signal before each.
    const signal = Object.assign(controller.signal, {});
    let steps = 0;
    signal.throwIfAborted = () => {
      if (++steps > 3) throw new Error('enough');
    };
    await expect(broken.train([series], signal)).rejects.toThrow('enough');
    expect([...(await broken.forecast(early, 6)).mean]).toEqual([...fresh.mean]);
    const bad = until(series, 5 * DAY);
    bad.promptTokensPerS.set([Infinity], 10);
    await expect(broken.forecast(bad, 6)).rejects.toThrow(/promptTokensPerS\[10\].* is Infinity/);
  });

  it('can be calibrated like any other', async () => {
    const series = waves(5, 'calibrated');
    const forecast = await withCalibration(createNeuralForecaster({ ...SMALL, epochs: 1 }), {
      lookbackHours: 24,
      fewest: 12,
    }).forecast(series, 3);
    expect(forecast.method).toMatch(/^neural; quantiles calibrated on 2\d past hours/);
  });

  it('refuses a horizon beyond its own and too short a history', async () => {
    await expect(createNeuralForecaster(SMALL).forecast(waves(4, 'far'), 7)).rejects.toThrow(
      /horizonSteps: must be from 1 to 6, not 7/,
    );
    await expect(createNeuralForecaster(SMALL).forecast(waves(1, 'short'), 6)).rejects.toThrow(
      /neural needs 327 observed buckets, and short in region has 144/,
    );
    expect(() => createNeuralForecaster({ units: 0 })).toThrow(/units: must be a whole number from 1 to 100000, not 0/);
  });
});

describe('the backend', () => {
  it('is chosen, with the reason why not a faster one', async () => {
    await expect(chooseBackend('tensorflow')).rejects.toThrow(
      /"tensorflow" can't be used: @tensorflow\/tfjs-node is not installed \(npm install @tensorflow\/tfjs-node\)/,
    );
    expect(await chooseBackend('wasm')).toEqual({ backend: 'wasm', reason: 'asked for' });
    expect(await chooseBackend('cpu')).toEqual({ backend: 'cpu', reason: 'asked for' });
  });

  it('computes alike in WebAssembly and in plain JavaScript', async () => {
    const series = waves(4, 'alike');
    const wasm = await createNeuralForecaster({ ...SMALL, backend: 'wasm', epochs: 1 }).forecast(series, 6);
    const cpu = await createNeuralForecaster({ ...SMALL, epochs: 1 }).forecast(series, 6);
    for (const [h, mean] of cpu.mean.entries()) expect(Math.abs(wasm.mean[h] / mean - 1)).toBeLessThan(1e-3);
  });
});
