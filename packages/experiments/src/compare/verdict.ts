import { WORKLOAD_TIERS } from '@sageserve/core';
import { parseDurationMs } from '@sageserve/fleet';
import type { Scenario } from '@sageserve/scenario';
import { count, decimal, percent, plural, threeDigits, time } from '../format.js';
import { meanAttainments, meetsObjectives, missed, worstAttainment } from './attainment.js';
import { type Bounds, cheapestOf, type Comparison, equalBillUsd, TIER_LABELS } from './comparison-rows.js';
import type { TurnedKnob } from './pareto.js';
import type { ComparedRun } from './run-comparison.js';
import { estimate, type Estimate, SAME } from './statistics.js';

/**
 * What a comparison came to in three sentences: what was compared on what, who is cheapest of those
 * that meet every objective and by how much, and what was not shown. `turned` has what came of
 * strategies with other settings, where that was run too.
 */
export function verdict(
  scenario: Scenario,
  runs: readonly ComparedRun[],
  comparison: Comparison,
  bounds: Bounds = new Map(),
  turned: readonly TurnedKnob[] = [],
): readonly [compared: string, found: string, notShown: string] {
  const one = new Verdict(scenario, runs, comparison, bounds, turned);
  return [one.compared(), one.found(), one.notShown()];
}

class Verdict {
  readonly #scenario: Scenario;
  readonly #runs: readonly ComparedRun[];
  readonly #comparison: Comparison;
  readonly #bounds: Bounds;
  readonly #turned: readonly TurnedKnob[];
  /** Strategies that somebody could run: those that do not see the future. */
  readonly #runnable: readonly string[];

  constructor(
    scenario: Scenario,
    runs: readonly ComparedRun[],
    comparison: Comparison,
    bounds: Bounds,
    turned: readonly TurnedKnob[],
  ) {
    this.#scenario = scenario;
    this.#runs = runs;
    this.#comparison = comparison;
    this.#bounds = bounds;
    this.#turned = turned;
    this.#runnable = comparison.strategies.filter((name) => this.#of(name).every(({ foresight }) => !foresight));
  }

