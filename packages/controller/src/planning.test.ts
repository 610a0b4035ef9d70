import {
  type BacklogSnapshot,
  type DemandKey,
  type DemandSeries,
  type FleetSnapshot,
  type Forecaster,
  type ModelId,
  PlacementGrid,
  type PlacementOptimizer,
  type PlacementProblem,
  type PlacementSolution,
  type RegionId,
  type TelemetrySource,
} from '@sageserve/core';
import { fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { unlimitedSteps } from './plan-steps.js';
import { Planning } from './planning.js';
import type { PlanningInput, PlanningOptions } from './planning-options.js';

const STEP = 600_000;
const HOUR = 6 * STEP;
const NOW = 100 * HOUR;
/** Held by position: 1 of the first, 8 of the last. */
const endpoints = fakeEndpoints(({ m, r, k }) => ({ readyInstances: 1 + 4 * m + 2 * r + k, minInstances: 0 }));
const models = [...new Set(endpoints.map((one) => one.modelId))];
const regions = [...new Set(endpoints.map((one) => one.regionId))];
const skus = [...new Set(endpoints.map((one) => one.skuId))];
const fleet = (backlog: readonly BacklogSnapshot[] = []): FleetSnapshot => ({ ...fakeFleet(endpoints, NOW), backlog });
const held = (): PlacementGrid => new PlacementGrid(2, 2, 2, Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8));
const cellOf = ({ modelId, regionId }: DemandKey): number => models.indexOf(modelId) * 2 + regions.indexOf(regionId);

/**
 * A day and an hour of demand: prompts of 10 tokens and outputs of 2 before the last day, then of
 * 100 × (1 + cell) and 20.
 */
function telemetry(lateBuckets = 0, stepMs = STEP): TelemetrySource {
  const buckets = 150;
  return {
    snapshot: () => fleet(),
    demand: (keys) =>
      keys.map((key): DemandSeries => ({
        key,
        startMs: NOW - (buckets + lateBuckets) * STEP,
        stepMs,
        promptTokensPerS: Float64Array.from({ length: buckets }, (_, t) => (t < 6 ? 10 : 100 * (1 + cellOf(key)))),
        outputTokensPerS: Float64Array.from({ length: buckets }, (_, t) => (t < 6 ? 2 : 20)),
        requestsPerS: new Float64Array(buckets).fill(1),
      })),
  };
}

/**
 * Forecasts 1,000 × (1 + cell) + bucket as the mean, and half of it more at each tenth of a level.
 */
const steps: { readonly key: DemandKey; readonly horizonSteps: number; readonly startMs: number }[] = [];
const rising: Forecaster = {
  name: 'rising',
  minHistorySteps: 1,
  forecast(history, horizonSteps, options) {
    steps.push({ key: history.key, horizonSteps, startMs: history.startMs });
    const mean = Float64Array.from({ length: horizonSteps }, (_, h) => 1_000 * (1 + cellOf(history.key)) + h);
    const quantiles = (options?.quantileLevels ?? []).map((level) => ({
      level,
      values: mean.map((value) => value + 10_000 * level),
    }));
    const column = { mean, quantiles };
    return {
      ...column,
      startMs: history.startMs + history.promptTokensPerS.length * history.stepMs,
      stepMs: history.stepMs,
      promptTokensPerS: column,
      outputTokensPerS: column,
      method: 'rising',
    };
  },
};

interface Seen {
  readonly inputs: PlanningInput[];
  readonly problems: PlacementProblem[];
  readonly limitsMs: (number | undefined)[];
}

/**
 * Planning whose problem holds what is held, and whose optimiser answers with what `answer` says.
 */
