import { createReadStream } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, messageOf } from '@sageserve/core';
import {
  cantWrite,
  ParquetTable,
  type ParquetColumn,
  replaceFile,
  type ReplaceOptions,
  replaceWith,
} from '@sageserve/trace';
import { z } from 'zod';
import { MEASURES } from '../compare/comparison-rows.js';
import { jsonPieces } from '../output/json-pieces.js';
import { OutputFile, writePieces } from '../output/output-file.js';
import { type OutputWatch, UNWATCHED } from '../output/output-watch.js';
import { makeFolder, placeOf } from '../output/result-place.js';
import { isCellKey } from './cells.js';
import type { SweepRun } from './definition.js';
import { lockFolder } from './folder-lock.js';
import type { SweepMeasures } from './run-task.js';
import type { ParameterValue } from './parameters.js';

const LF = 10;
/** A run takes a few kilobytes. */
const MOST_LINE = 16 << 20;
const MEND = 'Take the line out: its run is then made again.';
const LOCK = '.lock';
const FILES = ['runs.jsonl', 'results.json', 'results.parquet', 'report.html', LOCK];

/** A finished run, as `runs.jsonl` has it. */
export interface FinishedRun {
  readonly key: string;
  readonly scenario: string;
  readonly strategy: string;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly seed: number | string;
  readonly measures: SweepMeasures;
  readonly busySeconds: number;
}

/** No measure of a run comes near; sums of them stay numbers. */
const MOST = 1e18;

const figure = z.number().min(-MOST).max(MOST).nullable();
/** A line of `runs.jsonl`. */
const finishedLine = z.looseObject({ key: z.string() });
/** The same, as far as results are made of it. */
const finishedRun = z.looseObject({
  measures: z
    .object({
      ...Object.fromEntries(MEASURES.map(({ key }) => [key, figure])),
      // Every run has some.
      'gpu-hours': z.number().min(0).max(MOST),
      'equal-gpu-hours': z.number().min(0).max(MOST),
    })
    .catchall(figure),
  busySeconds: z.number().min(0),
});

/**
 * Where a sweep's results stand: `runs.jsonl`, to which every run is added when it ends, so that a
 * second call knows what is missing; and what is made of them, `results.json`, `results.parquet`
 * and `report.html`. Rows of runs that the sweep no longer has stay in `runs.jsonl` and are no
 * results.
 */
export class SweepFolder {
  readonly #path: string;
  readonly #finished = new Map<string, FinishedRun>();
  /**
   * Lines that nobody has asked for yet: rows of other sweeps and of other versions may be
   * anything.
   */
  readonly #read = new Map<string, { readonly run: FinishedRun; readonly wrong: (what: string) => ConfigError }>();
  readonly #unlock: () => void;
  readonly #watch: OutputWatch;
  #runs: OutputFile | undefined;
  #size = 0;

  private constructor(path: string, unlock: () => void, watch: OutputWatch) {
    this.#path = path;
    this.#unlock = unlock;
    this.#watch = watch;
  }

  /**
   * Takes the folder until {@link close}. Throws `ConfigError` where it can't be made, holds files
   * that are not results of a sweep, or another sweep is at work in it.
   */
  static async open(path: string, signal?: AbortSignal, watch: OutputWatch = UNWATCHED): Promise<SweepFolder> {
    await makeFolder(path, watch.noteMade);
    await placeOf(path, (name) => FILES.includes(name) || name.endsWith('.partial'));
    const folder = new SweepFolder(path, lockFolder(join(path, LOCK), path, watch), watch);
    try {
      await folder.#readAll(signal);
      return folder;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** Gives the folder back. */
  close(): void {
    this.#runs?.close();
    this.#unlock();
  }

  async #readAll(signal: AbortSignal | undefined): Promise<void> {
    const file = join(this.#path, 'runs.jsonl');
    if ((await stat(file).catch(() => undefined)) === undefined) return;
    let line = 0;
    let pieces: Buffer[] = [];
    let pending = 0;
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      let from = 0;
      for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, from)) {
        pieces.push(chunk.subarray(from, end));
        this.#size += pending + end + 1 - from;
        this.#readLine(Buffer.concat(pieces).toString('utf8'), `${file}:${++line}`);
        pieces = [];
        pending = 0;
        from = end + 1;
      }
      pieces.push(chunk.subarray(from));
      pending += chunk.length - from;
      if (pending > MOST_LINE)
        throw new ConfigError(`${file}:${line + 1}`, `has more than ${MOST_LINE >> 20} MB`, { hint: MEND });
    }
    // A last line without its end was being written when somebody pulled the plug: its run is made
    // again.
    if (pending > 0) await truncate(file, this.#size);
  }

