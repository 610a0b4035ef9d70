import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@sageserve/core';
import { cantWrite, makeBeside } from '@sageserve/trace';
import {
  type ComparedRun,
  compareRuns,
  compareStrategies,
  comparisonPage,
  comparisonText,
  count,
  decimal,
  fileName,
  FileNames,
  type GapPoint,
  placeOf,
  strategyLabels,
  time,
  verdict,
} from '@sageserve/experiments';
import { wallClockMs } from '@sageserve/experiments/console';
import { type Catalogue, DEFAULT_CATALOGUE, loadPlugins, parseDurationMs, type PolicyChoice } from '@sageserve/fleet';
import {
  buildSimulation,
  isPipe,
  type LowerBound,
  lowerBound,
  needsPlanning,
  parseScenario,
  preset,
  PRESET_NAMES,
  readScenario,
  refusePipe,
  type Scenario,
} from '@sageserve/scenario';
import { JournalFile } from './journal-file.js';
import { notComplete } from '../ending.js';
import { refuseShared, replaceFile, takePlace } from './output-file.js';
import { Progress } from './progress.js';
import { makeFolder } from './result-folder.js';

export interface CompareOptions {
  readonly preset?: string;
  readonly trace?: string;
  readonly format?: string;
  readonly strategy?: string;
  readonly seeds?: string;
  readonly duration?: string;
  readonly requestsPerDay?: string;
  readonly gapThresholds?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const MOST_SEEDS = 1_000;
const RESULT_FILE = /^(report\.html|comparison\.json|journal-.*\.jsonl)$/;
const isResult = (name: string): boolean => RESULT_FILE.test(name);

/**
 * `sageserve compare`: scenarios × strategies × seeds, one table each, and a page with the paper's
 * figures.
 */
export async function compareCommand(
  files: readonly string[],
  options: CompareOptions,
  signal: AbortSignal,
): Promise<void> {
  const scenarios = await scenariosOf(files, options);
  const seeds = options.seeds === undefined ? undefined : seedsOf(options.seeds);
  const thresholds = options.gapThresholds === undefined ? [] : thresholdsOf(options.gapThresholds);
  const prepared = [];
  for (const { scenario, file } of scenarios) {
    const catalogue = await loadPlugins(scenario, file, DEFAULT_CATALOGUE);
    const choices: PolicyChoice[] =
      options.strategy === undefined ? scenario.strategies : options.strategy.split(',').map((name) => name.trim());
    // Every strategy is built before the first one runs, so that a wrong name or an impossible
    // fleet costs nothing.
    strategyLabels(choices);
    for (const choice of choices) buildSimulation(scenario, choice, catalogue);
    // Each threshold is a run of lt-ua, which plans.
    const plans = thresholds.length > 0 || choices.some((choice) => needsPlanning(scenario, choice, catalogue));
    await refusePipe(scenario, choices.length * (seeds?.length ?? 1) + thresholds.length + (plans ? 1 : 0));
    prepared.push({ scenario, catalogue, choices, seeds: seeds ?? [scenario.seed] });
  }
  const target =
    options.out === undefined
      ? undefined
      : await OutFolder.create(
          options.out,
          prepared.map(({ scenario }) => fileName(scenario.name)),
        );
  const reports: Record<string, unknown>[] = [];
  /** Printed when all is written: who closes the pipe early loses no results. */
  const texts: string[] = [];
  try {
    for (const { scenario, catalogue, choices, seeds: own } of prepared) {
      const folder = target === undefined ? undefined : join(target.partial, fileName(scenario.name));
      if (folder !== undefined) await makeFolder(folder);
      const journals = new Map<string, JournalFile>();
      const journalNames = new FileNames();
      let progress: Progress | undefined;
      let current = '';
      let startMs = wallClockMs();
      const total = choices.length * own.length + thresholds.length;
      let done = 0;
      const started = (label: string): void => {
        if (label === current) return;
        progress?.stop();
        current = label;
        startMs = wallClockMs();
        progress = new Progress(label, 'requests');
      };
      const onRun = (run: ComparedRun): void => {
        progress?.stop();
        progress = undefined;
        current = '';
        done++;
        console.error(
          `[${done}/${total}] ${scenario.name}, seed ${run.seed}, ${run.strategy}: ${count(run.result.total.arrived)} requests over ` +
            `${time(run.result.durationMs)} in ${decimal((wallClockMs() - startMs) / 1_000, 1)} s`,
        );
        startMs = wallClockMs();
      };
      const common = {
        catalogue,
        signal,
        onProgress: (
          strategy: string,
          seed: number | string,
          p: { readonly arrivedRequests: number },
          share: number | undefined,
        ) => {
          started(`[${done + 1}/${total}] ${scenario.name} ${strategy} ${seed}`);
          return progress!.update(p.arrivedRequests, share);
        },
        onReading(seed: number | string, requests: number) {
          started(`${scenario.name} demand before and after, seed ${seed}`);
          return progress!.update(requests, undefined);
        },
        onRun,
      };
      let runs: ComparedRun[];
      let gaps: GapPoint[];
      try {
        runs = await compareStrategies(scenario, choices, own, {
          ...common,
          record: target !== undefined,
          ...(folder === undefined
            ? {}
            : {
                onStart(strategy, seed, startEpochMs) {
                  const head = { kind: 'run' as const, scenario: scenario.name, strategy, seed, startEpochMs };
                  const name = `journal-${fileName(strategy).slice(0, MOST_OF_LABEL)}-${seed}`;
                  journals.set(
                    runOf(strategy, seed),
                    new JournalFile(join(folder, `${journalNames.take(name)}.jsonl`), () => head),
                  );
                },
                onJournal: (strategy, seed, entry) => journals.get(runOf(strategy, seed))!.write(entry),
              }),
        });
        gaps = await gapSensitivity(scenario, thresholds, own[0]!, common);
        for (const journal of journals.values()) journal.finish();
      } finally {
        progress?.stop();
        for (const journal of journals.values()) journal.close();
      }
      const bounds = new Map<number | string, LowerBound>();
      // A pipe has been read by its one run: there is no work left to reckon with.
      if (!(await isPipe(scenario)))
        for (const seed of own) bounds.set(seed, await boundOf({ ...scenario, seed }, catalogue, signal));
      const comparison = compareRuns(runs, bounds);
      const said = verdict(scenario, runs, comparison, bounds);
      const report = {
        scenario: scenario.name,
        description: scenario.description,
        verdict: said,
        bound: Object.fromEntries(bounds),
        ...comparison,
        gapThresholds: gaps,
        runs: runs.map(({ record: _, ...run }) => run),
      };
      reports.push(report);
      if (folder !== undefined) {
        await replaceFile(join(folder, 'comparison.json'), `${JSON.stringify(report, null, 2)}\n`);
        await replaceFile(join(folder, 'report.html'), await comparisonPage(scenario, runs, comparison, gaps, bounds));
      }
      texts.push(
        `${scenario.name}${scenario.description === undefined ? '' : `: ${scenario.description}`}\n\n` +
          `${said.join('\n')}\n\n${comparisonText(comparison)}`,
        own.length > 1
          ? `\n± is the 95 % confidence interval over ${own.length} seeds`
          : '\none seed: --seeds 5 gives confidence intervals',
        ...gaps.map(
          ({ threshold, gpuHours, ttftP90Ms }) =>
            `gap threshold ${threshold}: ${decimal(gpuHours)} GPU-hours, TTFT p90 of IW-F ${time(ttftP90Ms)}`,
        ),
        '',
      );
    }
    await target?.publish();
  } catch (error) {
    await target?.discard();
    throw error;
  }
  if (options.json === true) console.log(JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2));
  else console.log(texts.join('\n').trimEnd());
  if (options.out !== undefined)
    console.error(
      'results in ' +
        `${options.out}${reports
          .map((r) => `\n  ` + join(options.out!, fileName(r['scenario'] as string), 'report.html'))
          .join('')}`,
    );
}

