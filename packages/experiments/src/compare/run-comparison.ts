import { ConfigError, DEFAULT_OBJECTIVES, type DemandSeries } from '@sageserve/core';
import type { JournalEntry, PlanEntry } from '@sageserve/controller';
import { simulate, type SimulationProgress, type SimulationResult } from '@sageserve/sim';
import {
  type Catalogue,
  DEFAULT_CATALOGUE,
  type MeasuredCapacities,
  parseDurationMs,
  type PolicyChoice,
} from '@sageserve/fleet';
import {
  needsCapacity,
  needsForesight,
  needsPlanning,
  PreparationCache,
  prepareRun,
  type RunDemand,
  type Scenario,
} from '@sageserve/scenario';
import { type Attainment, attainments } from './attainment.js';
import { forecastWape } from './forecast-error.js';
import { RunRecorder, type RunRecord } from './run-record.js';

/** One strategy under one seed. */
export interface ComparedRun {
  readonly strategy: string;
  readonly seed: number | string;
  readonly result: SimulationResult;
  /** By model and tier. */
  readonly attainments: readonly Attainment[];
  /** Whether it was given the future. */
  readonly foresight: boolean;
  readonly forecastWape: number | undefined;
  readonly degradations: number;
  /** How the run went over time; of the first seed only. */
  readonly record: RunRecord | undefined;
}

export interface ComparisonOptions {
  readonly catalogue?: Catalogue;
  readonly signal?: AbortSignal;
  /** Called before a run; its start in milliseconds since 1970, where that is known. */
  readonly onStart?: (strategy: string, seed: number | string, startEpochMs: number | undefined) => void;
  /** Told of every journal entry of a run. */
  readonly onJournal?: (strategy: string, seed: number | string, entry: JournalEntry) => void;
  readonly onProgress?: (
    strategy: string,
    seed: number | string,
    progress: SimulationProgress,
    share: number | undefined,
  ) => void | Promise<void>;
  /** Told while demand around a seed's runs is read. A promise is awaited. */
  readonly onReading?: (seed: number | string, requests: number) => Promise<void> | undefined;
  readonly onRun?: (run: ComparedRun) => void;
  /** Records over time, which the report draws; of the first seed. */
  readonly record?: boolean;
  /** What earlier comparisons prepared, where it is of use for this one. */
  readonly cache?: PreparationCache;
}

/**
 * Names of choices, told apart by their options where one name stands several times. Throws
 * `ConfigError` for two that are the same.
 */
export function strategyLabels(choices: readonly PolicyChoice[]): string[] {
  const names = choices.map((choice) => (typeof choice === 'string' ? choice : choice.name));
  const labels = choices.map((choice, i) => {
    const name = names[i]!;
    if (names.indexOf(name) === names.lastIndexOf(name) || typeof choice === 'string') return name;
    const options = Object.entries(choices[i] as Record<string, unknown>).filter(([key]) => key !== 'name');
    return options.length === 0
      ? name
      : `${name} ` +
          `(${options.map(([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ')})`;
  });
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined)
    throw new ConfigError('strategies', `"${twice}" stands twice`, {
      hint: 'One and the same run would be counted as two.',
    });
  return labels;
}

/**
 * Runs one scenario under several strategies and seeds, one after the other: the same traffic for
 * every strategy of a seed, the same history, the same measured capacity. Throws as
 * {@link prepareRun}, before anything runs, for a scenario or a strategy that cannot work.
 */
