import { DEFAULT_OBJECTIVES, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import { estimate, type Estimate } from '../compare/statistics.js';
import { isCellKey } from './cells.js';
import { type ParameterValue, parametersText } from './parameters.js';
import type { FinishedRun } from './sweep-folder.js';

/** One setting of a sweep, over its seeds. */
export interface SweepSetting {
  readonly scenario: string;
  /** What was given and not chosen: settings under one condition stand beside one another. */
  readonly condition: Readonly<Record<string, ParameterValue>>;
  /** Scenario and condition in words. */
  readonly group: string;
  readonly strategy: string;
  /** What was chosen. */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly seeds: number;
  /** At equal work. */
  readonly gpuHours: Estimate;
  /**
   * Attainment of the model and interactive tier that stands the worst against its target.
   * Non-interactive work counts only for whether objectives are met, unless there is nothing else.
   */
  readonly attainment: Estimate;
  /** Target of that tier. */
  readonly target: number;
  /** Attainment of the model and tier of all that stands the worst against its target. */
  readonly worst: Estimate;
  /** How far that is above its target: below 0 where it is missed. */
  readonly margin: number;
  readonly meetsObjectives: boolean;
  /** Whether its strategy sees the future: nobody can choose it. */
  readonly foresight: boolean;
  /** No other setting of its group has both fewer GPU-hours and more attainment. */
  readonly onFront: boolean;
  readonly measures: Readonly<Record<string, Estimate>>;
}

/** What a level of a parameter does by itself: means over everything else. */
export interface MainEffect {
  readonly scenario: string;
  /** Of a knob, the group within which it is turned; of a condition, the scenario. */
  readonly group: string;
  readonly parameter: string;
  /** Whether it is given and not chosen. */
  readonly isCondition: boolean;
  readonly levels: readonly {
    readonly value: ParameterValue;
    readonly runs: number;
    readonly gpuHours: number;
    readonly attainment: number;
  }[];
}

export interface SweepAnalysis {
  readonly settings: readonly SweepSetting[];
  readonly effects: readonly MainEffect[];
  /**
   * By group: the cheapest setting that meets every objective, or, where none does, the one that
   * comes nearest; of strategies that see the future only where there are no others.
   */
  readonly best: Readonly<Record<string, SweepSetting>>;
}

/** Shares that tiers must reach, by the key of the run: a sweep may vary them. */
export type AttainmentTargets = Readonly<Record<string, Readonly<Record<string, number>>>>;

interface Cell {
  readonly attainment: number;
  readonly target: number;
  readonly margin: number;
}

interface Attained extends Cell {
  /** Of all tiers. */
  readonly worst: Cell;
}

/**
 * What stands the worst against its target: of the interactive tiers, and of all; undefined for a
 * run without requests.
 */
function attainedBy(run: FinishedRun, targets: AttainmentTargets): Attained | undefined {
  const cells = Object.entries(run.measures).filter(([key]) => isCellKey(key));
  const of = (tier: WorkloadTier): Cell[] => {
    const target = targets[run.key]?.[tier] ?? DEFAULT_OBJECTIVES[tier].attainmentTarget;
    return cells.flatMap(([key, attainment]) =>
      key.endsWith(`/${tier}`) && attainment !== null ? [{ attainment, target, margin: attainment - target }] : [],
    );
  };
  const worst = (all: readonly Cell[]): Cell | undefined => all.toSorted((a, b) => a.margin - b.margin)[0];
  const all = WORKLOAD_TIERS.flatMap(of);
  const shown = worst(WORKLOAD_TIERS.filter((tier) => tier !== 'non-interactive').flatMap(of)) ?? worst(all);
  return shown === undefined ? undefined : { ...shown, worst: worst(all)! };
}

/**
 * Settings, and under each condition of each scenario the Pareto front of GPU-hours against SLO
 * attainment, the effect of each knob by itself, and the best setting. `isCondition` tells
 * conditions from knobs by their paths, `foresees` which strategies see the future.
 */
export function analyseSweep(
  runs: readonly FinishedRun[],
  targets: AttainmentTargets = {},
  isCondition: (path: string) => boolean = () => false,
  foresees: (scenario: string, strategy: string) => boolean = () => false,
): SweepAnalysis {
  const bySetting = new Map<string, FinishedRun[]>();
  for (const run of runs) {
    if (attainedBy(run, targets) === undefined) continue;
    const id = JSON.stringify([run.scenario, run.strategy, byPath(Object.entries(run.parameters))]);
    const own = bySetting.get(id);
    if (own === undefined) bySetting.set(id, [run]);
    else own.push(run);
  }
  const plain = [...bySetting.values()].map((own) => settingOf(own, targets, isCondition, foresees));
  const front = frontOf(plain);
  const settings = plain.map((one) => ({ ...one, onFront: front.has(one) }));
  const inGroup = by(settings, ({ group }) => group);
  return {
    settings,
    effects: [
      ...[...inGroup.values()].flatMap((own) => {
        const { scenario, group } = own[0]!;
        const about = { scenario, group, isCondition: false };
        return effectsOf(own, about, ({ strategy, parameters }) => ({ strategy, ...parameters }));
      }),
      ...[...by(settings, ({ scenario }) => scenario)].flatMap(([scenario, own]) =>
        effectsOf(own, { scenario, group: scenario, isCondition: true }, ({ condition }) => condition),
      ),
    ],
    best: Object.fromEntries([...inGroup].map(([group, own]) => [group, bestOf(own)])),
  };
}

const byPath = <T>(entries: readonly (readonly [path: string, value: T])[]): (readonly [string, T])[] =>
  entries.toSorted(([a], [b]) => (a < b ? -1 : 1));

type PlainSetting = Omit<SweepSetting, 'onFront'>;

function by<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

/**
 * Those that no other of their group beats, but for those that see the future: from the cheapest
 * on, each that attains more than all before it. Of several that tie in both none beats another.
 */
function frontOf(settings: readonly PlainSetting[]): Set<PlainSetting> {
  const front = new Set<PlainSetting>();
  const best = new Map<string, { attainment: number; gpuHours: number }>();
  const runnable = settings.filter(({ foresight }) => !foresight);
  for (const one of runnable.toSorted(
    (a, b) => a.gpuHours.mean - b.gpuHours.mean || b.attainment.mean - a.attainment.mean,
  )) {
    const [gpuHours, attainment] = [one.gpuHours.mean, one.attainment.mean];
    const so = best.get(one.group);
    if (
      so !== undefined &&
      !(attainment > so.attainment) &&
      !(attainment === so.attainment && gpuHours === so.gpuHours)
    )
      continue;
    front.add(one);
    best.set(one.group, { attainment, gpuHours });
  }
  return front;
}

function settingOf(
  runs: readonly FinishedRun[],
  targets: AttainmentTargets,
  isCondition: (path: string) => boolean,
  foresees: (scenario: string, strategy: string) => boolean,
): PlainSetting {
  const { scenario, strategy, parameters: varied } = runs[0]!;
  const entries = Object.entries(varied);
  // In one order, whoever gave them: the same condition is one group.
  const condition = Object.fromEntries(byPath(entries.filter(([path]) => isCondition(path))));
  const attained = runs.map((run) => attainedBy(run, targets)!);
  const margin = mean(attained.map((one) => one.worst.margin));
  const measures: Record<string, Estimate> = {};
  for (const key of Object.keys(runs[0]!.measures)) {
    const value = estimate(runs.map((run) => run.measures[key] ?? undefined));
    if (value !== undefined) measures[key] = value;
  }
  const given = parametersText(condition);
  return {
    scenario,
    condition,
    group: given === '' ? scenario : `${scenario} · ${given}`,
    strategy,
    parameters: Object.fromEntries(entries.filter(([path]) => !isCondition(path))),
    seeds: runs.length,
    gpuHours: measures['equal-gpu-hours']!,
    attainment: estimate(attained.map((one) => one.attainment))!,
    target: mean(attained.map((one) => one.target)),
    worst: estimate(attained.map((one) => one.worst.attainment))!,
    margin,
    meetsObjectives: margin >= 0,
    foresight: foresees(scenario, strategy),
    measures,
  };
}

/**
 * What `levelsOf` names and has more than one level; a level's mean is over the settings that have
 * it, each counted once.
 */
function effectsOf(
  settings: readonly SweepSetting[],
  about: Pick<MainEffect, 'scenario' | 'group' | 'isCondition'>,
  levelsOf: (one: SweepSetting) => Readonly<Record<string, ParameterValue>>,
): MainEffect[] {
  const names = [...new Set(settings.flatMap((one) => Object.keys(levelsOf(one))))];
  return names.flatMap((parameter) => {
    const byLevel = new Map<ParameterValue, SweepSetting[]>();
    for (const one of settings) {
      const value = levelsOf(one)[parameter];
      if (value === undefined) continue;
      const group = byLevel.get(value);
      if (group === undefined) byLevel.set(value, [one]);
      else group.push(one);
    }
    if (byLevel.size < 2) return [];
    return [
      {
        ...about,
        parameter,
        levels: [...byLevel].map(([value, own]) => ({
          value,
          runs: own.reduce((sum, { seeds }) => sum + seeds, 0),
          gpuHours: mean(own.map(({ gpuHours }) => gpuHours.mean)),
          attainment: mean(own.map(({ attainment }) => attainment.mean)),
        })),
      },
    ];
  });
}

function bestOf(all: readonly SweepSetting[]): SweepSetting {
  const runnable = all.filter(({ foresight }) => !foresight);
  const settings = runnable.length > 0 ? runnable : all;
  const able = settings.filter((one) => one.meetsObjectives);
  const cheaper = (a: SweepSetting, b: SweepSetting): SweepSetting => (b.gpuHours.mean < a.gpuHours.mean ? b : a);
  if (able.length > 0) return able.reduce(cheaper);
  const most = settings.reduce((least, { margin }) => Math.max(least, margin), -Infinity);
  return settings.filter(({ margin }) => margin === most).reduce(cheaper);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