function planningOf(
  options: Partial<PlanningOptions> = {},
  answer: (w: number) => Partial<PlacementSolution> = () => ({}),
  current = held,
): Seen & { readonly planning: Planning } {
  const seen: Seen = { inputs: [], problems: [], limitsMs: [] };
  const one = new PlacementGrid(2, 1, 2, new Float64Array(4).fill(1));
  const optimizer: PlacementOptimizer = {
    name: 'scripted',
    solve(problem, limits) {
      seen.problems.push(problem);
      seen.limitsMs.push(limits?.timeLimitMs);
      const w = seen.problems.length - 1;
      return {
        status: 'optimal',
        target: new PlacementGrid(
          2,
          2,
          2,
          held().values.map((n) => n + w),
        ),
        objectiveUsd: 0,
        relativeGap: 0,
        solver: 'scripted',
        ...answer(w),
      };
    },
  };
  const planning = new Planning({
    forecaster: rising,
    optimizer,
    problem: (input) => {
      seen.inputs.push(input);
      return {
        models,
        regions,
        skus,
        current: current(),
        minInstances: new PlacementGrid(2, 2, 2),
        maxInstances: new PlacementGrid(2, 2, 2, new Float64Array(8).fill(20)),
        tokensPerSPerInstance: one,
        gpusPerInstance: one,
        gpuCapacity: new PlacementGrid(1, 2, 2, new Float64Array(4).fill(100)),
        usdPerInstanceHour: one,
        startUsd: one,
        demandTokensPerS: [new PlacementGrid(2, 2, 1)],
        localShare: 1,
      };
    },
    ...options,
  });
  return { planning, ...seen };
}

const ALONE = unlimitedSteps(undefined);

/** A series of which nothing was observed. */
const nothing = (series: DemandSeries): DemandSeries => {
  const unknown = new Float64Array(series.requestsPerS.length).fill(NaN);
  return { ...series, promptTokensPerS: unknown, outputTokensPerS: unknown, requestsPerS: unknown };
};

const failing = (of: (key: DemandKey) => boolean): TelemetrySource => {
  const whole = telemetry();
  return {
    ...whole,
    demand: async (keys, ...rest) =>
      (await whole.demand(keys, ...rest)).map((series) => (of(series.key) ? nothing(series) : series)),
  };
};
const isLast = ({ modelId, regionId }: { modelId: ModelId; regionId: RegionId }): boolean =>
  modelId === models[1] && regionId === regions[1];

