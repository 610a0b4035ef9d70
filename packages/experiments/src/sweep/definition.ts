import { basename, dirname, extname, resolve } from 'node:path';
import { ConfigError, murmur3x86128, oddArithmetic, Pacer } from '@sageserve/core';
import { z } from 'zod';
import { DEFAULT_CATALOGUE, loadPlugins, plainName, type PolicyChoice, readDocument } from '@sageserve/fleet';
import {
  buildSimulation,
  needsForesight,
  parseScenario,
  preset,
  PRESET_NAMES,
  readScenario,
  readWhole,
  type Scenario,
} from '@sageserve/scenario';
import { InputFiles, type InputFile } from './input-files.js';
import { conditionTest, type ParameterValue, withParameters } from './parameters.js';

const name = plainName;
/** Paths name fields, and are longer than names. */
const pathName = z.string().min(1).max(1_000);
/** A preset or a file. */
const source = z.string().min(1).max(4_096);
const strategy = z.union([name, z.looseObject({ name })]);
const seedList = z
  .array(z.union([z.number().int(), name]))
  .min(1)
  .refine((list) => new Set(list.map(String)).size === list.length, 'must be different from one another');
const seeds = z.union([z.number().int().min(1).max(10_000), seedList]);
const value: z.ZodType<ParameterValue> = z.union([z.number(), z.string().max(10_000), z.boolean()]);
const values = z.record(pathName, value);

/** A sweep file, as the user writes it. */
const sweepSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name: name.optional(),
    description: z.string().optional(),
    scenarios: z
      .array(source)
      .min(1)
      .max(1_000)
      .optional()
      .describe('Presets, or scenario files relative to the sweep file.'),
    strategies: z
      .array(strategy)
      .min(1)
      .max(1_000)
      .optional()
      .describe("Those of each scenario where they aren't given."),
    seeds: seeds
      .optional()
      .describe("How many (5 stands for 1 to 5), or which; that of each scenario where they aren't given."),
    set: values
      .default({})
      .describe(
        'Fields of every scenario, such as duration or traffic.requestsPerDay, or options of a strategy, such as ' +
          'reactive.scaleOutAbove.',
      ),
    parameters: z
      .record(pathName, z.array(value).min(1).max(100_000))
      .default({})
      .describe(
        'What is varied, each with its values: every combination is run. What is of traffic, incidents or ' +
          'objectives is a condition.',
      ),
    conditions: z
      .record(pathName, z.array(value).min(1).max(100_000))
      .default({})
      .describe(
        'The same for what is given and not chosen, such as skus.*.newVm: what is best is told for each condition.',
      ),
    runs: z
      .array(z.strictObject({ scenario: source, strategy, seeds: seeds.optional(), set: values.default({}) }))
      .default([])
      .describe('Single settings, beside or instead of the grid.'),
  })
  .refine((sweep) => sweep.scenarios !== undefined || sweep.runs.length > 0, 'needs scenarios, or runs');

/** The JSON Schema of sweep files, for editors. */
export function sweepJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(sweepSchema, { io: 'input' }),
    $id: 'https://sageserve.dev/sweep.schema.json',
    title: 'SageServe sweep',
  };
}

/** One simulation of a sweep. */
export interface SweepRun {
  /**
   * Stands for everything that the result depends on: the same run has the same key in any sweep.
   */
  readonly key: string;
  readonly scenario: string;
  readonly strategy: string;
  /** What was varied, by its path. */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly seed: number | string;
  readonly task: SweepTask;
}

/** What has to be known to simulate a run, as JSON. */
export interface SweepTask {
  readonly scenario: Scenario;
  readonly choice: PolicyChoice;
  readonly seed: number | string;
  /**
   * The other files that the scenario takes something from, as they were when the sweep was read.
   */
  readonly inputs: readonly InputFile[];
}

export interface Sweep {
  readonly name: string;
  readonly description: string | undefined;
  readonly runs: readonly SweepRun[];
  /** Whether the path of a parameter is of what is given, and not of what is chosen. */
  readonly isCondition: (path: string) => boolean;
  /** Whether a strategy of a scenario, both as runs name them, sees the future. */
  readonly foresees: (scenario: string, strategy: string) => boolean;
}

/**
 * Reads a sweep file and works out its runs, each once. Every fleet is built once, so that what
 * cannot work is found before anything runs. Throws `ConfigError` and `SageServeError` as scenarios
 * do.
 */
