import { basename, extname } from 'node:path';
import { ConfigError, messageOf, SageServeError } from '@sageserve/core';
import {
  analyseSweep,
  askDatabase,
  type AttainmentTargets,
  count,
  decimal,
  type FinishedRun,
  jsonPieces,
  parametersText,
  plural,
  printPieces,
  readSweep,
  RunPool,
  RunQueue,
  type Sweep,
  SweepFolder,
  sweepPage,
  type SweepRun,
  sweepText,
} from '@sageserve/experiments';
import { pause, wallClockMs } from '@sageserve/experiments/console';
import { leftovers } from '@sageserve/fleet';
import { notComplete, noteMade } from '../ending.js';
import { coresOf } from './cores.js';
import { urlOf } from './queue-url.js';
import { RunsProgress } from './runs-progress.js';

export interface SweepOptions {
  readonly out?: string;
  readonly cores?: string;
  readonly list?: boolean;
  /** `true` for the one of the environment. */
  readonly queue?: string | boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
}

/**
 * `sageserve sweep`: scenarios × strategies × parameters × seeds on every core; a second call makes
 * only what is missing.
 */
export async function sweepCommand(
  file: string,
  options: SweepOptions,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const cores = coresOf(options.cores);
  if (options.queue !== undefined && options.cores !== undefined)
    throw new ConfigError('--cores', 'is for runs in this process: with --queue workers make them');
  if (options.detach === true && options.queue === undefined) throw new ConfigError('--detach', 'goes with --queue');
  const sweep = await readSweep(file, version, signal);
  if (options.list === true) {
    await printPieces(jsonPieces(sweep.runs.map(({ task: _, ...run }) => run)), signal);
    return;
  }
  // Policies were made here to see that they can be; from here on their threads answer for them.
  leftovers.areTold = true;
  const out = options.out ?? basename(file, extname(file));
  const folder = await SweepFolder.open(out, signal, { notComplete, noteMade });
  try {
    await runSweep(sweep, folder, out, cores, options, version, signal);
  } finally {
    folder.close();
  }
}

async function runSweep(
  sweep: Sweep,
  folder: SweepFolder,
  out: string,
  cores: number,
  options: SweepOptions,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const missing = sweep.runs.filter(({ key }) => folder.finished(key) === undefined);
  const known = sweep.runs.length - missing.length;
  if (known > 0) console.error(`${count(known)} of ${plural(sweep.runs.length, 'run')} are in ${out} already`);
  if (options.detach === true) {
    await putOnQueue(urlOf(options.queue), sweep, version, missing, signal);
    return;
  }
  const failures =
    missing.length === 0
      ? []
      : options.queue === undefined
        ? await runMissing(missing, folder, cores, sweep.runs.length, signal)
        : await waitForQueue(urlOf(options.queue), sweep, version, missing, folder, signal);
  await publish(sweep, folder, out, failures, options, signal);
  if (failures.length > 0)
    throw new SageServeError(
      'ERR_RUN',
      `${count(failures.length)} of ${plural(sweep.runs.length, 'run')} failed, the first with: ` +
        failures[0]!.message,
      {
        hint:
          options.queue === undefined ? 'A second call makes them again.' : 'sageserve queue retry tries them again.',
      },
    );
}

interface Failure {
  readonly run: SweepRun;
  readonly message: string;
}

async function runMissing(
  missing: readonly SweepRun[],
  folder: SweepFolder,
  cores: number,
  total: number,
  signal: AbortSignal,
): Promise<Failure[]> {
  const pool = await RunPool.open<SweepRun>(Math.min(cores, missing.length));
  const progress = new RunsProgress(pool, { total, known: total - missing.length, nameOf });
  const startMs = wallClockMs();
  const failures: Failure[] = [];
  let requests = 0;
  try {
    const jobOf = ({ task }: SweepRun) => ({ kind: 'sweep', task }) as const;
    await pool.runAll(missing, jobOf, signal, (run, result, error) => {
      if (result === undefined) {
        const message = messageOf(error);
        failures.push({ run, message });
        progress.done(`${nameOf(run)} failed: ${message}`, 0);
        return;
      }
      folder.add(run, result.answer, result.busySeconds);
      requests += result.answer['arrived'] ?? 0;
      sayDone(progress, run, result.answer['arrived'] ?? 0, result.busySeconds);
    });
  } finally {
    progress.stop();
    await pool.close();
  }
  const seconds = (wallClockMs() - startMs) / 1_000;
  console.error(
    `${plural(missing.length - failures.length, 'run')}, ${count(requests)} requests in ${decimal(seconds, 1)} s ` +
      `on ${plural(pool.cores, 'core')}: ${count(requests / seconds)} requests/s`,
  );
  return failures;
}

/** How often results are asked for. */
const POLL_MS = 500;

