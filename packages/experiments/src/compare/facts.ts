import { parseDurationMs } from '@sageserve/fleet';
import type { Scenario } from '@sageserve/scenario';
import { count, time } from '../format.js';
import type { Comparison } from './comparison-rows.js';

/** What was simulated: traffic, time, fleet, engine, seeds, and the version that did it. */
export function comparisonFacts(
  { traffic, models, regions, skus, engine, duration, history }: Scenario,
  { seeds }: Comparison,
  version?: string,
): readonly (readonly [name: string, value: string])[] {
  const lasts = duration === undefined ? 'to the end of the trace' : time(parseDurationMs(duration));
  const before = parseDurationMs(history)!;
  const fleet = models.map(
    ({ name, deployments }) =>
      `${name} on ${deployments.map(({ sku, gpusPerInstance }) => `${gpusPerInstance} × ${sku}`).join(' or ')}`,
  );
  return [
    [
      'traffic',
      traffic.trace === undefined
        ? `${count(traffic.requestsPerDay ?? 0)} requests a day, generated`
        : `replayed from ${traffic.trace}`,
    ],
    ['time', before === 0 ? lasts : `${lasts}, after ${time(before)} of history`],
    ['fleet', `${fleet.join('; ')}; in ${regions.map(({ name }) => name).join(', ')}`],
    ['GPUs', skus.map(({ name, usdPerGpuHour }) => `${name} at $${usdPerGpuHour} an hour`).join(', ')],
    ['engine', engineText(engine)],
    [seeds.length === 1 ? 'seed' : 'seeds', seeds.join(', ')],
    ...(version === undefined ? [] : [['SageServe', version] as const]),
  ];
}

/** What the engine is like, and what is set of it besides. */
function engineText({ like = 'vllm-v1', ...given }: Scenario['engine']): string {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return [`like ${like}`, ...set.map(([name, value]) => `${name} ${String(value)}`)].join(', ');
}
