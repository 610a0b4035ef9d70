import { join } from 'node:path';
import { ConfigError, maxOf, minOf } from '@sageserve/core';
import { simulate, type SimulationConfig, type SimulationResult } from '@sageserve/sim';
import { type SkippedRows, writeTarget } from '@sageserve/trace';
import { count, decimal, FileNames, RunPool, sparkline, time, trafficAhead, trafficPays } from '@sageserve/experiments';
import { wallClockMs } from '@sageserve/experiments/console';
import { type Catalogue, DEFAULT_CATALOGUE, loadPlugins, parseDurationMs, type PolicyChoice } from '@sageserve/fleet';
import {
  buildSimulation,
  demandAround,
  locatedIn,
  measureCapacity,
  needsCapacity,
  needsForesight,
  needsPlanning,
  parseScenario,
  type PrepareOptions,
  prepareRun,
  preset,
  readScenario,
  refusePipe,
  replaying,
  type RunDemand,
  type Scenario,
} from '@sageserve/scenario';
import { comparisonTable, detailTables, type StrategyResult } from './result-text.js';
import { refuseShared, replaceFile } from './output-file.js';
import { Progress, reportSkippedRows } from './progress.js';
import { makeFolder, ResultFolder } from './result-folder.js';

export interface SimulateCommandOptions {
  readonly preset?: string;
  readonly trace?: string;
  readonly format?: string;
  readonly strategy?: string;
  readonly seed?: string;
  readonly duration?: string;
  readonly json?: boolean;
  readonly out?: string;
  readonly requests?: boolean;
  readonly parquet?: boolean;
  readonly skipBadRows?: boolean;
  readonly audit?: boolean;
  readonly detail?: boolean;
}

/** `sageserve simulate`: one scenario under one or several strategies, side by side. */
export async function simulateCommand(
  file: string | undefined,
  options: SimulateCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const scenario = await chooseScenario(file, options);
  const choices: PolicyChoice[] =
    options.strategy === undefined ? scenario.strategies : options.strategy.split(',').map((name) => name.trim());
  for (const [option, given] of [
    ['--requests', options.requests],
    ['--parquet', options.parquet],
  ] as const)
    if (given === true && options.out === undefined)
      throw new ConfigError(option, 'is about files and needs --out DIR');
  const names = choices.map((choice) => (typeof choice === 'string' ? choice : choice.name));
  const labels = names.map((name, i) =>
    names.indexOf(name) === i && names.lastIndexOf(name) === i ? name : `${name}-${i + 1}`,
  );
  const fileNames = new FileNames();
  fileNames.take('comparison.json');
  const folderNames = labels.map((label) => fileNames.take(label));
  // Every strategy is built before the first one runs, so that a wrong name or an impossible fleet
  // costs nothing.
  const catalogue = await loadPlugins(scenario, file, DEFAULT_CATALOGUE);
  const configs = await locatedIn(file, () => choices.map((choice) => buildSimulation(scenario, choice, catalogue)));
  await refusePipe(
    scenario,
    choices.length + (choices.some((choice) => needsPlanning(scenario, choice, catalogue)) ? 1 : 0),
  );
  const takeBackFolders = options.out === undefined ? undefined : await makeFolder(options.out);
  const folders: ResultFolder[] = [];
  const runs: StrategyResult[] = [];
  const needs: Needs = {
    capacity: choices.some((choice) => needsCapacity(scenario, choice, catalogue)),
    planning: choices.some((choice) => needsPlanning(scenario, choice, catalogue)),
    foresight: choices.some((choice) => needsForesight(scenario, choice, catalogue)),
    traffic: trafficPays(scenario, configs[0]?.durationMs),
  };
  const beside = (needs.capacity && needs.planning) || needs.traffic ? await RunPool.open<string>(1) : undefined;
  const report = () => ({
    scenario: scenario.name,
    seed: scenario.seed,
    strategies: runs.map(({ strategy, result }) => ({ strategy, ...result })),
  });
  try {
    // That it can be written to is seen now, not after hours.
    if (options.out !== undefined) await writeTarget(join(options.out, 'comparison.json'));
    if (options.out !== undefined)
      for (const [i, config] of configs.entries())
        folders.push(await ResultFolder.create(join(options.out, folderNames[i]!), config, options));
    refuseShared(
      folders.map(({ place }) => place),
      'strategies',
    );
    const from: Source = { scenario, file, catalogue, beside, needs, signal };
    const common = await readAndMeasure(from, options.skipBadRows === true);
    for (const [i, config] of configs.entries())
      runs.push(await runStrategy(labels[i]!, choices[i]!, config, from, common, options, folders[i]));
    // All at once, so that a folder never holds parts of two comparisons.
    if (options.out !== undefined)
      await replaceFile(join(options.out, 'comparison.json'), `${JSON.stringify(report(), null, 2)}\n`, async () => {
        for (const folder of folders) await folder.publish();
      });
  } catch (error) {
    for (const folder of folders) await folder.discard();
    await takeBackFolders?.();
    throw error;
  } finally {
    await beside?.close();
  }
  if (options.json === true) console.log(JSON.stringify(report(), null, 2));
  else printReport(scenario, runs, options);
}