async function putOnQueue(
  url: string,
  sweep: Sweep,
  version: string,
  missing: readonly SweepRun[],
  signal: AbortSignal,
): Promise<void> {
  const queue = await RunQueue.open(url);
  try {
    const added = await askDatabase(url, () => queue.submit(sweep.name, version, missing), signal);
    console.error(
      `put on the queue: ${plural(added, 'run')}; the same command without --detach waits for what they come to`,
    );
  } finally {
    await queue.close();
  }
}

/**
 * Puts runs on the queue and takes their results as workers make them. Whoever is interrupted here
 * loses nothing: workers go on, and a second call collects.
 */
async function waitForQueue(
  url: string,
  sweep: Sweep,
  version: string,
  missing: readonly SweepRun[],
  folder: SweepFolder,
  signal: AbortSignal,
): Promise<Failure[]> {
  const queue = await RunQueue.open(url);
  const total = sweep.runs.length;
  const open = new Map(missing.map((run) => [run.key, run]));
  let progress: RunsProgress<SweepRun> | undefined;
  try {
    const added = await askDatabase(url, () => queue.submit(sweep.name, version, missing), signal);
    console.error(
      `put on the queue: ${plural(added, 'run')}, beside ${count(missing.length - added)} that it knows: ` +
        'sageserve worker --queue … makes them',
    );
    progress = new RunsProgress({ cores: 0, threads: () => [] }, { total, known: total - missing.length, nameOf });
    const failures: Failure[] = [];
    for (;;) {
      const keys = [...open.keys()];
      // Failures first: what has failed by then and has no result afterwards will have none.
      const [failed, results, unknown] = await askDatabase(
        url,
        async () => [await queue.failed(keys), await queue.results(keys), await queue.unknown(keys)] as const,
        signal,
      );
      for (const { key, measures, busySeconds } of results) {
        const run = open.get(key)!;
        open.delete(key);
        folder.add(run, measures, busySeconds);
        sayDone(progress, run, measures['arrived'] ?? 0, busySeconds);
      }
      const fail = (key: string, message: string): void => {
        const run = open.get(key);
        if (run === undefined) return;
        open.delete(key);
        failures.push({ run, message });
        progress!.done(`${nameOf(run)} failed: ${message}`, 0);
      };
      for (const { key, error } of failed) fail(key, error);
      for (const key of unknown) fail(key, 'it was taken off the queue');
      if (open.size === 0) return failures;
      await pause(POLL_MS, signal);
    }
  } finally {
    progress?.stop();
    if (signal.aborted)
      console.error(
        `still on the queue: ${plural(open.size, 'run')}; a second call collects them, sageserve queue cancel ` +
          'takes them off',
      );
    await queue.close();
  }
}

function nameOf({ scenario, strategy, parameters, seed }: SweepRun): string {
  const varied = parametersText(parameters);
  return `${scenario}, ${strategy}${varied === '' ? '' : `, ${varied}`}, seed ${seed}`;
}

function sayDone(progress: RunsProgress<SweepRun>, run: SweepRun, requests: number, busySeconds: number): void {
  progress.done(`${nameOf(run)}: ${count(requests)} requests in ${decimal(busySeconds, 1)} s`, requests);
}

/** Writes and prints what is made of the runs that there are. */
async function publish(
  sweep: Sweep,
  folder: SweepFolder,
  out: string,
  failures: readonly Failure[],
  options: SweepOptions,
  signal: AbortSignal,
): Promise<void> {
  // What a run is called is this sweep's business: another may have made it.
  const runs = sweep.runs.flatMap(({ key, scenario, strategy, parameters, seed }): FinishedRun[] => {
    const finished = folder.finished(key);
    return finished === undefined ? [] : [{ ...finished, scenario, strategy, parameters, seed }];
  });
  const analysis = analyseSweep(runs, targetsOf(sweep), sweep.isCondition, sweep.foresees);
  const results = {
    sweep: sweep.name,
    description: sweep.description,
    runs: runs.map(({ busySeconds: _, ...run }: FinishedRun) => run),
    failed: failures.map(({ run: { key, scenario, strategy, parameters, seed }, message }) => ({
      key,
      scenario,
      strategy,
      parameters,
      seed,
      message,
    })),
    ...analysis,
  };
  await folder.publish(runs, results, await sweepPage(sweep, analysis), signal);
  if (options.json === true) await printPieces(jsonPieces(results), signal);
  else if (runs.length > 0) console.log(sweepText(analysis));
  console.error(`results in ${out}: report.html, results.parquet, results.json`);
}

function targetsOf(sweep: Sweep): AttainmentTargets {
  return Object.fromEntries(
    sweep.runs.map(({ key, task }) => [
      key,
      Object.fromEntries(
        Object.entries(task.scenario.objectives).flatMap(([tier, objective]) =>
          objective.attainmentTarget === undefined ? [] : [[tier, objective.attainmentTarget]],
        ),
      ),
    ]),
  );
}