/** What nothing can hold less than, with its progress. */
async function boundOf(scenario: Scenario, catalogue: Catalogue, signal: AbortSignal): Promise<LowerBound> {
  const progress = new Progress(`${scenario.name} bound ${scenario.seed}`, 'requests');
  try {
    return await lowerBound(scenario, {
      catalogue,
      signal,
      onReading: (requests, share) => progress.update(requests, share),
    });
  } finally {
    progress.stop();
  }
}

/** LT-UA under several gap thresholds, one seed. */
async function gapSensitivity(
  scenario: Scenario,
  thresholds: readonly number[],
  seed: number | string,
  common: Parameters<typeof compareStrategies>[3],
): Promise<GapPoint[]> {
  if (thresholds.length === 0) return [];
  const choices = thresholds.map((growFrom) => ({ name: 'lt-ua', growFrom }));
  const runs = await compareStrategies(scenario, choices, [seed], { ...common, record: false });
  return runs.map(({ result }, i) => ({
    threshold: thresholds[i]!,
    gpuHours: result.capacity.gpuHours,
    ttftP90Ms: result.byTier['interactive-fast']?.ttftMs.p90,
  }));
}

async function scenariosOf(
  files: readonly string[],
  options: CompareOptions,
): Promise<{ scenario: Scenario; file: string | undefined }[]> {
  if (files.length > 0 && options.preset !== undefined)
    throw new ConfigError('--preset', 'goes without scenario files: give one or the other');
  const presets = options.preset?.split(',').map((name) => name.trim()) ?? (files.length > 0 ? [] : ['small']);
  const bases = [
    ...presets.map((name) => ({ base: preset(name), file: undefined })),
    ...(await Promise.all(files.map(async (file) => ({ base: await readScenario(file), file })))),
  ];
  const rate = options.requestsPerDay === undefined ? undefined : Number(options.requestsPerDay);
  if (rate !== undefined && !(rate > 0 && rate < Infinity))
    throw new ConfigError('--requests-per-day', `must be a number above 0, not "${options.requestsPerDay}"`);
  if (options.duration !== undefined && parseDurationMs(options.duration) === undefined)
    throw new ConfigError('--duration', `"${options.duration}" is not a duration such as 15m, 24h or 7d`);
  if (rate !== undefined && options.trace !== undefined)
    throw new ConfigError('--requests-per-day', 'is for generated traffic: a trace has its own rate');
  if (options.format !== undefined && options.trace === undefined)
    throw new ConfigError('--format', 'is about a trace: name one with --trace');
  const scenarios = bases.map(({ base, file }) => {
    const { requestsPerDay: _rate, ...traffic } = base.traffic;
    const { duration: _duration, history: _history, description: _description, ...withoutTime } = base;
    return {
      file,
      scenario: parseScenario({
        // A preset's duration and history are those of its own traffic; a trace that is given
        // instead runs to its end, from its beginning.
        ...(options.trace === undefined ? base : withoutTime),
        ...(options.duration === undefined ? {} : { duration: options.duration }),
        traffic:
          options.trace === undefined
            ? { ...base.traffic, ...(rate === undefined ? {} : { requestsPerDay: rate }) }
            : { ...traffic, trace: options.trace, ...(options.format === undefined ? {} : { format: options.format }) },
      }),
    };
  });
  const names = scenarios.map(({ scenario }) => fileName(scenario.name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ConfigError('scenarios', `two are called ${twice}`, {
      hint: `Give each a name of its own; presets are ${PRESET_NAMES.join(', ')}.`,
    });
  return scenarios;
}

/** `5` stands for the seeds 1 to 5; a list is taken as it is. */
function seedsOf(text: string): (number | string)[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === ''))
    throw new ConfigError('--seeds', `must be a count such as 5, or seeds with commas between, not "${text}"`);
  if (parts.length > 1) return [...new Set(parts.map((part) => (/^-?\d+$/.test(part) ? Number(part) : part)))];
  const n = Number(text);
  if (!(Number.isInteger(n) && n >= 1 && n <= MOST_SEEDS))
    throw new ConfigError('--seeds', `must be a whole number from 1 to ${MOST_SEEDS}, not "${text}"`, {
      hint: 'One seed of your own: give it twice with a comma between, or set it in the scenario.',
    });
  return Array.from({ length: n }, (_, i) => i + 1);
}

