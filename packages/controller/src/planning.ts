import {
  ConfigError,
  DEFAULT_CADENCES,
  DEFAULT_DEMAND_QUANTILE,
  DEFAULT_DEMAND_STEP_MS,
  type DemandForecast,
  type DemandKey,
  type DemandSeries,
  type FleetSnapshot,
  messageOf,
  type ModelId,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MIN,
  Pacer,
  PlacementGrid,
  type PlacementPlan,
  type PlacementProblem,
  type PlacementSolution,
  type PlannedDemand,
  type RegionId,
  type SavedState,
  stateOfVersion,
  type TelemetrySource,
  type TokenMix,
  meanMix,
} from '@sageserve/core';
import { DemandForecasts, fromStep, quantileOf } from './demand-forecasts.js';
import type { JournalForecast, PlanEntry } from './journal.js';
import type { PlanSteps } from './plan-steps.js';
import type { KeyedForecast, PlanningOptions } from './planning-options.js';

/** What came of planning: a plan or none, what is written down, and what did not work. */
export interface PlanOutcome {
  readonly plan: PlacementPlan | undefined;
  readonly entry: PlanEntry | undefined;
  readonly degradations: readonly string[];
}

/** A plan may be this old before policies go without one. */
export const MAX_PLAN_AGE_MS = 3 * MS_PER_HOUR;
const DEFAULT_TIME_LIMIT_MS = 10_000;
/** The band that is written down. */
const LOW_LEVEL = 0.1;
const HIGH_LEVEL = 0.9;

const VERSION = 1;

interface PlanningState {
  readonly last: ReadonlyMap<string, DemandForecast>;
  readonly lastPlan: PlacementPlan | undefined;
}

/**
 * Forecasts demand and solves for a plan, and always comes back with the best that could be had:
 * where a forecast fails the last one is used as far as it reaches, then the fallback's; where the
 * optimiser fails the last valid plan stays; an infeasible hour yields the elastic plan and names
 * what it gives up.
 */
export class Planning {
  readonly stepMs: number;
  readonly #options: PlanningOptions;
  readonly #planSteps: number;
  readonly #horizonSteps: number;
  readonly #quantile: number;
  readonly #forecasts: DemandForecasts;
  #lastPlan: PlacementPlan | undefined;
  readonly stepDeadlineMs: number;

  constructor(options: PlanningOptions, strict = false) {
    const {
      stepMs = DEFAULT_DEMAND_STEP_MS,
      planSteps = DEFAULT_CADENCES.planMs / DEFAULT_DEMAND_STEP_MS,
      horizonSteps = 2 * planSteps,
      demandQuantile = DEFAULT_DEMAND_QUANTILE,
    } = options;
    if (!(stepMs > 0 && stepMs < Infinity)) throw new ConfigError('planning.stepMs', `must be above 0, not ${stepMs}`);
    if (!(Number.isInteger(planSteps) && planSteps >= 1))
      throw new ConfigError('planning.planSteps', `must be a whole number of 1 or more, not ${planSteps}`);
    if (!(Number.isInteger(horizonSteps) && horizonSteps >= planSteps))
      throw new ConfigError(
        'planning.horizonSteps',
        `must be a whole number of at least planSteps (${planSteps}), not ${horizonSteps}`,
      );
    if (!(demandQuantile > 0 && demandQuantile < 1))
      throw new ConfigError('planning.demandQuantile', `must be between 0 and 1, not ${demandQuantile}`);
    const { stepDeadlineMs = MS_PER_MIN } = options;
    if (!(stepDeadlineMs > 0))
      throw new ConfigError('planning.stepDeadlineMs', `must be above 0, not ${stepDeadlineMs}`);
    this.stepDeadlineMs = stepDeadlineMs;
    this.stepMs = stepMs;
    this.#options = options;
    this.#planSteps = planSteps;
    this.#horizonSteps = horizonSteps;
    this.#quantile = demandQuantile;
    const levels = [...new Set([LOW_LEVEL, 0.5, HIGH_LEVEL, demandQuantile])].sort((a, b) => a - b);
    this.#forecasts = new DemandForecasts(options, { stepMs, horizonSteps, levels }, strict);
  }

