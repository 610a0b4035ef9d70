import { join } from 'node:path';
import { ConfigError } from '@sageserve/core';
import {
  type ComparedRun,
  comparisonFacts,
  compareRuns,
  type ComparisonItem,
  ComparisonOnCores,
  comparisonPage,
  comparisonText,
  count,
  decimal,
  fileName,
  FileNames,
  type GapPoint,
  type GivenKnob,
  knobSettings,
  type KnobSettings,
  paretoCurves,
  paretoText,
  parseKnob,
  RunPool,
  seedsNote,
  strategyLabels,
  time,
  type TurnedKnob,
  verdict,
} from '@sageserve/experiments';
import { type Catalogue, DEFAULT_CATALOGUE, leftovers, loadPlugins, type PolicyChoice } from '@sageserve/fleet';
import {
  buildSimulation,
  isPipe,
  locatedIn,
  type LowerBound,
  needsCapacity,
  needsPlanning,
  refusePipe,
  type Scenario,
} from '@sageserve/scenario';
import { type CompareOptions, scenariosOf, seedsOf, thresholdsOf } from './compare-options.js';
import { coresOf } from './cores.js';
import { OutFolder } from './out-folder.js';
import { replaceFile } from './output-file.js';
import { makeFolder } from './result-folder.js';
import { RunsProgress } from './runs-progress.js';

/** A scenario that is known to work, with all that is to be run of it. */
interface Prepared {
  readonly scenario: Scenario;
  readonly file: string | undefined;
  readonly catalogue: Catalogue;
  readonly choices: readonly PolicyChoice[];
  readonly labels: readonly string[];
  readonly seeds: readonly (number | string)[];
  readonly thresholds: readonly number[];
  /** By choice; empty without `--pareto`. */
  readonly knobs: readonly (KnobSettings | undefined)[];
  readonly pipe: boolean;
  /** How many runs that makes, and what else has to be done. */
  readonly runs: number;
  readonly steps: number;
}

/** What is told of one scenario. */
interface Told {
  readonly report: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/**
 * `sageserve compare`: scenarios × strategies × seeds on every core, one table each, and a page
 * with the paper's figures.
 */
export async function compareCommand(
  files: readonly string[],
  options: CompareOptions,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const cores = coresOf(options.cores);
  const all: Prepared[] = [];
  for (const { scenario, file } of await scenariosOf(files, options)) all.push(await prepare(scenario, file, options));
  const target =
    options.out === undefined
      ? undefined
      : await OutFolder.create(
          options.out,
          all.map(({ scenario }) => fileName(scenario.name)),
        );
  let told: Told[];
  try {
    told = await runAll(all, cores, target, version, signal);
    await target?.publish();
  } catch (error) {
    await target?.discard();
    throw error;
  }
  // Printed when all is written: who closes the pipe early loses no results.
  const reports = told.map(({ report }) => report);
  if (options.json === true) console.log(JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2));
  else console.log(told.map(({ text }) => text).join('\n\n'));
  if (options.out !== undefined)
    console.error(
      'results in ' +
        `${options.out}${all
          .map(({ scenario }) => `\n  ${join(options.out!, fileName(scenario.name), 'report.html')}`)
          .join('')}`,
    );
}

/**
 * Builds every strategy before the first one runs, so that a wrong name or an impossible fleet
 * costs nothing.
 */