function thresholdsOf(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!(value >= 1 && value < Infinity))
      throw new ConfigError('--gap-thresholds', `must be numbers of 1 or more with commas between, not "${text}"`);
    return value;
  });
}

/** So much of a strategy's label stands in a file's name, before the seed. */
const MOST_OF_LABEL = 90;

const runOf = (strategy: string, seed: number | string): string => JSON.stringify([strategy, seed]);

/** Where results go: written beside their place and moved there when all are complete. */
class OutFolder {
  readonly partial: string;
  readonly #path: string;
  readonly #takeBack: () => Promise<void>;
  readonly #complete: () => void;

  private constructor(path: string, partial: string, takeBack: () => Promise<void>) {
    this.#complete = notComplete(partial, path);
    this.#path = path;
    this.partial = partial;
    this.#takeBack = takeBack;
  }

  /**
   * Throws `ConfigError` where nothing can be written, or where a folder of a scenario's name holds
   * files that are not results.
   */
  static async create(path: string, names: readonly string[]): Promise<OutFolder> {
    const places: string[] = [];
    for (const name of names) places.push(await placeOf(join(path, name), isResult));
    refuseShared(places, 'scenarios');
    const takeBack = await makeFolder(path);
    try {
      return new OutFolder(path, await makeBeside(path, 'folder'), takeBack);
    } catch (cause) {
      await takeBack();
      throw cantWrite(path, cause);
    }
  }

  /**
   * Each scenario's folder takes the place of an earlier one of its name; what else is there stays.
   */
  async publish(): Promise<void> {
    for (const name of await readdir(this.partial)) {
      await takePlace(join(this.partial, name), await placeOf(join(this.#path, name), isResult), isResult);
    }
    await rm(this.partial, { recursive: true });
    this.#complete();
  }

  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
    this.#complete();
    await this.#takeBack();
  }
}
