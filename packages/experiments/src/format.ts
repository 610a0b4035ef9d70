import { maxOf } from '@sageserve/core';
import Table from 'cli-table3';

/** What stands where nothing was measured. */
export const NONE = '–';

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** With as many decimals as show three digits. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  return decimal(value, size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** `1 run`, `12 runs`. */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

export function decimal(value: number | undefined, digits = 1): string {
  return value === undefined
    ? NONE
    : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function percent(value: number | undefined, digits = 2): string {
  return value === undefined ? NONE : `${decimal(value * 100, digits)} %`;
}

/** Milliseconds in the unit that reads best. */
export function time(ms: number | undefined): string {
  if (ms === undefined) return NONE;
  if (ms < 1_000) return `${decimal(ms, ms < 10 ? 1 : 0)} ms`;
  if (ms < 120_000) return `${decimal(ms / 1_000, ms < 10_000 ? 2 : 1)} s`;
  if (ms < 7_200_000) return `${decimal(ms / 60_000, 1)} min`;
  if (ms < 172_800_000) return `${decimal(ms / 3_600_000, 1)} h`;
  return `${decimal(ms / 86_400_000, 1)} d`;
}

/** Names may be of any length; of what is longer the beginning is shown. */
const MOST_OF_CELL = 200;
export const cell = (text: string): string => (text.length <= MOST_OF_CELL ? text : `${text.slice(0, MOST_OF_CELL)}…`);

/** Rows under a head, first column left, the others right; without lines between rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const t = new Table({
    head: head.map(cell),
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '',
    },
  });
  for (const row of rows) t.push(row.map(cell));
  return t
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const BARS = '▁▂▃▄▅▆▇█';

/**
 * A line of bars from 0 to the largest value, at most `width` wide: each bar the mean of its part
 * of the series.
 */
export function sparkline(values: readonly number[], width = 60): string {
  if (values.length === 0) return '';
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, c) => {
    const from = Math.floor((c * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((c + 1) * values.length) / columns));
    return values.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
  });
  const top = maxOf(means);
  return means.map((mean) => BARS[top === 0 ? 0 : Math.min(7, Math.floor((mean / top) * 8))]).join('');
}
