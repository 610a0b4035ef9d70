import { WORKLOAD_TIERS } from '@sageserve/core';
import type { Scenario } from '@sageserve/scenario';
import { count, decimal, percent, plural, threeDigits } from '../format.js';
import { meanAttainments, meetsObjectives, missed, worstAttainment } from './attainment.js';
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
  const usd = (strategy: string): number => mean(of(strategy).map(({ result }) => result.atEqualWork.costUsd));
  const ownRate = (strategy: string): number =>
    mean(of(strategy).map(({ result }) => result.atOwnRate?.gpuHours ?? Infinity));
  const bill = (strategy: string): number => mean(of(strategy).map(({ result }) => result.bill.netUsd));
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
    `${count(strategies.length)} ${strategies.length === 1 ? 'strategy' : 'strategies'} on ${scenario.name}: ${plural(arrived, 'request')} for ` +
    `${plural(scenario.models.length, 'model')} in ${plural(scenario.regions.length, 'region')}, up to ` +
    `${plural(instances, 'instance')}, ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`}.`;
  const runnable = strategies.filter((name) => of(name).every(({ foresight }) => !foresight));
  const isAble = (name: string): boolean => meetsObjectives(meanAttainments(of(name)));
  return [compared, foundText(), notShownText()];

  function foundText(): string {
    const others = runnable.length < strategies.length ? ' that can be run' : '';
    if (runs.every(({ attainments }) => attainments.length === 0)) return 'Nothing arrived that has an objective.';
    if (runnable.length === 0) return 'Whoever was compared sees the future: nobody can run that.';
    if (cheapest === undefined) {
      const worst = new Map(runnable.map((name) => [name, worstAttainment(meanAttainments(of(name)))!]));
      const nearest = runnable.reduce((a, b) => (missed(worst.get(b)!) < missed(worst.get(a)!) ? b : a));
      const one = worst.get(nearest)!;
      return (
        `${others === '' ? 'None of them' : `None${others}`} meets every model's objectives; ${nearest} comes nearest, with ` +
        `${percent(one.attainment)} of ${one.modelId} ${TIER_LABELS[one.tier]} where ${percent(one.target)} are to be.`
      );
    }
    const able = runnable.filter(isAble);
    const next = able.filter((name) => name !== cheapest).toSorted((a, b) => hours(a) - hours(b))[0];
    const own = hours(cheapest);
    const bound = mean([...bounds.values()].map(({ gpuHours }) => gpuHours));
    const distances = [
      ...(bound > 0 ? [`${decimal(own / bound, 2)} times the bound`] : []),
      ...(strategies.includes('clairvoyant')
        ? [`${decimal(own / hours('clairvoyant'), 2)} times clairvoyant, which sees the future`]
        : []),
    ];
    const nobody = runnable.length === 1 ? `no other${others} was compared` : `no other${others} does`;
    return (
      `At equal work ${cheapest} is the cheapest of those that meet every model's objectives, with ` +
      `${threeDigits(own)} GPU-hours${next === undefined ? `; ${nobody}` : `, ${under(own, hours(next))} ${next}, the next${billText(next)}`}` +
      `${distances.length === 0 ? '' : `; that is ${distances.join(' and ')}`}${ownRateText(able)}${dollarsText(able)}.`
    );
  }

  /** What is left of the saving where donated GPUs are paid for. */
  function billText(next: string): string {
    if (
      !of(cheapest!)
        .concat(of(next))
        .some(({ result }) => result.spotGpuHours > 0)
    )
      return '';
    const [own, other] = [bill(cheapest!), bill(next)];
    return ` (${under(own, other)} it in a bill with donated GPUs)`;
  }

  /** Who puts much off is charged the least for it: whether that is what decides. */
  function ownRateText(able: readonly string[]): string {
    const least = able.reduce((a, b) => (ownRate(b) < ownRate(a) ? b : a));
    if (least === cheapest || !(ownRate(least) < ownRate(cheapest!) * (1 - SAME))) return '';
    return (
      `; if what was left to do took what the rest did ${least} is, with ${threeDigits(ownRate(least))} against ` +
      threeDigits(ownRate(cheapest!))
    );
  }

  /** Where GPUs have different prices, the fewest hours may not cost the least. */
  function dollarsText(able: readonly string[]): string {
    const least = able.reduce((a, b) => (usd(b) < usd(a) ? b : a));
    if (least === cheapest || !(usd(least) < usd(cheapest!) * (1 - SAME))) return '';
    return `; in dollars ${least} is, with $${threeDigits(usd(least))} against $${threeDigits(usd(cheapest!))}`;
  }

  function notShownText(): string {
    const missing = strategies.filter((name) => !isAble(name));
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

/** What is within this of one another is called the same. */
const SAME = 0.00005;

/** `9.09 % under`, `2.00 % over`, or `as much as`. */
function under(own: number, other: number): string {
  const share = other === 0 ? 0 : 1 - own / other;
  if (Math.abs(share) < SAME) return 'as much as';
  return share > 0 ? `${percent(share)} under` : `${percent(-share)} over`;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
