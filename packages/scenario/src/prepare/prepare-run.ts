import {
  ConfigError,
  DEFAULT_DEMAND_STEP_MS,
  type DemandSeries,
  type ModelId,
  MS_PER_HOUR,
  MS_PER_MIN,
  type PlacementPlan,
} from '@sageserve/core';
import { createControlLoop, type JournalEntry } from '@sageserve/controller';
import { createSeasonalNaiveForecaster, withFallback } from '@sageserve/forecast';
import type { SimulationConfig } from '@sageserve/sim';
import { type SkippedRows, traceFrom, type TraceStream } from '@sageserve/trace';
import {
  type Catalogue,
  createForecaster,
  createOptimizer,
  DEFAULT_CATALOGUE,
  deploymentKey,
  fleetProblem,
  type MeasuredCapacities,
  parseDurationMs,
  type PolicyChoice,
  type Strategy,
} from '@sageserve/fleet';
import { demandOfTrace } from '../demand/demand-of-trace.js';
import { buildFleet, buildTraffic } from '../build.js';
import type { Scenario } from '../schema.js';
import { createForesightForecaster } from './foresight.js';
import { measureCapacity } from './measure-capacity.js';

/** Buckets of demand, as the simulator records them. */
const STEP_MS = DEFAULT_DEMAND_STEP_MS;
/** A plan need not be better than this: demand is not known so well. */
const RELATIVE_GAP = 0.002;

const NO_DEMAND: RunDemand = { history: [], foresight: undefined };

/**
 * Demand around a run: before it, which every forecaster may see, and of it, which only an oracle
 * may.
 */
export interface RunDemand {
  readonly history: readonly DemandSeries[];
  readonly foresight: readonly DemandSeries[] | undefined;
}

export interface PrepareOptions {
  readonly catalogue?: Catalogue;
  readonly skippedRows?: SkippedRows;
  readonly journal?: (entry: JournalEntry) => void;
  /**
   * Demand from {@link demandAround}, which is the same for every strategy of a scenario; read anew
   * unless given.
   */
  readonly demand?: RunDemand;
  /**
   * What {@link measureCapacity} found, which is the same for every strategy of a scenario;
   * measured anew unless given.
   */
  readonly capacity?: MeasuredCapacities;
  readonly signal?: AbortSignal;
  readonly onPlan?: (plan: PlacementPlan | undefined) => void;
}

/** One run of one strategy, ready to be simulated. */
export interface PreparedRun {
  readonly config: SimulationConfig;
  readonly trace: TraceStream;
}

/**
 * The scenario's traffic of the run itself: what comes after its history. Of a trace the first part
 * is history; generated traffic goes on from it.
 */
export async function runTraffic(
  scenario: Scenario,
  skippedRows?: SkippedRows,
  signal?: AbortSignal,
): Promise<TraceStream> {
  const historyMs = parseDurationMs(scenario.history)!;
  if (historyMs === 0) return buildTraffic(scenario, skippedRows, signal);
  if (scenario.traffic.trace === undefined)
    return buildTraffic(
      { ...scenario, traffic: { ...scenario.traffic, warmup: scenario.history } },
      skippedRows,
      signal,
    );
  const { duration, ...rest } = scenario;
  return traceFrom(
    await buildTraffic(
      duration === undefined ? rest : { ...rest, duration: seconds(duration) + historyMs / 1_000 },
      skippedRows,
      signal,
    ),
    historyMs,
  );
}

/** What came before the run. */
function historyTraffic(scenario: Scenario, skippedRows?: SkippedRows): Promise<TraceStream> {
  const hours = parseDurationMs(scenario.history)! / MS_PER_HOUR;
  const { levels: _levels, ...before } = scenario.traffic;
  const traffic = { ...before, startHourOfWeek: before.startHourOfWeek - hours };
  return buildTraffic(
    { ...scenario, duration: scenario.history, ...(scenario.traffic.trace === undefined ? { traffic } : {}) },
    skippedRows,
  );
}

