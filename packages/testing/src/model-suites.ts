import {
  type Clock,
  createRng,
  type DemandSeries,
  type Deployment,
  type Forecaster,
  modelId,
  type PerformanceModel,
  type PlacementOptimizer,
  type PlacementProblem,
  regionId,
} from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';

/** What every performance model must do for the deployments that it claims to know. */
export function performanceModelConformance(
  create: () => PerformanceModel,
  deployments: readonly Deployment[],
): ConformanceCase[] {
  return deployments.map((deployment) => ({
    name:
      `is finite, positive and does not fall with more work: ${deployment.modelId} on ` +
      `${deployment.gpusPerInstance} × ${deployment.skuId}`,
    run() {
      const performance = create().forDeployment(deployment);
      const rng = createRng('performance-conformance');
      expect(performance.kvCapacityTokens > 0, 'leaves no memory for the KV cache');
      for (let round = 0; round < 500; round++) {
        const prefill = Math.floor(rng.next() * 20_000);
        const decodes = Math.floor(rng.next() * 300) + (prefill === 0 ? 1 : 0);
        const context = decodes * Math.floor(1 + rng.next() * 3_000);
        const base = performance.iterationMs(prefill, decodes, context, 0, 1);
        expect(Number.isFinite(base) && base > 0, `${prefill} prompt tokens and ${decodes} decodes last ${base} ms`);
        expect(
          performance.iterationMs(prefill + 512, decodes, context, 0, 1) >= base * (1 - 1e-12),
          `more prompt tokens than ${prefill} take less time (${decodes} decodes)`,
        );
        expect(
          performance.iterationMs(prefill, decodes + 8, context, 0, 1) >= base * (1 - 1e-12),
          `more decodes than ${decodes} take less time (${prefill} prompt tokens)`,
        );
        expect(
          performance.iterationMs(prefill, decodes, context + 4_096, 0, 1) >= base * (1 - 1e-12),
          `more context than ${context} takes less time`,
        );
      }
      const tokensPerS = performance.maxTokensPerS({ promptTokens: 1_000, outputTokens: 200 });
      expect(Number.isFinite(tokensPerS) && tokensPerS > 0, `sustains ${tokensPerS} tokens/s`);
    },
  }));
}

const DAY_STEPS = 144;

/** What every forecaster must do. */
export function forecasterConformance(create: () => Forecaster): ConformanceCase[] {
  const series = (steps: number, of: (t: number) => number): DemandSeries => ({
    key: { modelId: modelId('model-a'), regionId: regionId('region-a') },
    startMs: 0,
    stepMs: 600_000,
    promptTokensPerS: Float64Array.from({ length: steps }, (_, t) => of(t)),
    outputTokensPerS: Float64Array.from({ length: steps }, (_, t) => of(t) / 5),
    requestsPerS: Float64Array.from({ length: steps }, (_, t) => of(t) / 1_000),
  });
  const shapes: readonly (readonly [string, (t: number) => number])[] = [
    ['a daily wave', (t) => 1_000 + 800 * Math.sin((2 * Math.PI * t) / 144)],
    ['nothing at all', () => 0],
    ['a constant', () => 500],
    ['gaps', (t) => (t % 7 === 0 ? NaN : 300)],
  ];
  return shapes.map(([name, of]) => ({
    name: `forecasts ${name}: finite, not negative, quantiles in order, the same twice`,
    async run() {
      const forecaster = create();
      const steps = Math.max(1_008, forecaster.minHistorySteps) + DAY_STEPS;
      const history = series(steps, of);
      const before = Float64Array.from(history.promptTokensPerS);
      const forecast = await forecaster.forecast(history, 12);
      expect(
        before.every((value, i) => Object.is(value, history.promptTokensPerS[i])),
        'changed the history that it was lent',
      );
      expect(
        forecast.startMs === history.startMs + history.promptTokensPerS.length * history.stepMs,
        'does not begin where the history ends',
      );
      expect(forecast.method.length > 0, 'does not name the method that answered');
      for (const part of [forecast, forecast.promptTokensPerS, forecast.outputTokensPerS]) {
        for (const column of [part.mean, ...part.quantiles.map((q) => q.values)]) {
          expect(column.length === 12, `has ${column.length} steps where 12 were asked for`);
          for (const value of column) expect(Number.isFinite(value) && value >= 0, `forecasts ${value}`);
        }
        for (let q = 1; q < part.quantiles.length; q++) {
          const low = part.quantiles[q - 1]!;
          const high = part.quantiles[q]!;
          expect(high.level > low.level, 'quantile levels do not rise');
          expect(
            high.values.every((value, t) => value >= low.values[t]! - 1e-9),
            `the ${high.level} quantile lies under the ${low.level} quantile`,
          );
        }
      }
      for (const [t, mean] of forecast.mean.entries()) {
        const sum = forecast.promptTokensPerS.mean[t]! + forecast.outputTokensPerS.mean[t]!;
        expect(
          Math.abs(mean - sum) <= 1e-6 * (1 + sum),
          `forecasts ${mean} tokens/s in all, but ${sum} as prompt and output`,
        );
      }
      const again = await create().forecast(series(steps, of), 12);
      expect(
        again.mean.every((value, t) => value === forecast.mean[t]),
        'the same history gave two forecasts',
      );
    },
  }));
}

