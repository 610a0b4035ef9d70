import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type DemandSeries, WORKLOAD_TIERS } from '@sageserve/core';
import type { EndpointSample, RequestOutcome, RequestTable, SimulationConfig, SimulationResult } from '@sageserve/sim';
import type { JournalEntry } from '@sageserve/controller';
import { cantWrite, makeBeside } from '@sageserve/trace';
import { JournalFile, makeFolder as makeFolders, OutputFile, placeOf } from '@sageserve/experiments';
import { demandCsv, type Scenario } from '@sageserve/scenario';
import { notComplete, noteMade } from '../ending.js';
import { takePlace } from './output-file.js';
import { openResultTable, REQUEST_COLUMNS, type ResultTable, TIMESERIES_COLUMNS } from './table-file.js';

const RESULT_FILES = [
  'summary.json',
  'timeseries.csv',
  'timeseries.parquet',
  'demand.csv',
  'requests.csv',
  'requests.parquet',
  'journal.jsonl',
];
const isResult = (name: string): boolean => RESULT_FILES.includes(name);

export interface ResultFolderOptions {
  /** Write a row for every request. */
  readonly requests?: boolean;
  /** Write tables as Parquet. */
  readonly parquet?: boolean;
}

/**
 * One run's results as files: `summary.json`, `timeseries.csv` (every endpoint once a minute),
 * `demand.csv` (interactive demand by model and region in ten-minute buckets, which `sageserve
 * forecast` reads), `journal.jsonl` (every decision, which `sageserve explain` reads) and, on
 * request, `requests.csv` (a row for each). Time series and requests can be Parquet instead. They
 * are written in a folder beside their place and moved there when they are complete;
 * {@link discard} leaves nothing. Throws `SageServeError` (ERR_OUTPUT) where the disk takes no
 * more.
 */
export class ResultFolder {
  readonly #path: string;
  readonly #partial: string;
  readonly #timeseries: ResultTable;
  readonly #requests: ResultTable | undefined;
  readonly #config: SimulationConfig;
  readonly #complete: () => void;
  #journal: JournalFile | undefined;

  private constructor(path: string, partial: string, config: SimulationConfig, options: ResultFolderOptions) {
    this.#path = path;
    this.#partial = partial;
    this.#config = config;
    this.#complete = notComplete(partial, path);
    const form = options.parquet === true ? 'parquet' : 'csv';
    this.#timeseries = openResultTable(join(partial, 'timeseries'), form, TIMESERIES_COLUMNS);
    this.#requests =
      options.requests === true ? openResultTable(join(partial, 'requests'), form, REQUEST_COLUMNS) : undefined;
  }

  /**
   * Throws `ConfigError` where the folder can't be made, or where one of its name holds files that
   * are not results.
   */
  static async create(
    path: string,
    config: SimulationConfig,
    options: ResultFolderOptions = {},
  ): Promise<ResultFolder> {
    try {
      const place = await placeOf(path, isResult);
      const partial = await makeBeside(place, 'folder');
      try {
        return new ResultFolder(place, partial, config, options);
      } catch (cause) {
        await rm(partial, { recursive: true, force: true });
        throw cause;
      }
    } catch (cause) {
      if (cause instanceof ConfigError) throw cause;
      throw cantWrite(path, cause);
    }
  }

  /** Where the results are to stand. */
  get place(): string {
    return this.#path;
  }

  sample(s: EndpointSample): void {
    this.#timeseries.add([
      s.timeMs / 1_000,
      s.endpointId,
      s.readyInstances,
      s.provisioningInstances,
      s.drainingInstances,
      s.kvCacheUtilization,
      s.runningRequests,
      s.queuedRequests,
      s.heldRequests,
      s.arrivedRequests,
      s.completedRequests,
    ]);
  }

  request(table: RequestTable, slot: number, outcome: RequestOutcome, endedAtMs: number): void {
    const arrivedMs = table.arrivedAtMs[slot]!;
    const served = table.servedRegion[slot]!;
    const { models, regions } = this.#config;
    const completed = outcome === 'completed';
    this.#requests?.add([
      table.requestId[slot],
      outcome,
      models[table.model[slot]!],
      WORKLOAD_TIERS[table.tier[slot]!],
      regions[table.originRegion[slot]!],
      served === -1 ? undefined : regions[served],
      arrivedMs / 1_000,
      table.promptTokens[slot],
      table.outputTokens[slot],
      completed ? (table.firstTokenAtMs[slot]! - arrivedMs) / 1_000 : undefined,
      completed ? (endedAtMs - arrivedMs) / 1_000 : undefined,
      table.deadlineAtMs[slot]! / 1_000,
    ]);
  }

  /** Where the decisions of the run's control loop are written. */
  journal(scenario: Scenario, strategy: string, startEpochMs: () => number | undefined): (entry: JournalEntry) => void {
    const journal = new JournalFile(join(this.#partial, 'journal.jsonl'), () => ({
      kind: 'run',
      scenario: scenario.name,
      strategy,
      seed: scenario.seed,
      startEpochMs: startEpochMs(),
    }));
    this.#journal = journal;
    return (entry) => journal.write(entry);
  }

  demand(series: readonly DemandSeries[]): void {
    const file = new OutputFile(join(this.#partial, 'demand.csv'));
    try {
      file.write(demandCsv(series));
    } finally {
      file.close();
    }
  }

  /** Completes the files, still beside their place. */
  async finish(summary: SimulationResult & { readonly strategy: string }): Promise<void> {
    this.#timeseries.finish();
    this.#requests?.finish();
    this.#journal?.finish();
    await writeFile(join(this.#partial, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`).catch(
      (cause: unknown) => {
        throw cantWrite(join(this.#path, 'summary.json'), cause);
      },
    );
  }

  /** Puts the complete folder in its place, over the results of an earlier run. */
  async publish(): Promise<void> {
    await takePlace(this.#partial, this.#path, isResult);
    this.#complete();
  }

  async discard(): Promise<void> {
    this.#close();
    await rm(this.#partial, { recursive: true, force: true });
    this.#complete();
  }

  #close(): void {
    this.#timeseries.close();
    this.#requests?.close();
    this.#journal?.close();
  }
}

/** Makes a folder, which whoever ends the process takes back where nothing came into it. */
export function makeFolder(path: string): Promise<() => Promise<void>> {
  return makeFolders(path, noteMade);
}
