import { parseDurationMs, type PolicyChoice } from '@sageserve/fleet';
import type { Scenario } from '@sageserve/scenario';
import { count, decimal, time } from '../format.js';
import type { Comparison } from './comparison-rows.js';
import { strategyLabels } from './run-comparison.js';

/**
 * What was simulated: traffic, time, fleet, engine, options that strategies were given, seeds, and
 * the version that did it.
 */
export function comparisonFacts(
  { traffic, models, regions, skus, engine, duration, history }: Scenario,
  { seeds }: Comparison,
  version?: string,
  choices: readonly PolicyChoice[] = [],
): readonly (readonly [name: string, value: string])[] {
  const lasts = duration === undefined ? 'to the end of the trace' : time(parseDurationMs(duration));
  const before = parseDurationMs(history)!;
  const fleet = models.map(
    ({ name, deployments }) =>
      `${name} on ${deployments
        .map(
          ({ sku, gpusPerInstance, maxBatchTokens }) =>
            `${gpusPerInstance} × ${sku}` +
            (maxBatchTokens === undefined ? '' : ` (${count(maxBatchTokens)} tokens in an iteration)`),
        )
        .join(' or ')}`,
  );
  const labels = strategyLabels(choices);
  const options = choices.flatMap((choice, c) => {
    // A name that stands twice has its options in it.
    if (typeof choice === 'string' || labels[c] !== choice.name) return [];
    const { name, ...own } = choice;
    const given = Object.entries(own).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
    return given.length === 0 ? [] : [`${name}: ${given.join(', ')}`];
  });
  return [
    [
      'traffic',
      traffic.trace === undefined
        ? `${count(traffic.requestsPerDay ?? 0)} requests a day, generated`
        : `replayed from ${traffic.trace}`,
    ],
    ['time', before === 0 ? lasts : `${lasts}, after ${time(before)} of history`],
    ['fleet', `${fleet.join('; ')}; in ${regions.map(({ name }) => name).join(', ')}`],
    ['GPUs', skus.map(({ name, usdPerGpuHour }) => `${name} at $${decimal(usdPerGpuHour, 2)} an hour`).join(', ')],
    ['engine', engineText(engine)],
    ...(options.length === 0 ? [] : [['options', options.join('; ')] as const]),
    [seeds.length === 1 ? 'seed' : 'seeds', seedsText(seeds)],
    ...(version === undefined ? [] : [['SageServe', version] as const]),
  ];
}

/** One by one, or, where they are many that follow one another, from the first to the last. */
function seedsText(seeds: readonly (number | string)[]): string {
  const [first] = seeds;
  const inARow = typeof first === 'number' && seeds.every((seed, i) => seed === first + i);
  return inARow && seeds.length > MOST_SEEDS ? `${first} to ${seeds.at(-1)}` : seeds.join(', ');
}

const MOST_SEEDS = 10;

/** What the engine is like, and what is set of it besides. */
function engineText({ like = 'vllm-v1', ...given }: Scenario['engine']): string {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return [`like ${like}`, ...set.map(([name, value]) => `${name} ${String(value)}`)].join(', ');
}