describe('a plan for two models, regions and SKUs', () => {
  it('tells policies of each cell’s demand: the mean that is expected, and the quantile that it is made for', async () => {
    const { planning } = planningOf({ demandQuantile: 0.7 });
    const { plan } = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    const { demand } = plan!;
    for (let cell = 0; cell < 4; cell++) {
      const at = [cell >> 1, cell & 1] as const;
      expect(demand!.expectedTokensPerS.map((grid) => grid.at(...at, 0))).toEqual(
        Array.from({ length: 12 }, (_, w) => 1_000 * (1 + cell) + w),
      );
      expect(demand!.upperTokensPerS.map((grid) => grid.at(...at, 0))).toEqual(
        Array.from({ length: 12 }, (_, w) => 1_000 * (1 + cell) + w + 7_000),
      );
    }
    expect(demand).toMatchObject({ startMs: NOW, stepMs: STEP });
    expect(plan).toMatchObject({ models, regions, skus, validFromMs: NOW, validUntilMs: NOW + HOUR, localShare: 1 });
    expect(plan!.target.values).toEqual(held().values);
    expect(plan!.schedule).toBeUndefined();
  });

  it('is made for 0.9 unless told otherwise', async () => {
    const { plan } = await planningOf().planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(plan!.demand!.upperTokensPerS[0].at(0, 1, 0)).toBe(2_000 + 9_000);
  });

  it('knows each model’s shape of requests by the last day alone', async () => {
    const { planning, inputs } = planningOf();
    const { plan } = await planning.plan(telemetry(), fleet([]), NOW, ALONE);
    expect(inputs).toHaveLength(1);
    expect([...inputs[0].mix]).toEqual([
      [models[0], { promptTokens: 150, outputTokens: 20 }],
      [models[1], { promptTokens: 350, outputTokens: 20 }],
    ]);
    expect(plan!.demand!.mix).toEqual([...inputs[0].mix.values()]);
    expect(inputs[0].forecasts.map(({ forecast }) => forecast.mean.length)).toEqual([6, 6, 6, 6]);
  });

  it('skips the buckets that are there late, so that its first window is the present one', async () => {
    const { planning, inputs } = planningOf();
    steps.length = 0;
    const { plan, entry } = await planning.plan(telemetry(2), fleet(), NOW, ALONE);
    expect(steps.map(({ horizonSteps }) => horizonSteps)).toEqual([14, 14, 14, 14]);
    expect(entry!.forecasts.map(({ startMs }) => startMs)).toEqual([NOW, NOW, NOW, NOW]);
    expect(inputs[0].forecasts[0].forecast.mean[0]).toBe(1_002);
    expect(plan!.demand!.expectedTokensPerS.map((grid) => grid.at(0, 0, 0))).toEqual(
      Array.from({ length: 12 }, (_, w) => 1_002 + w),
    );
  });

  it('goes on with a last forecast from where the time has come to, its end held', async () => {
    let broken = false;
    const forecaster: Forecaster = {
      ...rising,
      forecast(...args) {
        if (broken) throw new Error('out of memory');
        return rising.forecast(...args);
      },
    };
    const { planning } = planningOf({ forecaster });
    await planning.plan(telemetry(), fleet(), NOW, ALONE);
    broken = true;
    const shifted: TelemetrySource = {
      ...telemetry(),
      demand: async (...args) =>
        (await telemetry().demand(...args)).map((series) => ({ ...series, startMs: NOW + HOUR - 150 * STEP })),
    };
    const { plan, degradations } = await planning.plan(shifted, fleet(), NOW + HOUR, ALONE);
    expect(degradations).toContain(
      'the forecast of model-b in region-b failed (out of memory); its last forecast stays',
    );
    expect(plan!.demand!.expectedTokensPerS.map((grid) => grid.at(1, 1, 0))).toEqual(
      [6, 7, 8, 9, 10, 11, 11, 11, 11, 11, 11, 11].map((h) => 4_000 + h),
    );
    expect((await planning.plan(shifted, fleet(), NOW + 2 * HOUR, ALONE)).degradations.at(-1)).toBe(
      'there is no forecast; the last valid plan stays',
    );
  });

  it('is told of the past in the time of the calendar, and answers in its own', async () => {
    const epochMs = 1_700_000_000_000;
    const { planning } = planningOf({ epochMs: () => epochMs });
    steps.length = 0;
    const { entry } = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(steps[0].startMs).toBe(epochMs + NOW - 150 * STEP);
    expect(entry!.forecasts[0].startMs).toBe(NOW);
    const late = await planning.plan(telemetry(3), fleet(), NOW, ALONE);
    expect(steps.at(-1)!.horizonSteps).toBe(steps[0].horizonSteps + 3);
    expect(late.entry!.forecasts.at(-1)!.startMs).toBe(NOW);
  });
});

describe('demand that is not known', () => {
  it('lets nothing go there, and everything elsewhere be weighed', async () => {
    const { planning, problems } = planningOf();
    const { plan, degradations } = await planning.plan(failing(isLast), fleet(), NOW, ALONE);
    expect(degradations).toEqual([
      'demand of model-b in region-b is not known (nothing was observed); no plan takes anything away there',
    ]);
    expect([...problems[0].minInstances.values]).toEqual([0, 0, 0, 0, 0, 0, 7, 8]);
    expect(plan!.demand!.expectedTokensPerS[3].at(1, 1, 0)).toBeNaN();
    expect(plan!.demand!.upperTokensPerS[3].at(1, 1, 0)).toBeNaN();
    expect(plan!.demand!.expectedTokensPerS[3].at(0, 1, 0)).toBe(2_003);
  });

  it('in one region of one model says nothing of the other region, nor of the other model', async () => {
    for (let cell = 0; cell < 4; cell++) {
      const { planning, problems } = planningOf();
      await planning.plan(
        failing((key) => cellOf(key) === cell),
        fleet(),
        NOW,
        ALONE,
      );
      expect([...problems[0].minInstances.values]).toEqual([...held().values].map((n, i) => (i >> 1 === cell ? n : 0)));
    }
  });

  it('is what a series of buckets of another length says', async () => {
    const { planning } = planningOf();
    const { degradations } = await planning.plan(telemetry(0, STEP / 2), fleet(), NOW, ALONE);
    expect(degradations[0]).toContain('it comes in buckets of 300000 ms, not of 600000 ms');
    expect(degradations.at(-1)).toBe('there is no forecast; scaling is reactive only');
  });
});

