import type { Catalogue, MeasuredCapacities, PolicyChoice } from '@sageserve/fleet';
import {
  type LowerBound,
  needsCapacity,
  needsForesight,
  needsPlanning,
  type RunDemand,
  type Scenario,
} from '@sageserve/scenario';
import type { RunPool } from '../threads/run-pool.js';
import type { ThreadJob, ThreadJobs } from '../threads/thread-jobs.js';
import { type ComparedRun, strategyLabels } from './run-comparison.js';

/** What a thread is at: a run, or something that runs need. */
export interface ComparisonItem {
  readonly scenario: string;
  readonly what: string;
  readonly seed: number | string | undefined;
}

export interface OnCoresOptions {
  readonly catalogue: Catalogue;
  /** The scenario's file: names of plug-ins are relative to it, and threads load their own. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
  /** Told of what ended besides runs, such as the reading of demand. */
  readonly onStep?: () => void;
}

export interface RunsOnCoresOptions {
  /** Records over time, which the report draws; of the first seed. */
  readonly record?: boolean;
  /** Where the journal of a run is to be written. */
  readonly journalOf?: (strategy: string, seed: number | string) => string;
  /** Told of each run, as they end. */
  readonly onRun?: (run: ComparedRun, busySeconds: number) => void;
}

const NO_DEMAND: RunDemand = { history: [], foresight: undefined };

/**
 * What {@link compareStrategies} does, on the threads of a pool: runs are the same, and so is what
 * they need, which is read and measured once.
 */
export class ComparisonOnCores {
  readonly #pool: RunPool<ComparisonItem>;
  readonly #scenario: Scenario;
  readonly #options: OnCoresOptions;
  #capacity: Promise<MeasuredCapacities> | undefined;
  readonly #demands = new Map<string, Promise<RunDemand>>();

  constructor(pool: RunPool<ComparisonItem>, scenario: Scenario, options: OnCoresOptions) {
    this.#pool = pool;
    this.#scenario = scenario;
    this.#options = options;
  }

  /**
   * Strategies under seeds, seed by seed. Throws `ConfigError` for strategies that are the same,
   * and as {@link compareStrategies}, the first that goes wrong.
   */
  async runs(
    choices: readonly PolicyChoice[],
    seeds: readonly (number | string)[],
    { record = false, journalOf, onRun }: RunsOnCoresOptions = {},
  ): Promise<ComparedRun[]> {
    const { catalogue, file, signal } = this.#options;
    const scenario = this.#scenario;
    const labels = strategyLabels(choices);
    const needs = choices.map((choice) => ({
      foresight: needsForesight(scenario, choice, catalogue),
      capacity: needsCapacity(scenario, choice, catalogue),
      planning: needsPlanning(scenario, choice, catalogue),
    }));
    const foresight = needs.some((one) => one.foresight);
    const one = async (s: number, c: number): Promise<ComparedRun> => {
      const [seed, choice, strategy] = [seeds[s]!, choices[c]!, labels[c]!];
      const [capacity, demand] = await Promise.all([
        needs[c]!.capacity ? this.measured() : undefined,
        needs[c]!.planning ? this.demand(seed, foresight) : NO_DEMAND,
      ]);
      const { answer, busySeconds } = await this.#pool.run(
        { scenario: scenario.name, what: strategy, seed },
        {
          kind: 'compare',
          scenario: { ...scenario, seed },
          file,
          run: { choice, strategy, foresight: needs[c]!.foresight, demand, capacity },
          record: record && s === 0,
          journal: journalOf?.(strategy, seed),
        },
        signal,
      );
      onRun?.(answer, busySeconds);
      return answer;
    };
    return Promise.all(seeds.flatMap((_, s) => choices.map((__, c) => one(s, c))));
  }

  /** What no way to serve a seed's requests holds less than. */
  bound(seed: number | string): Promise<LowerBound> {
    const { file } = this.#options;
    return this.#step('bound', seed, { kind: 'bound', scenario: { ...this.#scenario, seed }, file });
  }

  /** What instances carry, which is measured once. */
  measured(): Promise<MeasuredCapacities> {
    const { file } = this.#options;
    return (this.#capacity ??= this.#step('capacity', undefined, { kind: 'capacity', scenario: this.#scenario, file }));
  }

  /** Demand before a seed's runs, and with foresight that of them too, which is read once. */
  demand(seed: number | string, foresight: boolean): Promise<RunDemand> {
    const { file } = this.#options;
    const keyWith = (seen: boolean): string => JSON.stringify([seed, seen]);
    const what = foresight ? 'demand before and after' : 'demand before';
    // Who reads on has read what came before too.
    const known = this.#demands.get(keyWith(true)) ?? this.#demands.get(keyWith(foresight));
    const demand =
      known ?? this.#step(what, seed, { kind: 'demand', scenario: { ...this.#scenario, seed }, file, foresight });
    this.#demands.set(keyWith(foresight), demand);
    return demand;
  }

  async #step<K extends keyof ThreadJobs>(
    what: string,
    seed: number | string | undefined,
    job: ThreadJob<K>,
  ): Promise<ThreadJobs[K]['answer']> {
    const { answer } = await this.#pool.run({ scenario: this.#scenario.name, what, seed }, job, this.#options.signal);
    this.#options.onStep?.();
    return answer;
  }
}