  #readLine(text: string, where: string): void {
    if (text.trim() === '') return;
    const wrong = (what: string, cause?: unknown): ConfigError => new ConfigError(where, what, { hint: MEND, cause });
    let run: unknown;
    try {
      run = JSON.parse(text);
    } catch (cause) {
      throw wrong(`is not JSON: ${messageOf(cause)}`, cause);
    }
    const parsed = finishedLine.safeParse(run);
    if (!parsed.success) throw wrong(notARun(parsed.error));
    // As it stands there, its fields in their order: the same bytes are made of it.
    this.#read.set(parsed.data.key, { run: run as FinishedRun, wrong });
  }

  /** A run that has ended. Throws `ConfigError` with the line where what stands there is none. */
  finished(key: string): FinishedRun | undefined {
    const line = this.#read.get(key);
    if (line !== undefined) {
      const parsed = finishedRun.safeParse(line.run);
      if (!parsed.success) throw line.wrong(notARun(parsed.error));
      this.#finished.set(key, line.run);
      this.#read.delete(key);
    }
    return this.#finished.get(key);
  }

  /** Adds a run that has ended; one that is there already is not counted twice. */
  add(run: SweepRun, measures: SweepMeasures, busySeconds: number): FinishedRun {
    const { key, scenario, strategy, parameters, seed } = run;
    const finished: FinishedRun = { key, scenario, strategy, parameters, seed, measures, busySeconds };
    if (this.finished(key) === undefined) {
      this.#runs ??= new OutputFile(join(this.#path, 'runs.jsonl'), 'a', this.#size);
      this.#runs.write(`${JSON.stringify(finished)}\n`);
      this.#finished.set(key, finished);
    }
    return finished;
  }

  /**
   * Writes what is made of the runs, in the order of the sweep: the same bytes for the same runs,
   * however they were made.
   */
  async publish(
    runs: readonly FinishedRun[],
    results: Readonly<Record<string, unknown>>,
    page: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const watched = (path: string): ReplaceOptions => ({
      onPartial: (partial) => this.#watch.notComplete(partial, path),
    });
    const json = join(this.#path, 'results.json');
    await replaceWith(json, (partial) => writePieces(partial, jsonPieces(results), signal), watched(json)).catch(
      (cause: unknown) => {
        signal?.throwIfAborted();
        throw cantWrite(json, cause);
      },
    );
    const table = join(this.#path, 'results.parquet');
    await replaceWith(
      table,
      (partial) => {
        writeParquet(partial, runs);
      },
      watched(table),
    ).catch((cause: unknown) => {
      throw cantWrite(table, cause);
    });
    const report = join(this.#path, 'report.html');
    await replaceFile(report, page, watched(report));
  }
}

function notARun({ issues }: z.ZodError): string {
  return `is not a run: ${issues[0]!.path.map(String).join('.') || 'it'} is missing or wrong`;
}

/** A measure's column: `gpu-hours` is `gpu_hours`. */
const columnOf = (key: string): string => key.replaceAll(/[^a-z0-9]+/g, '_');

function writeParquet(path: string, runs: readonly FinishedRun[]): void {
  const parameters = [...new Set(runs.flatMap((run) => Object.keys(run.parameters)))];
  const cells = new Set(runs.flatMap((run) => Object.keys(run.measures).filter(isCellKey)));
  const measures = [...MEASURES.map(({ key }) => key), ...cells];
  const columns: ParquetColumn[] = [
    ...['run', 'scenario', 'strategy', 'seed'].map((name): ParquetColumn => ({ name, type: 'text' })),
    ...parameters.map((name): ParquetColumn => ({
      name,
      optional: true,
      type: runs.every(({ parameters: { [name]: value } }) => value === undefined || typeof value === 'number')
        ? 'double'
        : 'text',
    })),
    ...measures.map((key): ParquetColumn => ({ name: columnOf(key), type: 'double', optional: true })),
  ];
  const table = new ParquetTable(path, columns);
  try {
    for (const run of runs) {
      const values = [
        run.key,
        run.scenario,
        run.strategy,
        String(run.seed),
        ...parameters.map((name, p) => {
          const value = run.parameters[name];
          return value === undefined || columns[4 + p]!.type === 'double'
            ? (value as number | undefined)
            : String(value);
        }),
        ...measures.map((key) => run.measures[key] ?? undefined),
      ];
      table.add(values);
    }
    table.finish();
  } finally {
    table.close();
  }
}
