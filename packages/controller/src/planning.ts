import {
  type BacklogSnapshot,
  ConfigError,
  DEFAULT_CADENCES,
  DEFAULT_DEMAND_QUANTILE,
  DEFAULT_DEMAND_STEP_MS,
  type DemandForecast,
  type DemandKey,
  type DemandSeries,
  type FleetSnapshot,
  type Forecaster,
  messageOf,
  type ModelId,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MIN,
  Pacer,
  PlacementGrid,
  type PlacementOptimizer,
  PolicyContractError,
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
import type { JournalForecast, PlanEntry } from './journal.js';
import type { PlanSteps } from './plan-steps.js';

/** What a placement problem is made from. */
export interface PlanningInput {
  readonly nowMs: number;
  readonly fleet: FleetSnapshot;
  /** One for each model and region that could be forecast; windows of the plan only. */
  readonly forecasts: readonly { readonly key: DemandKey; readonly forecast: DemandForecast }[];
  /** Mean shape of each model's requests over the last day. */
  readonly mix: ReadonlyMap<ModelId, TokenMix>;
  readonly backlog: readonly BacklogSnapshot[];
}

export interface PlanningOptions {
  readonly forecaster: Forecaster;
  /**
   * Whether the forecaster works from what was observed (default true): then a series of which
   * nothing was is not known. An oracle needs none.
   */
  readonly needsHistory?: boolean;
  /**
   * Answers where the forecaster fails and no earlier forecast reaches far enough: yesterday's
   * demand, usually.
   */
  readonly fallbackForecaster?: Forecaster;
  readonly optimizer: PlacementOptimizer;
  /**
   * The integer program's data: speeds, prices, bounds and GPUs of the fleet. Throws where it can't
   * be made.
   */
  readonly problem: (input: PlanningInput) => PlacementProblem;
  /** Length of a forecast bucket (ms, default 10 min). */
  readonly stepMs?: number;
  /** Buckets that a plan is made for: those of its validity (default 6). */
  readonly planSteps?: number;
  /**
   * Buckets that are forecast, so that a policy sees past the delay of provisioning (default twice
   * the plan's).
   */
  readonly horizonSteps?: number;
  /**
   * One program for the peak of the plan's buckets, as in the paper, or one for each bucket of the
   * horizon: the plan then has a schedule.
   */
  readonly windows?: 'peak' | 'each';
  /** Quantile of the forecast that policies are told as the upper one (0–1, default 0.9). */
  readonly demandQuantile?: number;
  /** How much of the past a forecaster is given (ms, default 14 days). */
  readonly historyMs?: number;
  /**
   * Milliseconds since 1970 at time 0 of the host, where that is not 0: forecasters need the
   * weekday.
   */
  readonly epochMs?: () => number;
  /** Time that the optimiser has for all windows together (ms, default 10 s). */
  readonly timeLimitMs?: number;
  /** (objective − bound) ÷ |objective| that is good enough (default 0: proven optimal). */
  readonly relativeGap?: number;
  /**
   * How long the query for demand, one forecast, or one solve may take where a plan is made beside
   * the ticks (ms, default 1 min): then the next fallback is taken.
   */
  readonly stepDeadlineMs?: number;
}

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

/**
 * What it means for a plan that a series can't be forecast. A policy may still let go of what it
 * sees to be idle.
 */
const NOTHING_PLANNED_AWAY = 'no plan takes anything away there';

const VERSION = 1;

interface PlanningState {
  readonly last: ReadonlyMap<string, DemandForecast>;
  readonly lastPlan: PlacementPlan | undefined;
}

interface Forecast {
  readonly key: DemandKey;
  readonly forecast: DemandForecast;
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
  readonly #levels: readonly number[];
  /** A forecaster that breaks its contract is an error of the tick. */
  readonly #strict: boolean;
  readonly #last = new Map<string, DemandForecast>();
  #lastPlan: PlacementPlan | undefined;
  readonly stepDeadlineMs: number;

  constructor(options: PlanningOptions, strict = false) {
    this.#strict = strict;
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
    this.#levels = [...new Set([LOW_LEVEL, 0.5, HIGH_LEVEL, demandQuantile])].sort((a, b) => a - b);
  }

  /** A plan for what comes after `nowMs`. Never throws but for the signal's reason. */
  async plan(telemetry: TelemetrySource, fleet: FleetSnapshot, nowMs: number, steps: PlanSteps): Promise<PlanOutcome> {
    const degradations: string[] = [];
    const { signal } = steps;
    const { models, regions } = namesOf(fleet);
    let solved: { plan: PlacementPlan; entry: PlanEntry };
    const { forecasts, series } = await this.#forecastAll(telemetry, models, regions, nowMs, degradations, steps);
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
    const state: PlanningState = { last: new Map(this.#last), lastPlan: this.#lastPlan };
    return { version: VERSION, state };
  }

  restore(saved: SavedState): void {
    const { last, lastPlan } = stateOfVersion('planning', saved, VERSION) as PlanningState;
    this.#last.clear();
    for (const [name, forecast] of last) this.#last.set(name, forecast);
    this.#lastPlan = lastPlan;
  }

  #without(nowMs: number, degradations: string[], why: string): PlanOutcome {
    const last = this.#lastPlan;
    const usable = last !== undefined && nowMs - last.validFromMs <= MAX_PLAN_AGE_MS;
    degradations.push(`${why}; ${usable ? 'the last valid plan stays' : 'scaling is reactive only'}`);
    return { plan: usable ? last : undefined, entry: undefined, degradations };
  }

  async #forecastAll(
    telemetry: TelemetrySource,
    models: readonly ModelId[],
    regions: readonly RegionId[],
    nowMs: number,
    degradations: string[],
    steps: PlanSteps,
  ): Promise<{ forecasts: Forecast[]; series: readonly DemandSeries[] }> {
    const { historyMs = 14 * MS_PER_DAY } = this.#options;
    const epochMs = this.#options.epochMs?.() ?? 0;
    const forecasts: Forecast[] = [];
    const keys = models.flatMap((modelId) => regions.map((regionId): DemandKey => ({ modelId, regionId })));
    let seen: readonly DemandSeries[] = [];
    let unknown = 'no series came for it';
    try {
      seen = await steps.run((signal) =>
        telemetry.demand(keys, nowMs - historyMs, this.stepMs, signal === undefined ? {} : { signal }),
      );
    } catch (error) {
      steps.signal?.throwIfAborted();
      unknown = messageOf(error);
    }
    // Forecasters compute for long without a pause.
    const pacer = new Pacer();
    for (const [i, key] of keys.entries()) {
      if (pacer.late) await pacer.turn(steps.signal);
      const name = `${key.modelId} in ${key.regionId}`;
      try {
        const series = seen[i];
        if (series === undefined) throw new Error(unknown);
        const { modelId, regionId } = series.key;
        if (modelId !== key.modelId || regionId !== key.regionId)
          throw new Error(`the series that came for it is of ${modelId} in ${regionId}`);
        const dated = { ...series, startMs: series.startMs + epochMs };
        const made = await this.#forecastOne(dated, nowMs + epochMs, name, degradations, steps);
        if (made !== undefined) forecasts.push({ key, forecast: { ...made, startMs: made.startMs - epochMs } });
      } catch (error) {
        steps.signal?.throwIfAborted();
        this.#rethrowBreach(error);
        const kept = this.#kept(name, nowMs + epochMs);
        degradations.push(
          `demand of ${name} is not known (${messageOf(error)}); ` +
            (kept === undefined ? NOTHING_PLANNED_AWAY : 'its last forecast stays'),
        );
        if (kept !== undefined) forecasts.push({ key, forecast: { ...kept, startMs: kept.startMs - epochMs } });
      }
    }
    return { forecasts, series: seen };
  }

  /** In the order: the forecaster, its last forecast, the fallback. Times are since 1970 here. */
  async #forecastOne(
    series: DemandSeries,
    nowMs: number,
    name: string,
    degradations: string[],
    steps: PlanSteps,
  ): Promise<DemandForecast | undefined> {
    if (series.stepMs !== this.stepMs)
      throw new Error(`it comes in buckets of ${series.stepMs} ms, not of ${this.stepMs} ms`);
    // A forecaster answers "nothing" where nothing was seen, but what is not known is not nothing.
    if (this.#options.needsHistory !== false && !series.promptTokensPerS.some((tokens) => tokens >= 0))
      throw new Error('nothing was observed');
    const endMs = series.startMs + series.promptTokensPerS.length * series.stepMs;
    // Where the newest buckets are not there yet, the forecast begins before now: it is made long
    // enough, and cut.
    const behind = Math.max(0, Math.round((nowMs - endMs) / this.stepMs));
    const make = async (forecaster: Forecaster): Promise<DemandForecast> => {
      const forecast = await steps.run((signal) =>
        forecaster.forecast(series, this.#horizonSteps + behind, {
          quantileLevels: this.#levels,
          ...(signal === undefined ? {} : { signal }),
        }),
      );
      return fromStep(forecast, behind);
    };
    try {
      const forecast = await make(this.#options.forecaster);
      this.#last.set(name, forecast);
      return forecast;
    } catch (error) {
      steps.signal?.throwIfAborted();
      this.#rethrowBreach(error);
      const why = `the forecast of ${name} failed (${messageOf(error)})`;
      const kept = this.#kept(name, nowMs);
      if (kept !== undefined) {
        degradations.push(`${why}; its last forecast stays`);
        return kept;
      }
      const { fallbackForecaster } = this.#options;
      if (fallbackForecaster !== undefined) {
        try {
          const forecast = await make(fallbackForecaster);
          degradations.push(`${why}; ${fallbackForecaster.name} answers`);
          return forecast;
        } catch (second) {
          steps.signal?.throwIfAborted();
          degradations.push(
            `${why}, and so did ${fallbackForecaster.name} (${messageOf(second)}); ${NOTHING_PLANNED_AWAY}`,
          );
          return undefined;
        }
      }
      degradations.push(`${why}; ${NOTHING_PLANNED_AWAY}`);
      return undefined;
    }
  }

  #rethrowBreach(error: unknown): void {
    if (this.#strict && error instanceof PolicyContractError) throw error;
  }

  /**
   * What the last forecast of a series says from now on, its last bucket held; undefined where it
   * no longer reaches to now.
   */
  #kept(name: string, nowMs: number): DemandForecast | undefined {
    const last = this.#last.get(name);
    if (last === undefined) return undefined;
    const passed = Math.round((nowMs - last.startMs) / this.stepMs);
    return passed >= 0 && passed < last.mean.length ? fromStep(last, passed, this.#horizonSteps) : undefined;
  }

  async #solve(
    fleet: FleetSnapshot,
    forecasts: readonly Forecast[],
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
    forecasts: readonly Forecast[],
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
    forecasts: readonly Forecast[],
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
function keepUnknown(problem: PlacementProblem, forecasts: readonly Forecast[]): PlacementProblem {
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

function quantileOf(forecast: DemandForecast, level: number): Float64Array {
  return forecast.quantiles.find((quantile) => quantile.level === level)?.values ?? forecast.mean;
}

/**
 * A forecast from its `from`-th bucket on, `steps` long: its last bucket stands for what lies
 * beyond.
 */
function fromStep(forecast: DemandForecast, from: number, steps = forecast.mean.length - from): DemandForecast {
  const cut = (values: Float64Array): Float64Array =>
    Float64Array.from({ length: steps }, (_, h) => values[Math.min(from + h, values.length - 1)]);
  const column = ({ mean, quantiles }: DemandForecast['promptTokensPerS']): DemandForecast['promptTokensPerS'] => ({
    mean: cut(mean),
    quantiles: quantiles.map(({ level, values }) => ({ level, values: cut(values) })),
  });
  return {
    ...column(forecast),
    startMs: forecast.startMs + from * forecast.stepMs,
    stepMs: forecast.stepMs,
    promptTokensPerS: column(forecast.promptTokensPerS),
    outputTokensPerS: column(forecast.outputTokensPerS),
    method: forecast.method,
  };
}

function namesOf(fleet: FleetSnapshot): { models: ModelId[]; regions: RegionId[] } {
  return {
    models: [...new Set(fleet.endpoints.map((endpoint) => endpoint.modelId))],
    regions: [...new Set(fleet.endpoints.map((endpoint) => endpoint.regionId))],
  };
}
