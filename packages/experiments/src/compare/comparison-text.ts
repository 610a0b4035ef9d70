import { count, decimal, NONE, percent, table, time } from '../format.js';
import type { Comparison, Unit } from './comparison-rows.js';
import type { Estimate } from './statistics.js';

/** A figure with its confidence interval, in the unit that reads best. */
export function estimateText(value: Estimate | undefined, unit: Unit): string {
  if (value === undefined) return NONE;
  const { mean, halfWidth } = value;
  const plain = valueText(mean, unit);
  if (halfWidth === undefined || halfWidth === 0) return plain;
  switch (unit) {
    case 'ms':
      return mean === 0 ? plain : `${plain} ±${decimal((100 * halfWidth) / mean, 0)} %`;
    case 'share':
      return shareText(mean, halfWidth);
    case 'percent':
      return `${plain} ±${decimal(100 * halfWidth, 2)}`;
    case 'ratio':
      return `${plain} ±${decimal(halfWidth, 3)}`;
    case 'count':
    case 'usd':
      return `${plain} ±${count(halfWidth)}`;
    case 'hours':
      return `${plain} ±${decimal(halfWidth, 1)}`;
  }
}

/** No share is below 0 or above 100 %, and neither is what it may be. */
function shareText(mean: number, halfWidth: number): string {
  const [below, above] = [Math.min(halfWidth, mean), Math.min(halfWidth, 1 - mean)].map((one) => decimal(100 * one, 2));
  return below === above ? `${percent(mean)} ±${below}` : `${percent(mean)} +${above} −${below}`;
}

function valueText(value: number, unit: Unit): string {
  switch (unit) {
    case 'ms':
      return time(value);
    case 'share':
    case 'percent':
      return percent(value);
    case 'ratio':
      return decimal(value, 3);
    case 'count':
      return count(value);
    case 'usd':
      return `$${count(value)}`;
    case 'hours':
      return decimal(value, 1);
  }
}

/** Sections in the order of tables and pages. */
export const SECTIONS = [
  'equal work',
  'ratios',
  'objectives',
  'capacity',
  'IW-F interactive-fast',
  'IW-N interactive-normal',
  'NIW non-interactive',
  'control',
  'requests',
];

/** One table: a column for each strategy, figures that belong together under a title. */
export function comparisonText({ strategies, rows }: Comparison): string {
  const lines: string[][] = [];
  for (const section of SECTIONS) {
    const own = rows.filter((row) => row.section === section);
    if (own.length === 0) continue;
    if (lines.length > 0) lines.push(['', ...strategies.map(() => '')]);
    lines.push([section, ...strategies.map(() => '')]);
    for (const { label, unit, estimates } of own)
      lines.push([`  ${label}`, ...estimates.map((value) => estimateText(value, unit))]);
  }
  return table(['', ...strategies], lines);
}