  /** A plan for what comes after `nowMs`. Never throws but for the signal's reason. */
  async plan(telemetry: TelemetrySource, fleet: FleetSnapshot, nowMs: number, steps: PlanSteps): Promise<PlanOutcome> {
    const degradations: string[] = [];
    const { signal } = steps;
    const { models, regions } = namesOf(fleet);
    let solved: { plan: PlacementPlan; entry: PlanEntry };
    const keys = models.flatMap((modelId) => regions.map((regionId): DemandKey => ({ modelId, regionId })));
    const { forecasts, series } = await this.#forecasts.all(telemetry, keys, nowMs, degradations, steps);
    if (forecasts.length === 0) return this.#without(nowMs, degradations, 'there is no forecast');
    try {
      solved = await this.#solve(fleet, forecasts, series, nowMs, degradations, steps);
    } catch (error) {
      signal?.throwIfAborted();
      return this.#without(nowMs, degradations, `no plan could be made: ${messageOf(error)}`);
    }
    this.#lastPlan = solved.plan;
    return { ...solved, degradations };
  }

  /** Forecasts and the plan that later ones fall back on. */
  save(): SavedState {
    const state: PlanningState = { last: this.#forecasts.save(), lastPlan: this.#lastPlan };
    return { version: VERSION, state };
  }

  restore(saved: SavedState): void {
    const { last, lastPlan } = stateOfVersion('planning', saved, VERSION) as PlanningState;
    this.#forecasts.restore(last);
    this.#lastPlan = lastPlan;
  }

  #without(nowMs: number, degradations: string[], why: string): PlanOutcome {
    const last = this.#lastPlan;
    const usable = last !== undefined && nowMs - last.validFromMs <= MAX_PLAN_AGE_MS;
    degradations.push(`${why}; ${usable ? 'the last valid plan stays' : 'scaling is reactive only'}`);
    return { plan: usable ? last : undefined, entry: undefined, degradations };
  }