const seconds = (duration: string | number): number => parseDurationMs(duration)! / 1_000;

/**
 * Throws `ConfigError` for history that is no whole number of buckets: it would be dated wrongly.
 */
function checkHistory(scenario: Scenario): void {
  if (parseDurationMs(scenario.history)! % STEP_MS !== 0)
    throw new ConfigError('history', `must be a multiple of ${STEP_MS / MS_PER_MIN} minutes, not ${scenario.history}`);
}

/**
 * Is told how many requests were read and what share (0–1) of the whole that is, where it is known;
 * a promise is awaited before the reading goes on.
 */
export type OnReading = (requests: number, share: number | undefined) => Promise<void> | undefined;

/**
 * Reads what demand a scenario has before its run, and, for an oracle, during it. The same for
 * every strategy. Bad rows of a trace are left out with `skipBadRows` and not told of: whoever
 * replays the trace, history included, tells of them.
 */
export async function demandAround(
  scenario: Scenario,
  foresight: boolean,
  {
    onReading,
    skipBadRows = false,
  }: { readonly onReading?: OnReading | undefined; readonly skipBadRows?: boolean } = {},
): Promise<RunDemand> {
  checkHistory(scenario);
  const skipped: SkippedRows | undefined = skipBadRows ? { count: 0, examples: [] } : undefined;
  const historyMs = parseDurationMs(scenario.history)!;
  const durationMs = scenario.duration === undefined ? undefined : parseDurationMs(scenario.duration)!;
  const source = scenario.traffic.trace ?? scenario.name;
  const totalMs = historyMs + (foresight ? (durationMs ?? NaN) : 0);
  let requestsBefore = 0;
  const read = async (
    trace: TraceStream,
    fromMs: number,
    wholeUntilMs: number | undefined,
  ): Promise<DemandSeries[]> => {
    const { series, requests, leftOut } = await demandOfTrace(trace, source, {
      stepMs: STEP_MS,
      allowNone: true,
      ...(wholeUntilMs === undefined ? {} : { wholeUntilMs }),
      onBatch: (count, lastMs) =>
        onReading?.(requestsBefore + count, Number.isNaN(totalMs) ? undefined : (fromMs + lastMs) / totalMs),
    });
    requestsBefore += requests + leftOut;
    return series;
  };
  return {
    history: historyMs === 0 ? [] : await read(await historyTraffic(scenario, skipped), 0, historyMs),
    foresight: foresight ? await read(await runTraffic(scenario, skipped), historyMs, durationMs) : undefined,
  };
}

/**
 * Whether a strategy is given the future. Throws as `buildSimulation` for a scenario or a strategy
 * that cannot work.
 */
export function needsForesight(
  scenario: Scenario,
  choice: PolicyChoice,
  catalogue: Catalogue = DEFAULT_CATALOGUE,
): boolean {
  return buildFleet(scenario, choice, catalogue).strategy.planning?.foresight === true;
}

/** Whether a strategy, or a policy that runs beside it, goes by what instances carry. */
export function needsCapacity(
  scenario: Scenario,
  choice: PolicyChoice,
  catalogue: Catalogue = DEFAULT_CATALOGUE,
): boolean {
  const { strategy, asksCapacity } = buildFleet(scenario, choice, catalogue);
  return asksCapacity || strategy.planning !== undefined;
}

/** Whether a strategy forecasts and plans, and so wants history. */
export function needsPlanning(
  scenario: Scenario,
  choice: PolicyChoice,
  catalogue: Catalogue = DEFAULT_CATALOGUE,
): boolean {
  return buildFleet(scenario, choice, catalogue).strategy.planning !== undefined;
}

/**
 * Everything that one strategy of a scenario runs with: the fleet, the traffic, and the control
 * loop that joins forecast, plan, scaling and routing.
 */