export async function readSweep(file: string, version: string, signal?: AbortSignal): Promise<Sweep> {
  const document = await readDocument(file, sweepSchema, 'sweep', { read: readWhole });
  const pacer = new Pacer();
  const runs = new Map<string, SweepRun>();
  const files = new InputFiles();
  const known = new Map<string, Promise<Scenario>>();
  const sourceOf = new Map<string, { readonly source: string; readonly named: string }>();
  const scenarioNamed = async (named: string): Promise<Scenario> => {
    // One file may be named in several ways.
    const source = PRESET_NAMES.includes(named) ? named : resolve(dirname(file), named);
    const found = known.get(source) ?? open(named, file);
    known.set(source, found);
    const scenario = await found;
    const other = sourceOf.get(scenario.name) ?? { source, named };
    sourceOf.set(scenario.name, other);
    if (other.source !== source)
      throw new ConfigError('scenarios', `${other.named} and ${named} are both called "${scenario.name}"`, {
        hint: 'Give each file a name of its own: results are told apart by it.',
      });
    return scenario;
  };
  // An engine whose arithmetic differs gives other figures.
  const odd = oddArithmetic();
  const arithmetic = odd === undefined ? [] : [odd];
  const checked = new Set<string>();
  const seers = new Set<string>();
  const add = async (
    base: Scenario,
    given: PolicyChoice,
    set: Readonly<Record<string, ParameterValue>>,
    varied: Readonly<Record<string, ParameterValue>>,
    own: z.output<typeof seeds> | undefined,
  ): Promise<void> => {
    const choice = plainChoice(given);
    const names = [...(document.strategies ?? base.strategies), ...document.runs.map((one) => one.strategy)].map(
      nameOf,
    );
    const made = withParameters(
      base,
      choice,
      { ...set, ...varied },
      names.filter((other) => other !== nameOf(choice)),
    );
    const parsed = parseScenario(made.scenario);
    const { trace } = parsed.traffic;
    // A trace that the sweep names is taken relative to it, as one that a scenario names is to
    // that.
    const scenario =
      trace === undefined
        ? parsed
        : { ...parsed, traffic: { ...parsed.traffic, trace: resolve(dirname(file), trace) } };
    const setting = JSON.stringify([scenario, made.choice]);
    if (pacer.due) await pacer.turn(signal);
    const settingHash = hashOf(setting);
    if (!checked.has(settingHash)) {
      const catalogue = await loadPlugins(scenario, undefined, DEFAULT_CATALOGUE);
      buildSimulation(scenario, made.choice, catalogue);
      if (needsForesight(scenario, made.choice, catalogue)) seers.add(JSON.stringify([scenario.name, labelOf(choice)]));
    }
    checked.add(settingHash);
    const inputs = await files.of(scenario);
    const list =
      own === undefined
        ? [scenario.seed]
        : typeof own === 'number'
          ? Array.from({ length: own }, (_, i) => i + 1)
          : own;
    for (const seed of list) {
      // Where a file lies does not matter, only what is in it.
      const key = hashOf(JSON.stringify([version, setting, inputs.map(({ hash }) => hash), seed, ...arithmetic]));
      const task = { scenario, choice: made.choice, seed, inputs };
      if (!runs.has(key))
        runs.set(key, { key, scenario: scenario.name, strategy: labelOf(choice), parameters: varied, seed, task });
    }
  };
  const sources: Scenario[] = [];
  // One after the other: of two with one name, the second is at fault.
  for (const one of document.scenarios ?? []) sources.push(await scenarioNamed(one));
  const strategies = [
    ...(document.strategies ?? sources.flatMap((one) => one.strategies)),
    ...document.runs.map((one) => one.strategy),
  ];
  const varied = variedBy(document, strategies);
  await refuseTooMany({ ...document, parameters: varied }, scenarioNamed);
  for (const scenario of document.scenarios ?? []) {
    const base = await scenarioNamed(scenario);
    for (const choice of document.strategies ?? base.strategies) {
      for (const one of combinations(varied, choice, document.strategies ?? base.strategies))
        await add(base, choice, document.set, one, document.seeds);
    }
  }
  for (const one of document.runs) {
    // What all have anyway tells none of them apart.
    const own = Object.fromEntries(Object.entries(one.set).filter(([path, given]) => document.set[path] !== given));
    await add(await scenarioNamed(one.scenario), one.strategy, document.set, own, one.seeds ?? document.seeds);
  }
  return {
    name: document.name ?? basename(file, extname(file)),
    description: document.description,
    runs: [...runs.values()],
    isCondition: conditionTest(Object.keys(document.conditions)),
    foresees: (scenario, strategy) => seers.has(JSON.stringify([scenario, strategy])),
  };
}

/** Conditions and parameters together. Throws `ConfigError` for a path that can't be both. */
function variedBy(
  { conditions, parameters }: z.output<typeof sweepSchema>,
  strategies: readonly PolicyChoice[],
): Record<string, ParameterValue[]> {
  for (const path of Object.keys(conditions)) {
    const other = Object.keys(parameters).find((one) => meet(path, one));
    if (other !== undefined)
      throw new ConfigError(
        `conditions.${path}`,
        `${other === path ? 'stands under parameters too' : `sets what ${other} sets, under parameters`}: it is one ` +
          'or the other',
      );
    if (strategies.some((one) => path.startsWith(`${nameOf(one)}.`)))
      throw new ConfigError(`conditions.${path}`, 'is an option of a strategy, which is chosen: it is a parameter');
  }
  return { ...conditions, ...parameters };
}

/** Whether two paths may lead to one field, or one of them to what has the other's. */
function meet(one: string, other: string): boolean {
  const [a, b] = [one.split('.'), other.split('.')];
  const isPlace = (name: string): boolean => name === '*' || /^\d+$/.test(name);
  return a.every((name, i) => {
    const theirs = b[i];
    if (theirs === undefined || name === theirs) return true;
    return name === '*' || theirs === '*' || isPlace(name) !== isPlace(theirs);
  });
}