/** What at least one of the strategies needs. */
interface Needs {
  readonly capacity: boolean;
  readonly planning: boolean;
  readonly foresight: boolean;
  /** So much traffic that another thread makes it meanwhile. */
  readonly traffic: boolean;
}

/** What all strategies run on. */
interface Source {
  readonly scenario: Scenario;
  readonly file: string | undefined;
  readonly catalogue: Catalogue;
  /** A second thread, where there is work for it. */
  readonly beside: RunPool<string> | undefined;
  readonly needs: Needs;
  readonly signal: AbortSignal;
}

/**
 * What strategies have in common: read and measured once, and beside one another where both are
 * needed.
 */
async function readAndMeasure(
  { scenario, file, catalogue, beside, needs, signal }: Source,
  skipBadRows: boolean,
): Promise<Pick<PrepareOptions, 'demand' | 'capacity'>> {
  if (!needs.planning)
    return needs.capacity
      ? { capacity: await measureCapacity(scenario, buildSimulation(scenario, 'static', catalogue), signal) }
      : {};
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  try {
    const [demand, measured] = await Promise.all([
      readDemand(scenario, needs.foresight, skipBadRows, stopped),
      needs.capacity ? beside!.run('capacity', { kind: 'capacity', scenario, file }, stopped) : undefined,
    ]);
    return { demand, ...(measured === undefined ? {} : { capacity: measured.answer }) };
  } catch (error) {
    stop.abort(error);
    throw error;
  }
}

async function readDemand(
  scenario: Scenario,
  foresight: boolean,
  skipBadRows: boolean,
  signal: AbortSignal,
): Promise<RunDemand> {
  const progress = new Progress(foresight ? 'history and foresight' : 'history', 'requests');
  try {
    return await demandAround(scenario, foresight, {
      onReading(requests, share) {
        signal.throwIfAborted();
        return progress.update(requests, share);
      },
      skipBadRows,
    });
  } finally {
    progress.stop();
  }
}

