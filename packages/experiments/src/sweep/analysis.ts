import { DEFAULT_OBJECTIVES, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import { estimate, type Estimate } from '../compare/statistics.js';
import type { ParameterValue } from './parameters.js';
import type { FinishedRun } from './sweep-folder.js';

/** One setting of a sweep, over its seeds. */
export interface SweepSetting {
  readonly scenario: string;
  readonly strategy: string;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly seeds: number;
  readonly gpuHours: Estimate;
  /**
   * Attainment of the interactive tier that stands the worst against its target. Non-interactive
   * work counts only for whether objectives are met, unless there is nothing else.
   */
  readonly attainment: Estimate;
  /** Target of that tier. */
  readonly target: number;
  /** How far the worst tier of all is above its target: below 0 where an objective is missed. */
  readonly margin: number;
  readonly meetsObjectives: boolean;
  /** No other setting of its scenario has both fewer GPU-hours and more attainment. */
  readonly onFront: boolean;
  readonly measures: Readonly<Record<string, Estimate>>;
}

/** What a level of a parameter does by itself: means over everything else. */
export interface MainEffect {
  readonly scenario: string;
  readonly parameter: string;
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
   * By scenario: the cheapest setting that meets every objective, or, where none does, the one that
   * comes nearest.
   */
  readonly best: Readonly<Record<string, SweepSetting>>;
}

/** Shares that tiers must reach, by the key of the run: a sweep may vary them. */
export type AttainmentTargets = Readonly<Record<string, Readonly<Record<string, number>>>>;

interface Attained {
  readonly attainment: number;
  readonly target: number;
  readonly margin: number;
}

/**
 * What stands the worst against its target: of the interactive tiers, and of all; undefined for a
 * run without requests.
 */
function attainedBy(run: FinishedRun, targets: AttainmentTargets): Attained | undefined {
  const of = (tier: WorkloadTier): Attained[] => {
    const attainment = run.measures[`${tier}/slo`];
    if (attainment === null || attainment === undefined) return [];
    const target = targets[run.key]?.[tier] ?? DEFAULT_OBJECTIVES[tier].attainmentTarget;
    return [{ attainment, target, margin: attainment - target }];
  };
  const worst = (all: readonly Attained[]): Attained | undefined => all.toSorted((a, b) => a.margin - b.margin)[0];
  const all = WORKLOAD_TIERS.flatMap(of);
  const shown = worst(WORKLOAD_TIERS.filter((tier) => tier !== 'non-interactive').flatMap(of)) ?? worst(all);
  return shown === undefined ? undefined : { ...shown, margin: worst(all)!.margin };
}

/**
 * Settings, the Pareto front of GPU-hours against SLO attainment, the effect of each parameter by
 * itself, and the best setting of each scenario.
 */
export function analyseSweep(runs: readonly FinishedRun[], targets: AttainmentTargets = {}): SweepAnalysis {
  const groups = new Map<string, FinishedRun[]>();
  for (const run of runs) {
    if (attainedBy(run, targets) === undefined) continue;
    const id = JSON.stringify([run.scenario, run.strategy, run.parameters]);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [run]);
    else group.push(run);
  }
  const plain = [...groups.values()].map((own) => settingOf(own, targets));
  const front = frontOf(plain);
  const settings = plain.map((one) => ({ ...one, onFront: front.has(one) }));
  const scenarios = [...new Set(settings.map(({ scenario }) => scenario))];
  return {
    settings,
    effects: scenarios.flatMap((scenario) =>
      effectsOf(
        scenario,
        settings.filter((one) => one.scenario === scenario),
      ),
    ),
    best: Object.fromEntries(
      scenarios.map((scenario) => [scenario, bestOf(settings.filter((one) => one.scenario === scenario))]),
    ),
  };
}

type PlainSetting = Omit<SweepSetting, 'onFront'>;

/**
 * Those that no other of their scenario beats: from the cheapest on, each that attains more than
 * all that cost less, and as much as any that costs the same.
 */
function frontOf(settings: readonly PlainSetting[]): Set<PlainSetting> {
  const front = new Set<PlainSetting>();
  const best = new Map<string, { attainment: number; gpuHours: number }>();
  for (const one of settings.toSorted(
    (a, b) => a.gpuHours.mean - b.gpuHours.mean || b.attainment.mean - a.attainment.mean,
  )) {
    const [gpuHours, attainment] = [one.gpuHours.mean, one.attainment.mean];
    const so = best.get(one.scenario);
    if (
      so !== undefined &&
      !(attainment > so.attainment) &&
      !(attainment === so.attainment && gpuHours === so.gpuHours)
    )
      continue;
    front.add(one);
    best.set(one.scenario, { attainment, gpuHours });
  }
  return front;
}

function settingOf(runs: readonly FinishedRun[], targets: AttainmentTargets): PlainSetting {
  const { scenario, strategy, parameters } = runs[0]!;
  const attained = runs.map((run) => attainedBy(run, targets)!);
  const margin = mean(attained.map((one) => one.margin));
  const measures: Record<string, Estimate> = {};
  for (const key of Object.keys(runs[0]!.measures)) {
    const value = estimate(runs.map((run) => run.measures[key] ?? undefined));
    if (value !== undefined) measures[key] = value;
  }
  return {
    scenario,
    strategy,
    parameters,
    seeds: runs.length,
    gpuHours: measures['gpu-hours']!,
    attainment: estimate(attained.map((one) => one.attainment))!,
    target: mean(attained.map((one) => one.target)),
    margin,
    meetsObjectives: margin >= 0,
    measures,
  };
}

/**
 * Strategy and every parameter with more than one level; a level's mean is over the settings that
 * have it, each counted once.
 */
function effectsOf(scenario: string, settings: readonly SweepSetting[]): MainEffect[] {
  const names = ['strategy', ...new Set(settings.flatMap(({ parameters }) => Object.keys(parameters)))];
  return names.flatMap((parameter) => {
    const levelOf = (one: SweepSetting): ParameterValue | undefined =>
      parameter === 'strategy' ? one.strategy : one.parameters[parameter];
    const byLevel = new Map<ParameterValue, SweepSetting[]>();
    for (const one of settings) {
      const value = levelOf(one);
      if (value === undefined) continue;
      const group = byLevel.get(value);
      if (group === undefined) byLevel.set(value, [one]);
      else group.push(one);
    }
    if (byLevel.size < 2) return [];
    return [
      {
        scenario,
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

function bestOf(settings: readonly SweepSetting[]): SweepSetting {
  const able = settings.filter((one) => one.meetsObjectives);
  if (able.length > 0) return able.reduce((best, one) => (one.gpuHours.mean < best.gpuHours.mean ? one : best));
  return settings.reduce((best, one) => (one.margin > best.margin ? one : best));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
