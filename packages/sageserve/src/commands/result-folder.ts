import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ConfigError, type DemandSeries, WORKLOAD_TIERS } from '@sageserve/core';
import type { EndpointSample, RequestOutcome, RequestTable, SimulationConfig, SimulationResult } from '@sageserve/sim';
import type { JournalSink } from '@sageserve/controller';
import { demandCsv } from '../demand/demand-csv.js';
import type { Scenario } from '../scenario/schema.js';
import { JournalFile } from './journal-file.js';

const RESULT_FILES = ['summary.json', 'timeseries.csv', 'demand.csv', 'requests.csv', 'journal.jsonl'];
const FLUSH_CHARACTERS = 1 << 18;

/** A text file that is written as a stream of rows, through a small buffer. */
class RowFile {
  readonly #file: number;
  #buffer: string;

  constructor(path: string, header: string) {
    this.#file = openSync(path, 'w');
    this.#buffer = `${header}\n`;
  }

  write(row: string): void {
    this.#buffer += row;
    if (this.#buffer.length >= FLUSH_CHARACTERS) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#buffer);
    this.#buffer = '';
  }
}

/**
 * One run's results as files: `summary.json`, `timeseries.csv` (every endpoint once a minute), `demand.csv` (interactive demand by model and region in ten-minute buckets, which
 * `sageserve forecast` reads), `journal.jsonl` (every decision, which `sageserve explain` reads) and, on request, `requests.csv` (a row for each).
 * They are written in a folder beside their place and moved there when they are complete; {@link discard} leaves nothing.
 */
export class ResultFolder {
  readonly #path: string;
  readonly #partial: string;
  readonly #timeseries: RowFile;
  readonly #requests: RowFile | undefined;
  readonly #config: SimulationConfig;
  #journal: JournalFile | undefined;
  #closed = false;

  private constructor(path: string, partial: string, config: SimulationConfig, withRequests: boolean) {
    this.#path = path;
    this.#partial = partial;
    this.#config = config;
    this.#timeseries = new RowFile(
      join(partial, 'timeseries.csv'),
      'time_s,endpoint,ready_instances,provisioning_instances,draining_instances,kv_cache_utilization,running_requests,queued_requests,held_requests,arrived_requests,completed_requests',
    );
    this.#requests = withRequests
      ? new RowFile(
          join(partial, 'requests.csv'),
          'request_id,outcome,model,tier,origin_region,served_region,arrived_at_s,prompt_tokens,output_tokens,ttft_s,e2e_s,deadline_s',
        )
      : undefined;
  }

  /** Throws `ConfigError` where the folder can't be made, or where one of its name holds files that are not results. */
  static async create(path: string, config: SimulationConfig, withRequests: boolean): Promise<ResultFolder> {
    const partial = join(dirname(path), `.${basename(path)}.partial`);
    try {
      const foreign = (await readdir(path).catch(() => [])).filter((name) => !RESULT_FILES.includes(name));
      if (foreign.length > 0)
        throw new ConfigError('--out', `${path} holds files that are not results, such as ${foreign[0]}`, { hint: 'Name another folder.' });
      await rm(partial, { recursive: true, force: true });
      await mkdir(partial);
      return new ResultFolder(path, partial, config, withRequests);
    } catch (cause) {
      if (cause instanceof ConfigError) throw cause;
      throw new ConfigError('--out', `can't write results to ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }

  sample(s: EndpointSample): void {
    this.#timeseries.write(
      `${s.timeMs / 1_000},${s.endpointId},${s.readyInstances},${s.provisioningInstances},${s.drainingInstances},${s.kvCacheUtilization === undefined ? '' : s.kvCacheUtilization.toFixed(6)},${s.runningRequests},${s.queuedRequests},${s.heldRequests},${s.arrivedRequests},${s.completedRequests}\n`,
    );
  }

  request(table: RequestTable, slot: number, outcome: RequestOutcome, endedAtMs: number): void {
    const arrivedMs = table.arrivedAtMs[slot]!;
    const served = table.servedRegion[slot]!;
    const { models, regions } = this.#config;
    const ttft = outcome === 'completed' ? ((table.firstTokenAtMs[slot]! - arrivedMs) / 1_000).toFixed(6) : '';
    const e2e = outcome === 'completed' ? ((endedAtMs - arrivedMs) / 1_000).toFixed(6) : '';
    this.#requests?.write(
      `${table.requestId[slot]},${outcome},${models[table.model[slot]!]},${WORKLOAD_TIERS[table.tier[slot]!]},${regions[table.originRegion[slot]!]},${served === -1 ? '' : regions[served]},${(arrivedMs / 1_000).toFixed(6)},${table.promptTokens[slot]},${table.outputTokens[slot]},${ttft},${e2e},${(table.deadlineAtMs[slot]! / 1_000).toFixed(3)}\n`,
    );
  }

  /** Where the decisions of the run's control loop are written. */
  journal(scenario: Scenario, strategy: string, startEpochMs: () => number | undefined): JournalSink {
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
    writeFileSync(join(this.#partial, 'demand.csv'), demandCsv(series));
  }

  /** Completes the files, still beside their place. */
  async finish(summary: SimulationResult & { readonly strategy: string }): Promise<void> {
    this.#close();
    await writeFile(join(this.#partial, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  }

  /** Puts the complete folder in its place, over the results of an earlier run. */
  async publish(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
    await rename(this.#partial, this.#path);
  }

  async discard(): Promise<void> {
    this.#close();
    await rm(this.#partial, { recursive: true, force: true });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timeseries.close();
    this.#requests?.close();
    this.#journal?.close();
  }
}

/** Makes a folder and those above it, one by one. Returns how to take back what was made, as far as it is still empty. Throws `ConfigError`. */
export async function makeFolder(path: string): Promise<() => Promise<void>> {
  if (path.trim() === '') throw new ConfigError('--out', 'needs the name of a folder');
  const made: string[] = [];
  const make = async (folder: string): Promise<void> => {
    try {
      await mkdir(folder);
      made.push(folder);
    } catch (cause) {
      const code = (cause as { code?: string }).code;
      if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
      // Recursive mkdir can loop for ever below special folders: each step is tried once.
      if (code !== 'ENOENT' || dirname(folder) === folder) throw cause;
      await make(dirname(folder));
      await mkdir(folder);
      made.push(folder);
    }
  };
  try {
    await make(resolve(path));
  } catch (cause) {
    throw new ConfigError('--out', `can't make the folder ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return async () => {
    for (const folder of made.reverse()) await rmdir(folder).catch(() => undefined);
  };
}