async function open(scenario: string, sweepFile: string): Promise<Scenario> {
  if (PRESET_NAMES.includes(scenario)) return preset(scenario);
  if (!/[./\\]/.test(scenario))
    throw new ConfigError('scenarios', `"${scenario}" is no preset`, {
      hint: `Presets are ${PRESET_NAMES.join(', ')}; a file is named with its ending.`,
    });
  const file = resolve(dirname(sweepFile), scenario);
  const read = await readScenario(file);
  return { ...read, plugins: read.plugins.map((path) => resolve(dirname(file), path)) };
}

/** A table with a name and nothing else means the name. */
const plainChoice = (choice: PolicyChoice): PolicyChoice =>
  typeof choice === 'object' && Object.keys(choice).length === 1 ? choice.name : choice;

const nameOf = (choice: PolicyChoice): string => (typeof choice === 'string' ? choice : choice.name);

/** The name of a strategy with what options it brings. */
function labelOf(choice: PolicyChoice): string {
  if (typeof choice === 'string') return choice;
  const options = Object.entries(choice).filter(([key]) => key !== 'name');
  return options.length === 0
    ? choice.name
    : `${choice.name} ` +
        `(${options.map(([key, option]) => `${key} ${typeof option === 'string' ? option : JSON.stringify(option)}`).join(', ')})`;
}

/** Every setting is held as a scenario of its own: so many characters of JSON together. */
const MOST_CHARACTERS = 1e9;
/** Runs of a sweep at most: more would take a machine for years. */
const MOST_RUNS = 200_000;

/** Counts before anything is made. Throws `ConfigError` for a sweep that is too large. */
async function refuseTooMany(
  document: z.output<typeof sweepSchema>,
  scenarioNamed: (source: string) => Promise<Scenario>,
): Promise<void> {
  const { parameters } = document;
  const seedsOf = (own: z.output<typeof seeds> | undefined): number =>
    own === undefined ? 1 : typeof own === 'number' ? own : own.length;
  let runs = 0;
  let characters = 0;
  const sizes = new Map<string, number>();
  const sizeOf = async (source: string): Promise<number> => {
    const size = sizes.get(source) ?? JSON.stringify(await scenarioNamed(source)).length;
    sizes.set(source, size);
    return size;
  };
  for (const scenario of document.scenarios ?? []) {
    const strategies = document.strategies ?? (await scenarioNamed(scenario)).strategies;
    const size = await sizeOf(scenario);
    for (const choice of strategies) {
      const settings = Object.entries(parameters).reduce(
        (product, [path, list]) => product * (concerns(path, choice, strategies) ? list.length : 1),
        1,
      );
      runs += settings * seedsOf(document.seeds);
      characters += settings * size;
    }
  }
  for (const one of document.runs) {
    runs += seedsOf(one.seeds ?? document.seeds);
    characters += await sizeOf(one.scenario);
  }
  if (runs <= MOST_RUNS && characters > MOST_CHARACTERS)
    throw new ConfigError(
      'scenarios',
      `have ${(characters / 1e9).toFixed(1)} GB of text in all settings together; the most is ` +
        `${MOST_CHARACTERS / 1e9} GB`,
      {
        hint: 'Make sweeps of fewer settings, one after another: several may have one folder.',
      },
    );
  if (runs <= MOST_RUNS) return;
  const lists = Object.entries(parameters).map(([path, list]) => `${list.length} of ${path}`);
  throw new ConfigError(
    lists.length > 0 ? 'parameters' : 'seeds',
    `make ${runs.toLocaleString('en-US')} runs with the scenarios, strategies and seeds; the most is ` +
      MOST_RUNS.toLocaleString('en-US'),
    lists.length > 0 ? { hint: `Values: ${lists.join(', ')}.` } : {},
  );
}

/** Whether a path is one of the scenario or of this strategy, and not of another. */
function concerns(path: string, choice: PolicyChoice, strategies: readonly PolicyChoice[]): boolean {
  const first = path.slice(0, Math.max(0, path.indexOf('.')));
  return first === nameOf(choice) || !strategies.some((other) => nameOf(other) === first);
}

/**
 * Every combination of the parameters that concern a strategy: those of the scenario and its own
 * options.
 */
function combinations(
  parameters: Readonly<Record<string, readonly ParameterValue[]>>,
  choice: PolicyChoice,
  strategies: readonly PolicyChoice[],
): Record<string, ParameterValue>[] {
  let all: Record<string, ParameterValue>[] = [{}];
  for (const [path, list] of Object.entries(parameters)) {
    if (!concerns(path, choice, strategies)) continue;
    all = all.flatMap((one) => list.map((option) => ({ ...one, [path]: option })));
  }
  return all;
}

/** 128 bits as hexadecimal digits. */
function hashOf(text: string): string {
  return [...murmur3x86128(text)].map((word) => word.toString(16).padStart(8, '0')).join('');
}