/**
 * What every placement optimiser must do, on problems whose answer the caller knows to exist or
 * not.
 */
export function placementOptimizerConformance(
  create: () => PlacementOptimizer,
  feasible: PlacementProblem,
): ConformanceCase[] {
  return [
    {
      name: 'answers a feasible problem with whole numbers within bounds and GPU capacity that serve the demand',
      async run() {
        const solution = await create().solve(feasible);
        expect(solution.status === 'optimal' || solution.status === 'feasible', `answered ${solution.status}`);
        expect(solution.target !== undefined, 'gave no target');
        const gpus = new Map<string, number>();
        for (const [m] of feasible.models.entries()) {
          for (const [r] of feasible.regions.entries()) {
            for (const [k] of feasible.skus.entries()) {
              const target = solution.target.at(m, r, k);
              expect(Number.isInteger(target), `target ${target} is not a whole number`);
              expect(
                target >= feasible.minInstances.at(m, r, k) && target <= feasible.maxInstances.at(m, r, k),
                `target ${target} is out of bounds`,
              );
              const cell = `${r}/${k}`;
              gpus.set(cell, (gpus.get(cell) ?? 0) + target * feasible.gpusPerInstance.at(m, 0, k));
              expect(gpus.get(cell)! <= feasible.gpuCapacity.at(0, r, k), `uses more GPUs than region ${r} has`);
            }
          }
        }
        for (const [m, model] of feasible.models.entries()) {
          const carried = feasible.regions.map((_, r) =>
            feasible.skus.reduce(
              (sum, __, k) => sum + solution.target!.at(m, r, k) * feasible.tokensPerSPerInstance.at(m, 0, k),
              0,
            ),
          );
          for (const [w, demand] of feasible.demandTokensPerS.entries()) {
            for (const [r, region] of feasible.regions.entries())
              expect(
                carried[r]! >= feasible.localShare * demand.at(m, r, 0) * (1 - 1e-9),
                `${region} holds too little of ${model} for its own share in window ${w}`,
              );
            const all = feasible.regions.reduce((sum, _, r) => sum + demand.at(m, r, 0), 0);
            expect(
              carried.reduce((a, b) => a + b, 0) >= all * (1 - 1e-9),
              `all regions together hold too little of ${model} in window ${w}`,
            );
          }
        }
      },
    },
    {
      name: 'gives the same plan for the same problem, and ends when told to',
      async run() {
        const [first, second] = [await create().solve(feasible), await create().solve(feasible)];
        expect(first.target?.values.join() === second.target?.values.join(), 'gave two plans');
        const reason = new Error('told to');
        const ended = await Promise.resolve()
          .then(() => create().solve(feasible, { signal: AbortSignal.abort(reason) }))
          .catch((error: unknown) => error);
        expect(ended === reason, 'went on after an abort');
      },
    },
  ];
}

/** What every clock must do. `pass` lets `ms` of its time go by. */
export function clockConformance(
  create: () => { readonly clock: Clock; readonly pass: (ms: number) => Promise<void> },
): ConformanceCase[] {
  return [
    {
      name: 'never goes back, and wakes sleepers at or after their time',
      async run() {
        const { clock, pass } = create();
        const start = clock.nowMs();
        let wokeAtMs = NaN;
        const sleep = clock.sleepUntilMs(start + 20).then(() => {
          wokeAtMs = clock.nowMs();
        });
        await pass(50);
        await sleep;
        expect(clock.nowMs() >= start, 'time went back');
        expect(wokeAtMs >= start + 20, `woke at ${wokeAtMs - start} ms instead of 20 ms`);
      },
    },
    {
      name: 'rejects a sleep that is aborted',
      async run() {
        const { clock } = create();
        const controller = new AbortController();
        const sleep = clock.sleepUntilMs(clock.nowMs() + 1e9, controller.signal).then(
          () => 'woke',
          () => 'aborted',
        );
        controller.abort(new Error('enough'));
        expect((await sleep) === 'aborted', 'slept on');
      },
    },
  ];
}