export async function prepareRun(
  scenario: Scenario,
  choice: PolicyChoice,
  options: PrepareOptions = {},
): Promise<PreparedRun> {
  const { catalogue = DEFAULT_CATALOGUE, skippedRows, journal, signal, onPlan } = options;
  let plan: PlacementPlan | undefined;
  let capacity = options.capacity;
  // Filled below, once it is measured: policies ask for it request by request.
  const kvByModel = new Map<ModelId, number>();
  const { config, strategy, asksCapacity } = buildFleet(scenario, choice, catalogue, {
    plan: () => plan,
    kvWithinObjectives: (id) => kvByModel.get(id),
  });
  const demand =
    strategy.planning === undefined
      ? NO_DEMAND
      : (options.demand ??
        (await demandAround(scenario, strategy.planning.foresight === true, {
          skipBadRows: skippedRows !== undefined,
        })));
  const trace = await runTraffic(scenario, skippedRows, signal);
  if (asksCapacity || strategy.planning !== undefined) capacity ??= await measureCapacity(scenario, config, signal);
  // Of a model's deployments, the one that is slow with the least memory in use.
  for (const { model, sku, gpusPerInstance } of config.endpoints) {
    const kv = capacity?.get(deploymentKey(model, sku, gpusPerInstance))?.kvCacheUtilization;
    if (kv !== undefined) kvByModel.set(model, Math.min(kv, kvByModel.get(model) ?? Infinity));
  }
  const planning =
    strategy.planning === undefined
      ? undefined
      : planningOptions(
          scenario,
          config,
          strategy.planning,
          catalogue,
          demand,
          capacity!,
          () => trace.startEpochMs ?? 0,
        );
  return {
    trace,
    config: {
      ...config,
      demandHistory: demand.history,
      control: (ports) =>
        createControlLoop({
          ...ports,
          scalingPolicy: strategy.scaling,
          ...(planning === undefined ? {} : { planning }),
          cadences: {
            reactMs: parseDurationMs(scenario.scalingInterval)!,
            planMs: strategy.planning?.everyMs ?? parseDurationMs(scenario.control.planEvery)!,
          },
          // In a simulation nothing can come between what is meant and what comes of it.
          ...(journal === undefined
            ? {}
            : {
                journal: {
                  append(entry) {
                    if (entry.kind !== 'intent') journal(entry);
                  },
                },
              }),
          ...(signal === undefined ? {} : { signal }),
          onBreach: 'throw',
          onPlan: (next) => {
            plan = next;
            onPlan?.(next);
          },
        }),
    },
  };
}

function planningOptions(
  scenario: Scenario,
  fleet: SimulationConfig,
  planning: NonNullable<Strategy['planning']>,
  catalogue: Catalogue,
  demand: RunDemand,
  capacity: MeasuredCapacities,
  epochMs: () => number,
): Parameters<typeof createControlLoop>[0]['planning'] {
  const everyMs = planning.everyMs ?? parseDurationMs(scenario.control.planEvery)!;
  const planSteps = Math.max(1, Math.round(everyMs / STEP_MS));
  const horizonSteps = Math.max(planSteps, Math.round(parseDurationMs(scenario.control.horizon)! / STEP_MS));
  const forecaster =
    planning.foresight === true && demand.foresight !== undefined
      ? createForesightForecaster(demand.foresight)
      : createForecaster(scenario, catalogue);
  const demandQuantile = planning.demandQuantile ?? scenario.placement.demandQuantile;
  return {
    forecaster,
    needsHistory: planning.foresight !== true,
    fallbackForecaster: withFallback(createSeasonalNaiveForecaster({ stepMs: STEP_MS, season: 'day' })),
    optimizer: createOptimizer(scenario),
    problem: fleetProblem(scenario, fleet, planning, demandQuantile, capacity),
    stepMs: STEP_MS,
    planSteps,
    horizonSteps,
    windows: planning.windows,
    demandQuantile,
    epochMs,
    relativeGap: RELATIVE_GAP,
  };
}