export async function compareStrategies(
  scenario: Scenario,
  choices: readonly PolicyChoice[],
  seeds: readonly (number | string)[],
  options: ComparisonOptions = {},
): Promise<ComparedRun[]> {
  const { catalogue = DEFAULT_CATALOGUE, signal, cache = new PreparationCache() } = options;
  const labels = strategyLabels(choices);
  const foresight = choices.map((choice) => needsForesight(scenario, choice, catalogue));
  const planning = choices.map((choice) => needsPlanning(scenario, choice, catalogue));
  const capacity: MeasuredCapacities | undefined = choices.some((choice) => needsCapacity(scenario, choice, catalogue))
    ? await cache.capacity(scenario, catalogue, signal)
    : undefined;
  const runs: ComparedRun[] = [];
  for (const [s, seed] of seeds.entries()) {
    const seeded = { ...scenario, seed };
    const demand: RunDemand = planning.includes(true)
      ? await cache.demand(seeded, foresight.includes(true), (requests) => readingSignal(options, seed, requests))
      : { history: [], foresight: undefined };
    for (const [c, choice] of choices.entries()) {
      signal?.throwIfAborted();
      const run = await compareOne(
        { scenario: seeded, choice, strategy: labels[c]!, foresight: foresight[c]!, demand, capacity },
        { ...options, catalogue, record: options.record === true && s === 0 },
      );
      runs.push(run);
      options.onRun?.(run);
    }
  }
  return runs;
}

/** A reading of many millions of requests can be followed and broken off. */
function readingSignal(
  { signal, onReading }: ComparisonOptions,
  seed: number | string,
  requests: number,
): Promise<void> | undefined {
  signal?.throwIfAborted();
  return onReading?.(seed, requests);
}

/** One strategy under one seed, which is the scenario's, with what it needs to know before. */
export interface RunToCompare {
  readonly scenario: Scenario;
  readonly choice: PolicyChoice;
  /** What it is called. */
  readonly strategy: string;
  readonly foresight: boolean;
  readonly demand: RunDemand;
  readonly capacity: MeasuredCapacities | undefined;
}

/** Simulates one run. Throws as {@link prepareRun}. */
export async function compareOne(
  { scenario, choice, strategy, foresight, demand, capacity }: RunToCompare,
  options: ComparisonOptions,
): Promise<ComparedRun> {
  const { catalogue = DEFAULT_CATALOGUE, signal, onProgress, onJournal } = options;
  const plans: PlanEntry[] = [];
  let degradations = 0;
  const { config, trace } = await prepareRun(scenario, choice, {
    catalogue,
    demand,
    ...(capacity === undefined ? {} : { capacity }),
    ...(signal === undefined ? {} : { signal }),
    journal(entry) {
      if (entry.kind === 'plan') plans.push(entry);
      if (entry.kind === 'degradation') degradations++;
      onJournal?.(strategy, scenario.seed, entry);
    },
  });
  options.onStart?.(strategy, scenario.seed, trace.startEpochMs);
  const recorder = options.record === true ? new RunRecorder(config.regions, config.durationMs) : undefined;
  const durationMs = scenario.duration === undefined ? undefined : parseDurationMs(scenario.duration);
  let actual: readonly DemandSeries[] = [];
  const result = await simulate(config, trace, {
    ...(signal === undefined ? {} : { signal }),
    onDemand: (series) =>
      (actual = series.map((one) => ({ ...one, startMs: one.startMs - (trace.startEpochMs ?? 0) }))),
    ...(onProgress === undefined
      ? {}
      : {
          onProgress: (progress: SimulationProgress) =>
            onProgress(
              strategy,
              scenario.seed,
              progress,
              trace.progress ?? (durationMs === undefined ? undefined : progress.simulatedMs / durationMs),
            ),
        }),
    ...(recorder === undefined
      ? {}
      : { onRequestEnd: recorder.onRequestEnd.bind(recorder), onSample: recorder.onSample.bind(recorder) }),
  });
  return {
    strategy,
    seed: scenario.seed,
    result,
    attainments: attainments(result, config.objectives),
    foresight,
    forecastWape: forecastWape(plans, actual),
    degradations,
    record: recorder?.record(result.durationMs, {
      startEpochMs: trace.startEpochMs,
      objectives: config.objectives ?? DEFAULT_OBJECTIVES,
    }),
  };
}
