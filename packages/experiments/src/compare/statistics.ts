import { square } from '@sageserve/core';
/** A mean over seeds, and how far it is known. */
export interface Estimate {
  readonly mean: number;
  /** Half of the 95 % confidence interval (Student's t); undefined with a single value. */
  readonly halfWidth: number | undefined;
  readonly values: readonly number[];
}

/** What is within this share of one another is called the same. */
export const SAME = 0.00005;

/** Quantile 0.975 of Student's t by degrees of freedom; the normal one beyond. */
const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086,
];

/** Mean and confidence interval of what is known of `values`; undefined where nothing is. */
export function estimate(values: readonly (number | undefined)[]): Estimate | undefined {
  const known = values.filter((value): value is number => value !== undefined);
  const n = known.length;
  if (n === 0) return undefined;
  // A sum of equal values need not be their multiple, and would seem to vary.
  if (known.every((value) => value === known[0]))
    return { mean: known[0]!, halfWidth: n === 1 ? undefined : 0, values: known };
  const mean = known.reduce((sum, value) => sum + value, 0) / n;
  const variance = known.reduce((sum, value) => sum + square(value - mean), 0) / (n - 1);
  return { mean, halfWidth: (T_975[n - 2] ?? 1.96) * Math.sqrt(variance / n), values: known };
}
