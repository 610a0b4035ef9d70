import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MIN, MS_PER_S, MS_PER_WEEK } from '@sageserve/core';

export const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: MS_PER_S,
  m: MS_PER_MIN,
  h: MS_PER_HOUR,
  d: MS_PER_DAY,
  w: MS_PER_WEEK,
};

/**
 * `90s`, `15m`, `24h`, `7d` or a number of seconds, as milliseconds; undefined where it is not one.
 */
export function parseDurationMs(value: string | number): number | undefined {
  if (typeof value === 'number') return value >= 0 ? value * 1_000 : undefined;
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*$/.exec(value);
  return match === null ? undefined : Number(match[1]) * UNIT_MS[match[2]!]!;
}

/** Milliseconds as a user writes them, in the largest unit of which they are a whole number. */
export function durationText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, one]) => ms % one === 0)!;
  return `${ms / unitMs}${unit}`;
}