  async #solve(
    fleet: FleetSnapshot,
    forecasts: readonly KeyedForecast[],
    series: readonly DemandSeries[],
    nowMs: number,
    degradations: string[],
    steps: PlanSteps,
  ): Promise<{ plan: PlacementPlan; entry: PlanEntry }> {
    const {
      optimizer,
      problem: makeProblem,
      windows = 'peak',
      timeLimitMs = DEFAULT_TIME_LIMIT_MS,
      relativeGap = 0,
    } = this.#options;
    const mix = meanMix(series, Math.round(MS_PER_DAY / this.stepMs));
    const spans =
      windows === 'peak' ? [[0, this.#planSteps]] : Array.from({ length: this.#horizonSteps }, (_, w) => [w, w + 1]);
    const solutions: PlacementSolution[] = [];
    let first: PlacementProblem | undefined;
    const pacer = new Pacer();
    for (const [from, to] of spans) {
      if (pacer.late) await pacer.turn(steps.signal);
      const cut = forecasts.map(({ key, forecast }) => ({ key, forecast: fromStep(forecast, from, to - from) }));
      const problem = keepUnknown(
        makeProblem({ nowMs, fleet, forecasts: cut, mix, backlog: fleet.backlog ?? [] }),
        forecasts,
      );
      first ??= problem;
      const solution = await steps.run((signal) =>
        optimizer.solve(problem, {
          timeLimitMs: timeLimitMs / spans.length,
          relativeGap,
          ...(signal === undefined ? {} : { signal }),
        }),
      );
      if (solution.target === undefined) throw new Error(`the optimiser is ${solution.status}`);
      solutions.push(solution);
    }
    const problem = first!;
    const solution = solutions[0];
    const shortfall = solutions.flatMap((one, w) =>
      (one.shortfall ?? []).map((missing) => (windows === 'each' ? { ...missing, window: w } : missing)),
    );
    for (const one of shortfall.slice(0, 1))
      degradations.push(
        `the plan is elastic: ${one.kind} of ` +
          `${one.modelId}${one.regionId === undefined ? '' : ` in ${one.regionId}`} is short by ` +
          `${one.amount < 10 ? Number(one.amount.toPrecision(2)) : Math.round(one.amount)}${shortfall.length > 1 ? `, and ${shortfall.length - 1} more` : ''}`,
      );
    const flows =
      windows === 'peak'
        ? solution.flowTokensPerS
        : solutions.every((one) => one.flowTokensPerS !== undefined)
          ? solutions.map((one) => one.flowTokensPerS![0])
          : undefined;
    const plan: PlacementPlan = {
      models: problem.models,
      regions: problem.regions,
      skus: problem.skus,
      target: solution.target!,
      validFromMs: nowMs,
      validUntilMs: nowMs + this.#planSteps * this.stepMs,
      ...(flows === undefined ? {} : { flowTokensPerS: flows }),
      ...(windows === 'each' ? { schedule: solutions.map((one) => one.target!) } : {}),
      demand: this.#demandOf(problem, forecasts, mix, nowMs),
      tokensPerSPerInstance: problem.tokensPerSPerInstance,
      localShare: problem.localShare,
    };
    return { plan, entry: this.#entry(problem, solution, solutions, plan, forecasts, shortfall) };
  }

  #demandOf(
    problem: PlacementProblem,
    forecasts: readonly KeyedForecast[],
    mix: ReadonlyMap<ModelId, TokenMix>,
    nowMs: number,
  ): PlannedDemand {
    const cells = problem.models.length * problem.regions.length;
    const grids = (): PlacementGrid[] =>
      Array.from(
        { length: this.#horizonSteps },
        () => new PlacementGrid(problem.models.length, problem.regions.length, 1, new Float64Array(cells).fill(NaN)),
      );
    const expected = grids();
    const upper = grids();
    for (const { key, forecast } of forecasts) {
      const m = problem.models.indexOf(key.modelId);
      const r = problem.regions.indexOf(key.regionId);
      for (let w = 0; w < this.#horizonSteps; w++) {
        expected[w].set(m, r, 0, forecast.mean[w]);
        upper[w].set(m, r, 0, quantileOf(forecast, this.#quantile)[w]);
      }
    }
    const shapes = problem.models.map((model) => mix.get(model));
    return { startMs: nowMs, stepMs: this.stepMs, expectedTokensPerS: expected, upperTokensPerS: upper, mix: shapes };
  }

  #entry(
    problem: PlacementProblem,
    solution: PlacementSolution,
    solutions: readonly PlacementSolution[],
    plan: PlacementPlan,
    forecasts: readonly KeyedForecast[],
    shortfall: PlanEntry['shortfall'],
  ): PlanEntry {
    const targets: Record<string, { held: number; target: number }> = {};
    for (const [m, model] of problem.models.entries())
      for (const [r, region] of problem.regions.entries())
        for (const [k, sku] of problem.skus.entries()) {
          const [held, target] = [problem.current.at(m, r, k), plan.target.at(m, r, k)];
          if (held > 0 || target > 0) targets[`${region}/${model}/${sku}`] = { held, target };
        }
    return {
      kind: 'plan',
      atMs: plan.validFromMs,
      status: solutions.find((one) => one.status !== 'optimal')?.status ?? solution.status,
      solver: solution.solver,
      validUntilMs: plan.validUntilMs,
      targets,
      forecasts: forecasts.map(({ key, forecast }): JournalForecast => ({
        ...key,
        method: forecast.method,
        startMs: forecast.startMs,
        stepMs: forecast.stepMs,
        expected: [...forecast.mean],
        low: [...quantileOf(forecast, LOW_LEVEL)],
        high: [...quantileOf(forecast, HIGH_LEVEL)],
      })),
      shortfall,
      notes: solution.notes ?? [],
    };
  }
}

/** Where demand is not known nothing is let go: what is held there is the least. */
function keepUnknown(problem: PlacementProblem, forecasts: readonly KeyedForecast[]): PlacementProblem {
  const { models, regions, skus, current, minInstances } = problem;
  const known = new Set(forecasts.map(({ key }) => `${key.modelId}/${key.regionId}`));
  if (known.size === models.length * regions.length) return problem;
  const least = new PlacementGrid(models.length, regions.length, skus.length, Float64Array.from(minInstances.values));
  for (const [m, model] of models.entries())
    for (const [r, region] of regions.entries())
      if (!known.has(`${model}/${region}`))
        for (const [k] of skus.entries()) least.set(m, r, k, Math.max(least.at(m, r, k), current.at(m, r, k)));
  return { ...problem, minInstances: least };
}

function namesOf(fleet: FleetSnapshot): { models: ModelId[]; regions: RegionId[] } {
  return {
    models: [...new Set(fleet.endpoints.map((endpoint) => endpoint.modelId))],
    regions: [...new Set(fleet.endpoints.map((endpoint) => endpoint.regionId))],
  };
}