async function runStrategy(
  label: string,
  choice: PolicyChoice,
  { durationMs }: SimulationConfig,
  { scenario, file, catalogue, beside, needs, signal }: Source,
  common: Pick<PrepareOptions, 'demand' | 'capacity'>,
  options: SimulateCommandOptions,
  folder: ResultFolder | undefined,
): Promise<StrategyResult> {
  const skippedRows: SkippedRows = { count: 0, examples: [] };
  // Known once the trace is opened, and asked for with the first entry.
  const start: { epochMs?: number | undefined } = {};
  const prepared = await prepareRun(scenario, choice, {
    ...common,
    catalogue,
    signal,
    ...(options.skipBadRows === true ? { skippedRows } : {}),
    ...(folder === undefined ? {} : { journal: folder.journal(scenario, label, () => start.epochMs) }),
  });
  const { config } = prepared;
  const trace = needs.traffic ? trafficAhead(beside!, scenario, file, prepared.trace, signal) : prepared.trace;
  start.epochMs = trace.startEpochMs;
  const progress = new Progress(label, 'requests');
  const startMs = wallClockMs();
  const ready: number[] = [];
  let result: SimulationResult;
  try {
    result = await simulate(config, trace, {
      signal,
      audit: options.audit === true,
      onProgress: (p) =>
        progress.update(
          p.arrivedRequests,
          trace.progress ?? (durationMs === undefined ? undefined : p.simulatedMs / durationMs),
        ),
      onSample(sample) {
        const minute = Math.ceil(sample.timeMs / 60_000) - 1;
        ready[minute] = (ready[minute] ?? 0) + sample.readyInstances;
        folder?.sample(sample);
      },
      onDemand: (demand) => folder?.demand(demand),
      ...(options.requests === true ? { onRequestEnd: folder!.request.bind(folder) } : {}),
    });
    await folder?.finish({ strategy: label, ...result });
  } finally {
    progress.stop();
  }
  const seconds = (wallClockMs() - startMs) / 1_000;
  console.error(
    `${label}: ${count(result.total.arrived)} requests over ${time(result.durationMs)} simulated in ` +
      `${decimal(seconds, 1)} s`,
  );
  reportSkippedRows(skippedRows);
  return { strategy: label, result, readyInstances: ready };
}

function printReport(scenario: Scenario, runs: readonly StrategyResult[], options: SimulateCommandOptions): void {
  console.log(
    `${scenario.name}${scenario.description === undefined || scenario.traffic.trace !== undefined ? '' : `: ${scenario.description}`}`,
  );
  if (scenario.traffic.trace !== undefined) console.log(`trace ${scenario.traffic.trace}`);
  console.log('');
  console.log(comparisonTable(runs));
  console.log('\nready instances over time (from 0)');
  const width = maxOf(runs.map((run) => run.strategy.length));
  for (const run of runs) {
    if (run.readyInstances.length > 0)
      console.log(
        `  ${run.strategy.padEnd(width)} ${sparkline(run.readyInstances)} ` +
          `${count(minOf(run.readyInstances))}–${count(maxOf(run.readyInstances))}`,
      );
  }
  if (runs.length > 1) console.log(`\nratios in brackets are to ${runs[0]!.strategy}`);
  if (options.detail === true) for (const run of runs) console.log(`\n${detailTables(run)}`);
  if (options.out !== undefined) console.log(`results in ${options.out}`);
}

async function chooseScenario(file: string | undefined, options: SimulateCommandOptions): Promise<Scenario> {
  if (file !== undefined && options.preset !== undefined)
    throw new ConfigError('--preset', 'goes without a scenario file: give one or the other');
  for (const [option, given] of [
    ['--format', options.format],
    ['--skip-bad-rows', options.skipBadRows],
  ] as const) {
    if (given !== undefined && options.trace === undefined && file === undefined)
      throw new ConfigError(option, 'is about a trace: name one with --trace');
  }
  const base = file === undefined ? preset(options.preset ?? 'small') : await readScenario(file);
  if (options.duration !== undefined && parseDurationMs(options.duration) === undefined)
    throw new ConfigError('--duration', `"${options.duration}" is not a duration such as 15m, 24h or 7d`);
  const given = options.trace === undefined ? base.traffic : replaying(base.traffic, options.trace);
  // A preset's duration is that of its own traffic; a trace that is given instead runs to its end.
  const { duration: _duration, ...withoutDuration } = base;
  return parseScenario({
    ...(options.trace === undefined ? base : { ...withoutDuration, history: 0 }),
    ...(options.seed === undefined ? {} : { seed: /^-?\d+$/.test(options.seed) ? Number(options.seed) : options.seed }),
    ...(options.duration === undefined ? {} : { duration: options.duration }),
    traffic: options.format === undefined ? given : { ...given, format: options.format },
  });
}
