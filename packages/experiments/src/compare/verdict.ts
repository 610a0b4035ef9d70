import { WORKLOAD_TIERS } from '@sageserve/core';
import type { Scenario } from '@sageserve/scenario';
import { count, decimal, percent, plural } from '../format.js';
import { type Attainment, meetsObjectives, missed, worstAttainment } from './attainment.js';
import { type Bounds, type Comparison, TIER_LABELS } from './comparison-rows.js';
import type { ComparedRun } from './run-comparison.js';

/**
 * What a comparison came to in three sentences: what was compared on what, who is cheapest of those
 * that meet every objective and by how much, and what was not shown.
 */
export function verdict(
  scenario: Scenario,
  runs: readonly ComparedRun[],
  { strategies, seeds, cheapest }: Comparison,
  bounds: Bounds = new Map(),
): readonly [compared: string, found: string, notShown: string] {
  const hours = (strategy: string): number => mean(of(strategy).map(({ result }) => result.atEqualWork.gpuHours));
  const of = (strategy: string): ComparedRun[] => runs.filter((run) => run.strategy === strategy);
  const arrived = mean(runs.map(({ result }) => result.total.arrived));
  const instances = scenario.models.reduce(
    (sum, model) =>
      sum +
      model.deployments.reduce((most, { maxInstances }) => most + maxInstances, 0) *
        (model.regions?.length ?? scenario.regions.length),
    0,
  );
  const compared =
    `${count(strategies.length)} ${strategies.length === 1 ? 'strategy' : 'strategies'} on ${scenario.name}: ${count(arrived)} requests for ` +
    `${plural(scenario.models.length, 'model')} in ${plural(scenario.regions.length, 'region')}, up to ` +
    `${count(instances)} instances, ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`}.`;
  return [compared, foundText(), notShownText()];

  function foundText(): string {
    if (cheapest === undefined) {
      const candidates = runs.filter(({ foresight, attainments }) => !foresight && attainments.length > 0);
      if (candidates.length === 0) return 'Nothing arrived that has an objective.';
      const worst = (run: ComparedRun): Attainment => worstAttainment(run.attainments)!;
      const nearest = candidates.reduce((a, b) => (missed(worst(b)) < missed(worst(a)) ? b : a));
      const one = worst(nearest);
      return (
        `None of them meets every model's objectives; ${nearest.strategy} comes nearest, with ` +
        `${percent(one.attainment)} of ${one.modelId} ${TIER_LABELS[one.tier]} where ${percent(one.target)} are to be.`
      );
    }
    const next = strategies
      .filter(
        (name) => name !== cheapest && of(name).every((run) => !run.foresight && meetsObjectives(run.attainments)),
      )
      .sort((a, b) => hours(a) - hours(b))[0];
    const own = hours(cheapest);
    const bound = mean([...bounds.values()].map(({ gpuHours }) => gpuHours));
    const distances = [
      ...(bound > 0 ? [`${decimal(own / bound, 2)} times the bound`] : []),
      ...(strategies.includes('clairvoyant')
        ? [`${decimal(own / hours('clairvoyant'), 2)} times clairvoyant, which sees the future`]
        : []),
    ];
    return (
      `At equal work ${cheapest} is the cheapest of those that meet every model's objectives, with ` +
      `${count(own)} GPU-hours${next === undefined ? '; no other does' : `, ${percent(1 - own / hours(next))} under ${next}, the next`}` +
      `${distances.length === 0 ? '' : `; that is ${distances.join(' and ')}`}.`
    );
  }

  function notShownText(): string {
    const missing = strategies.filter((name) => of(name).some(({ attainments }) => !meetsObjectives(attainments)));
    const unused = WORKLOAD_TIERS.filter((tier) => runs.every(({ result }) => result.byTier[tier] === undefined));
    const notes = [
      ...(missing.length > 0
        ? [`what ${missing.join(', ')} would cost with objectives met, which they are not here`]
        : []),
      ...(bounds.size === 0 ? ['how far that is from what nothing can hold less than'] : []),
      ...(seeds.length === 1 ? ['how much of the difference is this one seed'] : []),
      ...(scenario.traffic.trace === undefined ? [] : ['other days than those of the trace, which no seed changes']),
      ...(unused.length > 0
        ? [`${unused.map((tier) => TIER_LABELS[tier]).join(' and ')} requests, of which there are none`]
        : []),
      'strategies with other options than these',
    ];
    return `Not shown: ${notes.join('; ')}.`;
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