describe('what does not answer', () => {
  const broken: Forecaster = { ...rising, forecast: () => Promise.reject(new Error('no memory')) };

  it('is told with the fallback that does not answer either', async () => {
    const fallbackForecaster: Forecaster = {
      ...broken,
      name: 'naive',
      forecast: () => Promise.reject(new Error('nor here')),
    };
    const { planning } = planningOf({ forecaster: broken, fallbackForecaster });
    const { degradations } = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(degradations[1]).toBe(
      'the forecast of model-a in region-b failed (no memory), and so did naive (nor here); no plan takes ' +
        'anything away there',
    );
    expect(degradations).toHaveLength(5);
  });

  it('is replaced by its last forecast where telemetry fails, in its own time', async () => {
    const epochMs = 1_700_000_000_000;
    const { planning } = planningOf({ epochMs: () => epochMs });
    await planning.plan(telemetry(), fleet(), NOW, ALONE);
    const { plan, entry, degradations } = await planning.plan(failing(isLast), fleet(), NOW, ALONE);
    expect(degradations).toEqual([
      'demand of model-b in region-b is not known (nothing was observed); its last forecast stays',
    ]);
    expect(entry!.forecasts.map(({ startMs }) => startMs)).toEqual([NOW, NOW, NOW, NOW]);
    expect(plan!.demand!.expectedTokensPerS[2].at(1, 1, 0)).toBe(4_002);
    // One that lies in the future says nothing of the present.
    expect((await planning.plan(failing(isLast), fleet(), NOW - HOUR, ALONE)).degradations[0]).toBe(
      'demand of model-b in region-b is not known (nothing was observed); no plan takes anything away there',
    );
  });

  it('hears the signal wherever it waits, and is handed it', async () => {
    const end = new AbortController();
    const heard: (AbortSignal | undefined)[] = [];
    const forecaster: Forecaster = {
      ...rising,
      forecast: (history, steps, options) => (heard.push(options?.signal), rising.forecast(history, steps, options)),
    };
    await planningOf({ forecaster }).planning.plan(telemetry(), fleet(), NOW, unlimitedSteps(end.signal));
    await planningOf({ forecaster }).planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(heard).toEqual([...Array<unknown>(4).fill(end.signal), ...Array<unknown>(4).fill(undefined)]);
    end.abort(new Error('enough'));
    for (const options of [{ forecaster: broken }, { forecaster: broken, fallbackForecaster: broken }])
      await expect(
        planningOf(options).planning.plan(telemetry(), fleet(), NOW, unlimitedSteps(end.signal)),
      ).rejects.toThrow('enough');
    await expect(
      planningOf().planning.plan(
        failing(() => true),
        fleet(),
        NOW,
        unlimitedSteps(end.signal),
      ),
    ).rejects.toThrow('enough');
  });

  it('is no matter where nothing was observed and no history is needed', async () => {
    const blank: TelemetrySource = {
      ...telemetry(),
      demand: async (...args) =>
        (await telemetry().demand(...args)).map((series) => ({
          ...series,
          promptTokensPerS: new Float64Array(150).fill(NaN),
        })),
    };
    expect((await planningOf({ needsHistory: false }).planning.plan(blank, fleet(), NOW, ALONE)).degradations).toEqual(
      [],
    );
    expect((await planningOf().planning.plan(blank, fleet(), NOW, ALONE)).degradations).toHaveLength(5);
    // One bucket of all is enough, and a quiet one too.
    const quiet = Float64Array.from({ length: 150 }, (_, t) => (t === 7 ? 0 : NaN));
    const seen: TelemetrySource = {
      ...telemetry(),
      demand: async (...args) =>
        (await telemetry().demand(...args)).map((series) => ({ ...series, promptTokensPerS: quiet })),
    };
    expect((await planningOf().planning.plan(seen, fleet(), NOW, ALONE)).degradations).toEqual([]);
  });

  it('is asked for two weeks of the past, or as much as is said', async () => {
    const since: number[] = [];
    const asked: TelemetrySource = {
      ...telemetry(),
      demand: (key, sinceMs, stepMs) => (since.push(NOW - sinceMs), telemetry().demand(key, sinceMs, stepMs)),
    };
    await planningOf().planning.plan(asked, fleet(), NOW, ALONE);
    await planningOf({ historyMs: HOUR }).planning.plan(asked, fleet(), NOW, ALONE);
    expect(since).toEqual([14 * 24 * HOUR, HOUR]);
  });

  it('is planned for in full and told in part: what falls short beside the first is counted', async () => {
    const missing = (amount: number, region?: number) => ({
      kind: 'interactive-fast' as const,
      modelId: models[0],
      ...(region === undefined ? {} : { regionId: regions[region] }),
      amount,
      binding: [],
    });
    const { planning } = planningOf({}, () => ({
      status: 'infeasible',
      shortfall: [missing(5), missing(7, 1), missing(9, 0)],
    }));
    const { degradations, entry } = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(degradations).toEqual(['the plan is elastic: interactive-fast of model-a is short by 5, and 2 more']);
    expect(entry!.shortfall.map((one) => [one.amount, 'window' in one])).toEqual([
      [5, false],
      [7, false],
      [9, false],
    ]);
    const little = async (amount: number) =>
      (
        await planningOf({}, () => ({ status: 'infeasible', shortfall: [missing(amount)] })).planning.plan(
          telemetry(),
          fleet(),
          NOW,
          ALONE,
        )
      ).degradations[0];
    expect([await little(0.3456), await little(12.3456)]).toEqual([
      'the plan is elastic: interactive-fast of model-a is short by 0.35',
      'the plan is elastic: interactive-fast of model-a is short by 12',
    ]);
  });

  it('is told of the work that waits, and that is nothing where none is known', async () => {
    const waiting = [
      { modelId: models[0], requests: 3, promptTokens: 5, earliestDeadlineAtMs: 0, due: [], arrivedTokensPerS: 1 },
    ];
    const { planning, inputs } = planningOf();
    await planning.plan(telemetry(), fleet(waiting), NOW, ALONE);
    const { backlog: _, ...rest } = fleet();
    await planning.plan(telemetry(), rest, NOW, ALONE);
    expect(inputs.map(({ backlog }) => backlog)).toEqual([waiting, []]);
  });
});