async function prepare(scenario: Scenario, file: string | undefined, options: CompareOptions): Promise<Prepared> {
  const thresholds = options.gapThresholds === undefined ? [] : thresholdsOf(options.gapThresholds);
  const given = (options.knob ?? []).map(parseKnob);
  const twice = given.find((one, i) => given.findIndex(({ strategy }) => strategy === one.strategy) < i);
  if (twice !== undefined)
    throw new ConfigError('--knob', `is given twice for ${twice.strategy}: a curve is of one knob`);
  if (given.length > 0 && options.pareto !== true) throw new ConfigError('--knob', 'goes with --pareto');
  const catalogue = await loadPlugins(scenario, file, DEFAULT_CATALOGUE);
  const choices: readonly PolicyChoice[] =
    options.strategy === undefined ? scenario.strategies : options.strategy.split(',').map((name) => name.trim());
  const labels = strategyLabels(choices);
  const knobs = options.pareto === true ? knobsOf(choices, given) : [];
  const turned = knobs.flatMap((knob) => knob?.levels.map(({ choice }) => choice) ?? []);
  await locatedIn(file, () => {
    for (const choice of [...choices, ...turned]) buildSimulation(scenario, choice, catalogue);
  });
  const seeds = options.seeds === undefined ? [scenario.seed] : seedsOf(options.seeds);
  // Each threshold is a run of lt-ua, which plans.
  const plans = thresholds.length > 0 || choices.some((choice) => needsPlanning(scenario, choice, catalogue));
  const measures = thresholds.length > 0 || choices.some((choice) => needsCapacity(scenario, choice, catalogue));
  const runs = (choices.length + turned.length) * seeds.length + thresholds.length;
  await refusePipe(scenario, runs + (plans ? 1 : 0));
  // A pipe has been read by its one run: there is no work left to reckon with.
  const pipe = await isPipe(scenario);
  const steps = (pipe ? 0 : seeds.length) + (plans ? seeds.length : 0) + (measures ? 1 : 0);
  return { scenario, file, catalogue, choices, labels, seeds, thresholds, knobs, pipe, runs, steps };
}

/** Throws `ConfigError` for a knob of a strategy that is not compared. */
function knobsOf(choices: readonly PolicyChoice[], given: readonly GivenKnob[]): (KnobSettings | undefined)[] {
  const names = choices.map((choice) => (typeof choice === 'string' ? choice : choice.name));
  const stranger = given.find(({ strategy }) => !names.includes(strategy));
  if (stranger !== undefined)
    throw new ConfigError('--knob', `"${stranger.strategy}" is none of the strategies that are compared`, {
      hint: `They are ${[...new Set(names)].join(', ')}.`,
    });
  return choices.map((choice) => knobSettings(choice, given));
}

/** Throws the first error of any scenario; everything else has ended then. */
async function runAll(
  all: readonly Prepared[],
  cores: number,
  target: OutFolder | undefined,
  version: string,
  signal: AbortSignal,
): Promise<Told[]> {
  // Policies were made here to see that they can be; from here on their threads answer for them.
  leftovers.areTold = true;
  const sum = (of: (one: Prepared) => number): number => all.reduce((total, one) => total + of(one), 0);
  const jobs = sum(({ runs, steps }) => runs + steps);
  const pool = await RunPool.open<ComparisonItem>(Math.min(cores, jobs));
  const progress = new RunsProgress<ComparisonItem>(pool, {
    total: sum(({ runs }) => runs),
    steps: sum(({ steps }) => steps),
    nameOf: ({ scenario, what, seed }) => `${scenario} ${what}${seed === undefined ? '' : ` ${seed}`}`,
  });
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  try {
    return await Promise.all(all.map((one) => compareScenario(one, pool, progress, target, version, stopped)));
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    progress.stop();
    await pool.close();
  }
}

