import type { Scenario } from '@sageserve/scenario';
import { count } from '../format.js';
import type { Comparison } from './comparison-rows.js';

/** What stands behind the means and the ±: a trace is the same under every seed. */
export function seedsNote({ traffic }: Scenario, { seeds, rows }: Comparison): string {
  if (seeds.length === 1)
    return traffic.trace === undefined
      ? 'one seed, and so no interval: --seeds 5 gives confidence intervals'
      : 'one seed, and so no interval: --seeds 5 gives one for what the trace leaves to chance, if anything';
  const vary = rows.some(({ estimates }) => estimates.some((one) => (one?.halfWidth ?? 0) > 0));
  if (!vary)
    return (
      `${count(seeds.length)} seeds, and every figure is the same under each: ` +
      `${traffic.trace === undefined ? 'nothing here is left to chance' : 'the trace fixes everything'}, so there is ` +
      'no interval'
    );
  return (
    `± is the 95 % confidence interval over ${count(seeds.length)} seeds` +
    (traffic.trace === undefined
      ? ''
      : ', which do not change what the trace fixes: it says nothing of other days than those of the trace')
  );
}