  compared(): string {
    const { name, models, regions } = this.#scenario;
    const { strategies, seeds } = this.#comparison;
    const arrived = mean(this.#runs.map(({ result }) => result.total.arrived));
    const instances = models.reduce(
      (sum, model) =>
        sum +
        model.deployments.reduce((most, { maxInstances }) => most + maxInstances, 0) *
          (model.regions?.length ?? regions.length),
      0,
    );
    return (
      `${count(strategies.length)} ${strategies.length === 1 ? 'strategy' : 'strategies'} on ${name}: ` +
      `${plural(arrived, 'request')} for ${plural(models.length, 'model')} in ${plural(regions.length, 'region')}, ` +
      `up to ${plural(instances, 'instance')}, ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`}.`
    );
  }

  found(): string {
    const { strategies, cheapest } = this.#comparison;
    if (this.#runs.every(({ attainments }) => attainments.length === 0))
      return 'Nothing arrived that has an objective.';
    const others = this.#runnable.length < strategies.length ? ' that can be run' : '';
    if (this.#runnable.length === 0)
      return `Whoever was compared sees the future, which nobody can run${this.#seersText()}.`;
    if (cheapest === undefined) {
      const worst = new Map(this.#runnable.map((name) => [name, worstAttainment(meanAttainments(this.#of(name)))!]));
      const nearest = this.#runnable.reduce((a, b) => (missed(worst.get(b)!) < missed(worst.get(a)!) ? b : a));
      const one = worst.get(nearest)!;
      return (
        `${others === '' ? 'None of them' : `None${others}`} meets every model's objectives; ${nearest} comes nearest, with ` +
        `${percent(one.attainment)} of ${one.modelId} ${TIER_LABELS[one.tier]} where ${percent(one.target)} are to be` +
        `${this.#seersText()}${this.#turnedText()}.`
      );
    }
    const able = this.#runnable.filter((name) => this.#isAble(name));
    const own = this.#hours(cheapest);
    const same = cheapestOf(this.#runs, strategies);
    const [next] = able.filter((name) => !same.includes(name)).toSorted((a, b) => this.#hours(a) - this.#hours(b));
    const nobody = this.#runnable.length === same.length ? `no other${others} was compared` : `no other${others} does`;
    return (
      `At equal work ${this.#winnersText(same)} of those that meet every model's objectives, ` +
      `with ${threeDigits(own)} GPU-hours${same.length > 1 ? ' each' : ''}` +
      (next === undefined ? `; ${nobody}` : `, ${this.#underText(next)}${this.#billText(next)}`) +
      `${this.#distanceText(own)}${this.#ownRateText(able)}${this.#dollarsText(able)}${this.#turnedText()}.`
    );
  }

  notShown(): string {
    const { strategies, seeds } = this.#comparison;
    const { traffic } = this.#scenario;
    const unused = WORKLOAD_TIERS.filter((tier) => this.#runs.every(({ result }) => result.byTier[tier] === undefined));
    const missing = strategies.filter((name) => !this.#isAble(name) && this.#best(name) === undefined);
    const unsure = strategies.filter((name) => this.#isUnsure(name));
    const notes = [
      ...(missing.length > 0
        ? [
            `what ${missing.join(', ')} would cost with objectives met, which ` +
              (this.#turned.length > 0 ? 'no setting that was run does' : 'they are not here'),
          ]
        : []),
      ...(unsure.length > 0
        ? [`whether ${unsure.join(', ')} would meet them with other seeds: the intervals reach across what is to be`]
        : []),
      ...(this.#bounds.size === 0 ? ['how far that is from what nothing can hold less than'] : []),
      ...(seeds.length === 1 && traffic.trace === undefined ? ['how much of the difference is this one seed'] : []),
      ...(traffic.trace === undefined ? [] : ['other days than those of the trace, which no seed changes']),
      ...this.#afterTheEnd(),
      ...(unused.length > 0
        ? [`${unused.map((tier) => TIER_LABELS[tier]).join(' and ')} requests, of which there are none`]
        : []),
      `strategies with other options than these${this.#turned.length > 0 ? ' and their main knobs' : ''}`,
    ];
    return `Not shown: ${notes.join('; ')}.`;
  }

  #of(strategy: string): ComparedRun[] {
    return this.#runs.filter((run) => run.strategy === strategy);
  }

  #mean(strategy: string, measure: (run: ComparedRun) => number): number {
    return mean(this.#of(strategy).map(measure));
  }

  #hours(strategy: string): number {
    return this.#mean(strategy, ({ result }) => result.atEqualWork.gpuHours);
  }

  #isAble(strategy: string): boolean {
    return meetsObjectives(meanAttainments(this.#of(strategy)));
  }

  /** Whether seeds leave it open that a strategy meets its objectives. */
  #isUnsure(strategy: string): boolean {
    const own = this.#of(strategy);
    const cells = meanAttainments(own).map((cell) => {
      const one = estimate(
        own.map(
          ({ attainments }) =>
            attainments.find(({ modelId, tier }) => modelId === cell.modelId && tier === cell.tier)?.attainment,
        ),
      )!;
      const half = one.halfWidth ?? 0;
      const meets = cell.attainment >= cell.target;
      return { meets, unsure: meets ? one.mean - half < cell.target : one.mean + half >= cell.target };
    });
    return cells.some(({ unsure }) => unsure) && cells.every(({ meets, unsure }) => meets || unsure);
  }

  #winnersText(same: readonly string[]): string {
    return same.length === 1
      ? `${same[0]!} is the cheapest`
      : `${same.slice(0, -1).join(', ')} and ${same.at(-1)!} are the cheapest`;
  }

  /** How much less the cheapest takes than the next, and whether the seeds show that. */
  #underText(next: string): string {
    const ratio = this.#ratio(this.#comparison.cheapest!, next);
    const text = `${under(ratio.mean)} ${next}, the next`;
    const { halfWidth = 0 } = ratio;
    if (halfWidth === 0) return text;
    const interval = `±${percent(halfWidth)}`;
    return Math.abs(1 - ratio.mean) <= halfWidth
      ? `${text}, from which ${this.#comparison.seeds.length} seeds do not tell it (${interval})`
      : `${text} (${interval})`;
  }

  /** Seed by seed, since strategies of one have the same traffic. */
  #ratio(strategy: string, base: string): Estimate {
    const theirs = new Map(this.#of(base).map(({ seed, result }) => [seed, result.atEqualWork.gpuHours]));
    return estimate(
      this.#of(strategy).map(({ seed, result }) => {
        const other = theirs.get(seed) ?? 0;
        return other === 0 ? 1 : result.atEqualWork.gpuHours / other;
      }),
    )!;
  }

  #distanceText(hours: number): string {
    const bound = mean([...this.#bounds.values()].map(({ gpuHours }) => gpuHours));
    const distances = [
      ...(bound > 0 ? [`${decimal(hours / bound, 2)} times the bound`] : []),
      ...(this.#comparison.strategies.includes('clairvoyant')
        ? [`${decimal(hours / this.#hours('clairvoyant'), 2)} times clairvoyant, which sees the future`]
        : []),
    ];
    return distances.length === 0 ? '' : `; that is ${distances.join(' and ')}`;
  }

  /** What those who see the future came to, where nobody else meets the objectives. */
  #seersText(): string {
    const able = this.#comparison.strategies.filter((name) => !this.#runnable.includes(name) && this.#isAble(name));
    if (able.length === 0) return this.#runnable.length > 0 ? '' : "; none of them meets every model's objectives";
    const least = able.reduce((a, b) => (this.#hours(b) < this.#hours(a) ? b : a));
    const bound = mean([...this.#bounds.values()].map(({ gpuHours }) => gpuHours));
    return (
      `; ${least}${this.#runnable.length > 0 ? ', which sees the future,' : ''} meets every model's objectives with ` +
      `${threeDigits(this.#hours(least))} GPU-hours` +
      (bound > 0 ? `, ${decimal(this.#hours(least) / bound, 2)} times the bound` : '')
    );
  }

  /** What is left of the saving where donated GPUs are paid for. */
  #billText(next: string): string {
    const cheapest = this.#comparison.cheapest!;
    const both = [...this.#of(cheapest), ...this.#of(next)];
    if (!both.some(({ result }) => result.spotGpuHours > 0)) return '';
    const other = this.#mean(next, equalBillUsd);
    return ` (${under(other === 0 ? 1 : this.#mean(cheapest, equalBillUsd) / other)} it in a bill with donated GPUs)`;
  }

  /** Who puts much off is charged the least for it: whether that is what decides. */
  #ownRateText(able: readonly string[]): string {
    const ownRate = (name: string): number => this.#mean(name, ({ result }) => result.atOwnRate?.gpuHours ?? Infinity);
    const cheapest = ownRate(this.#comparison.cheapest!);
    const least = able.reduce((a, b) => (ownRate(b) < ownRate(a) ? b : a));
    if (!(ownRate(least) < cheapest * (1 - SAME))) return '';
    return (
      `; if what was left to do took what the rest did ${least} is, with ${threeDigits(ownRate(least))} against ` +
      threeDigits(cheapest)
    );
  }

  /** Where GPUs have different prices, the fewest hours may not cost the least. */
  #dollarsText(able: readonly string[]): string {
    const usd = (name: string): number => this.#mean(name, ({ result }) => result.atEqualWork.costUsd);
    const cheapest = usd(this.#comparison.cheapest!);
    const least = able.reduce((a, b) => (usd(b) < usd(a) ? b : a));
    if (!(usd(least) < cheapest * (1 - SAME))) return '';
    return `; in dollars ${least} is, with $${threeDigits(usd(least))} against $${threeDigits(cheapest)}`;
  }

  /** The cheapest setting of a strategy that was run and meets every objective. */
  #best(strategy: string): { readonly text: string; readonly hours: number } | undefined {
    const knob = this.#turned.find((one) => one.strategy === strategy);
    const able = (knob?.settings ?? []).flatMap(({ value, runs }) =>
      value === undefined || runs.length === 0 || !meetsObjectives(meanAttainments(runs))
        ? []
        : [
            {
              text: `${strategy} with ${knob!.option} ${value}`,
              hours: mean(runs.map(({ result }) => result.atEqualWork.gpuHours)),
            },
          ],
    );
    return able.length === 0 ? undefined : able.reduce((a, b) => (b.hours < a.hours ? b : a));
  }

  /** Whether a strategy with its knob turned takes less than the cheapest as they are compared. */
  #turnedText(): string {
    const { cheapest } = this.#comparison;
    const settings = this.#runnable.flatMap((name) => this.#best(name) ?? []).toSorted((a, b) => a.hours - b.hours);
    const [least] = settings;
    if (least === undefined) return '';
    if (cheapest !== undefined && !(least.hours < this.#hours(cheapest) * (1 - SAME))) return '';
    return (
      `; of all settings that were run ${least.text} ` +
      `${cheapest === undefined ? 'meets them with' : 'takes'} the fewest, ${threeDigits(least.hours)}`
    );
  }

  /** What of the scenario's traffic lies after the end of a run. */
  #afterTheEnd(): string[] {
    const { traffic, duration } = this.#scenario;
    if (duration === undefined) return [];
    const endMs = parseDurationMs(duration)!;
    const levels = (traffic.levels ?? []).map(({ at }) => parseDurationMs(at)!).filter((atMs) => atMs >= endMs);
    const firstBurstMs = traffic.burst === undefined ? 0 : parseDurationMs(traffic.burst.offset ?? 0)!;
    return [
      ...levels.map((atMs) => `the change of traffic at ${time(atMs)}, after the end of the run`),
      ...(firstBurstMs >= endMs && firstBurstMs > 0 ? ['a burst, the first being after the end of the run'] : []),
    ];
  }
}

/** `9.09 % under`, `2.00 % over`, or `as much as`. */
function under(ratio: number): string {
  const share = 1 - ratio;
  if (Math.abs(share) < SAME) return 'as much as';
  return share > 0 ? `${percent(share)} under` : `${percent(-share)} over`;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