describe('a plan with a program for each window', () => {
  it('solves each for its own demand, within its part of the time, and keeps what each says', async () => {
    const flow = (w: number) => [new PlacementGrid(2, 2, 2, new Float64Array(8).fill(w))];
    const { planning, inputs, limitsMs } = planningOf({ windows: 'each', planSteps: 2, timeLimitMs: 8_000 }, (w) => ({
      flowTokensPerS: flow(w),
      ...(w === 2
        ? {
            status: 'feasible',
            shortfall: [
              { kind: 'interactive-normal', modelId: models[1], regionId: regions[0], amount: 12.6, binding: [] },
            ],
          }
        : {}),
    }));
    const { plan, entry, degradations } = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(inputs.map(({ forecasts }) => forecasts.map(({ forecast }) => [...forecast.mean]))).toEqual(
      [0, 1, 2, 3].map((w) => [[1_000 + w], [2_000 + w], [3_000 + w], [4_000 + w]]),
    );
    expect(inputs.map(({ forecasts }) => forecasts[0].forecast.startMs)).toEqual(
      [0, 1, 2, 3].map((w) => NOW + w * STEP),
    );
    expect(limitsMs).toEqual([2_000, 2_000, 2_000, 2_000]);
    expect(plan!.schedule!.map((grid) => grid.at(1, 1, 1))).toEqual([8, 9, 10, 11]);
    expect(plan!.target.at(1, 1, 1)).toBe(8);
    expect(plan!.flowTokensPerS!.map((grid) => grid.at(0, 0, 0))).toEqual([0, 1, 2, 3]);
    expect(plan!.validUntilMs).toBe(NOW + 2 * STEP);
    expect(entry).toMatchObject({ status: 'feasible', shortfall: [{ window: 2, amount: 12.6 }] });
    expect(degradations).toEqual(['the plan is elastic: interactive-normal of model-b in region-a is short by 13']);
  });

  it('has no flows where one of them has none', async () => {
    const { planning } = planningOf({ windows: 'each', planSteps: 1 }, (w) =>
      w === 0 ? { flowTokensPerS: [new PlacementGrid(2, 2, 2)] } : {},
    );
    expect((await planning.plan(telemetry(), fleet(), NOW, ALONE)).plan!.flowTokensPerS).toBeUndefined();
  });
});

