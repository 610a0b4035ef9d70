/** One case, and what came of it. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** A case that holds where each of its figures is at most its bound. */
export function check(
  name: string,
  figures: readonly (readonly [label: string, value: number, bound: number])[],
): Check {
  return {
    name,
    ok: figures.every(([, value, bound]) => value <= bound),
    detail: figures
      .map(
        ([label, value, bound]) => `${label} ${value.toExponential(1)}${value <= bound ? '' : ` (at most ${bound})`}`,
      )
      .join(', '),
  };
}

export function maxAbsolute(a: ArrayLike<number>, b: readonly number[]): number {
  return Math.max(...b.map((value, i) => Math.abs(a[i]! - value)));
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
