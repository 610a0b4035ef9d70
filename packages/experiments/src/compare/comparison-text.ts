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
      return mean === 0 ? plain : `${plain} ${around(mean, halfWidth, (one) => decimal((100 * one) / mean, 0))} %`;
    case 'share':
      return `${plain} ${around(mean, halfWidth, (one) => decimal(100 * one, 2), 1 - mean)}`;
    case 'percent':
      return `${plain} ±${decimal(100 * halfWidth, 2)}`;
    case 'ratio':
      return `${plain} ${around(mean, halfWidth, (one) => decimal(one, 3))}`;
    case 'count':
      return `${plain} ${around(mean, halfWidth, count)}`;
    case 'usd':
      return mean < 0
        ? `${plain} ±${dollars(mean, halfWidth)}`
        : `${plain} ${around(mean, halfWidth, (one) => dollars(mean, one))}`;
    case 'hours':
      return `${plain} ${around(mean, halfWidth, (one) => decimal(one, 1))}`;
  }
}

/** Nothing here is below 0, no share above 100 %, and neither is what it may be. */
function around(mean: number, halfWidth: number, text: (value: number) => string, room = Infinity): string {
  const [below, above] = [Math.min(halfWidth, mean), Math.min(halfWidth, room)].map(text);
  return below === above ? `±${below}` : `+${above} −${below}`;
}

/** A few dollars with their cents; `size` is what they are a part of. */
function dollars(size: number, value: number): string {
  return Math.abs(size) < 100 ? decimal(value, 2) : count(value);
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
      return `$${dollars(value, value)}`;
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