describe('what is written down of a plan', () => {
  it('is what is held and wanted of each deployment, and the band of each forecast', async () => {
    const target = new PlacementGrid(2, 2, 2, Float64Array.of(0, 3, 0, 0, 5, 0, 9, 8));
    const { planning } = planningOf({}, () => ({ target, notes: ['said'] }));
    const { entry } = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    expect(entry!.targets).toEqual({
      'region-a/model-a/sku-a': { held: 1, target: 0 },
      'region-a/model-a/sku-b': { held: 2, target: 3 },
      'region-b/model-a/sku-a': { held: 3, target: 0 },
      'region-b/model-a/sku-b': { held: 4, target: 0 },
      'region-a/model-b/sku-a': { held: 5, target: 5 },
      'region-a/model-b/sku-b': { held: 6, target: 0 },
      'region-b/model-b/sku-a': { held: 7, target: 9 },
      'region-b/model-b/sku-b': { held: 8, target: 8 },
    });
    expect(entry!.notes).toEqual(['said']);
    const band = entry!.forecasts.find(({ modelId, regionId }) => modelId === models[1] && regionId === regions[0])!;
    expect([band.expected[2], band.low[2], band.high[2], band.method]).toEqual([3_002, 4_002, 12_002, 'rising']);
  });

  it('says nothing of what is neither held nor wanted', async () => {
    const none = (): PlacementGrid => new PlacementGrid(2, 2, 2, Float64Array.of(0, 0, 3, 0, 0, 0, 0, 0));
    const target = new PlacementGrid(2, 2, 2, Float64Array.of(2, 0, 0, 0, 0, 0, 0, 0));
    const { planning } = planningOf({}, () => ({ target }), none);
    expect((await planning.plan(telemetry(), fleet(), NOW, ALONE)).entry!.targets).toEqual({
      'region-a/model-a/sku-a': { held: 0, target: 2 },
      'region-b/model-a/sku-a': { held: 3, target: 0 },
    });
  });

  it('says where the optimiser had no plan, and goes on with the last for three hours', async () => {
    let found = true;
    const { planning } = planningOf({}, () => (found ? {} : { target: undefined, status: 'not-found' }));
    const first = await planning.plan(telemetry(), fleet(), NOW, ALONE);
    found = false;
    const later = (hours: number) =>
      planning.plan(
        {
          ...telemetry(),
          demand: async (...args) =>
            (await telemetry().demand(...args)).map((series) => ({
              ...series,
              startMs: NOW + hours * HOUR - 150 * STEP,
            })),
        },
        fleet(),
        NOW + hours * HOUR,
        ALONE,
      );
    const second = await later(3);
    expect(second).toMatchObject({
      entry: undefined,
      degradations: ['no plan could be made: the optimiser is not-found; the last valid plan stays'],
    });
    expect(second.plan).toBe(first.plan);
    const third = await later(3.5);
    expect(third).toMatchObject({
      plan: undefined,
      degradations: ['no plan could be made: the optimiser is not-found; scaling is reactive only'],
    });
  });
});

describe('planning options', () => {
  it('are checked', () => {
    expect(() => planningOf({ stepMs: 0 })).toThrow('planning.stepMs: must be above 0, not 0');
    expect(() => planningOf({ planSteps: 1.5 })).toThrow(
      'planning.planSteps: must be a whole number of 1 or more, not 1.5',
    );
    expect(() => planningOf({ planSteps: 0 })).toThrow('planning.planSteps');
    expect(() => planningOf({ planSteps: 3, horizonSteps: 2 })).toThrow(
      'planning.horizonSteps: must be a whole number of at least planSteps (3), not 2',
    );
    expect(() => planningOf({ demandQuantile: 1 })).toThrow('planning.demandQuantile: must be between 0 and 1, not 1');
    expect(() => planningOf({ demandQuantile: 0 })).toThrow('planning.demandQuantile');
    expect(() => planningOf({ planSteps: 1, horizonSteps: 1 })).not.toThrow();
  });
});