async function compareScenario(
  { scenario, file, catalogue, choices, labels, seeds, thresholds, knobs, pipe }: Prepared,
  pool: RunPool<ComparisonItem>,
  progress: RunsProgress<ComparisonItem>,
  target: OutFolder | undefined,
  version: string,
  signal: AbortSignal,
): Promise<Told> {
  const folder = target === undefined ? undefined : join(target.partial, fileName(scenario.name));
  if (folder !== undefined) await makeFolder(folder);
  const onCores = new ComparisonOnCores(pool, scenario, {
    catalogue,
    file,
    signal,
    onStep: () => {
      progress.step();
    },
  });
  const onRun = (run: ComparedRun, seconds: number): void => {
    const { arrived } = run.result.total;
    progress.done(
      `${scenario.name}, seed ${run.seed}, ${run.strategy}: ${count(arrived)} requests over ` +
        `${time(run.result.durationMs)} in ${decimal(seconds, 1)} s`,
      arrived,
    );
  };
  const journals = folder === undefined ? undefined : journalPaths(folder, labels, seeds);
  const [runs, gaps, bounds, turned] = await Promise.all([
    onCores.runs(choices, seeds, {
      onRun,
      ...(journals === undefined
        ? {}
        : { record: true, journalOf: (strategy, seed) => journals.get(runOf(strategy, seed))! }),
    }),
    gapSensitivity(onCores, thresholds, seeds[0]!, onRun),
    Promise.all(
      pipe ? [] : seeds.map(async (seed): Promise<[number | string, LowerBound]> => [seed, await onCores.bound(seed)]),
    ),
    Promise.all(
      knobs.map((knob) =>
        knob === undefined
          ? Promise.resolve([])
          : onCores.runs(
              knob.levels.map(({ choice }) => choice),
              seeds,
              { onRun },
            ),
      ),
    ),
  ]);
  const byBound = new Map(bounds);
  const comparison = compareRuns(runs, byBound);
  const settings = knobs.length === 0 ? [] : turnedKnobs(labels, knobs, runs, turned);
  const said = verdict(scenario, runs, comparison, byBound, settings);
  const curves = paretoCurves(settings);
  const facts = comparisonFacts(scenario, comparison, version, choices);
  const report = {
    scenario: scenario.name,
    description: scenario.description,
    verdict: said,
    facts: Object.fromEntries(facts),
    bound: Object.fromEntries(byBound),
    ...comparison,
    gapThresholds: gaps,
    ...(curves.length === 0 ? {} : { pareto: curves }),
    runs: runs.map(({ record: _, ...run }) => run),
  };
  if (folder !== undefined) {
    await replaceFile(join(folder, 'comparison.json'), `${JSON.stringify(report, null, 2)}\n`);
    await replaceFile(
      join(folder, 'report.html'),
      await comparisonPage({ scenario, runs, comparison, gaps, turned: settings, bounds: byBound, version, choices }),
    );
  }
  const text = [
    `${scenario.name}${scenario.description === undefined ? '' : `: ${scenario.description}`}\n`,
    `${said.join('\n')}\n`,
    `${facts.map(([name, value]) => `${name.padEnd(FACT_WIDTH)}${value}`).join('\n')}\n`,
    comparisonText(comparison),
    ...(curves.length === 0 ? [] : [`\n${paretoText(curves)}`]),
    `\n${seedsNote(scenario, comparison)}`,
    ...gaps.map(
      ({ threshold, gpuHours, ttftP90Ms }) =>
        `gap threshold ${threshold}: ${decimal(gpuHours)} GPU-hours, TTFT p90 of IW-F ${time(ttftP90Ms)}`,
    ),
  ].join('\n');
  return { report, text };
}

/** A strategy as it is compared is one of its settings too. */
function turnedKnobs(
  labels: readonly string[],
  knobs: readonly (KnobSettings | undefined)[],
  runs: readonly ComparedRun[],
  turned: readonly (readonly ComparedRun[])[],
): TurnedKnob[] {
  return labels.map((strategy, c) => {
    const knob = knobs[c];
    return {
      strategy,
      option: knob?.option,
      settings: [
        { value: undefined, runs: runs.filter((run) => run.strategy === strategy) },
        // Seed by seed, and in each seed level by level.
        ...(knob?.levels.map(({ value }, l) => ({
          value,
          runs: turned[c]!.filter((_, i) => i % knob.levels.length === l),
        })) ?? []),
      ],
    };
  });
}

/** LT-UA under several gap thresholds, one seed. */
async function gapSensitivity(
  onCores: ComparisonOnCores,
  thresholds: readonly number[],
  seed: number | string,
  onRun: (run: ComparedRun, busySeconds: number) => void,
): Promise<GapPoint[]> {
  const choices = thresholds.map((growFrom) => ({ name: 'lt-ua', growFrom }));
  const runs = await onCores.runs(choices, [seed], { onRun });
  return runs.map(({ result }, i) => ({
    threshold: thresholds[i]!,
    gpuHours: result.capacity.gpuHours,
    ttftP90Ms: result.byTier['interactive-fast']?.ttftMs.p90,
  }));
}

const FACT_WIDTH = 11;
/** So much of a strategy's label stands in a file's name, before the seed. */
const MOST_OF_LABEL = 90;

const runOf = (strategy: string, seed: number | string): string => JSON.stringify([strategy, seed]);

/** A file for the journal of each run. */
function journalPaths(
  folder: string,
  labels: readonly string[],
  seeds: readonly (number | string)[],
): ReadonlyMap<string, string> {
  const names = new FileNames();
  const paths = new Map<string, string>();
  for (const seed of seeds)
    for (const label of labels) {
      const name = names.take(`journal-${fileName(label).slice(0, MOST_OF_LABEL)}-${seed}`);
      paths.set(runOf(label, seed), join(folder, `${name}.jsonl`));
    }
  return paths;
}
