/**
 * Processor time that this process has used, in seconds: what benchmarks count, since it does not
 * see what else the machine does.
 */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The most memory that this process has held, in MB. */
export function peakMemoryMb(): number {
  return process.resourceUsage().maxRSS / 1_024;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One figure that the project claims, and what was measured. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What is aimed at; undefined for figures that only inform. */
  readonly target?: { readonly atLeast?: number; readonly atMost?: number };
}

/** What a benchmark found, where that is more than figures. */
export interface Report {
  readonly figures: readonly Figure[];
  /** Printed before the figures. */
  readonly text: string;
  /** What the text shows, for programs. */
  readonly data: unknown;
}

/** Prints figures beside what is aimed at and what was recorded last, by {@link namesOf}. */
export function printFigures(
  title: string,
  figures: readonly Figure[],
  recorded: readonly (number | undefined)[] = [],
): void {
  console.log(`\n${title}`);
  for (const [i, { name, value, unit, target }] of figures.entries()) {
    const last = recorded[i];
    const met =
      target === undefined || (value >= (target.atLeast ?? -Infinity) && value <= (target.atMost ?? Infinity));
    const aim =
      target === undefined
        ? ''
        : `${
            target.atLeast === undefined
              ? `at most ${formatValue(target.atMost!)}`
              : 'at least ' + formatValue(target.atLeast)
          }: ` + (met ? 'met' : 'MISSED');
    console.log(
      (
        `  ${name.padEnd(62)}${formatValue(value).padStart(12)} ${unit.padEnd(16)} ` +
        `${last === undefined ? '' : `recorded ${formatValue(last).padEnd(10)} `}${aim}`
      ).trimEnd(),
    );
  }
}

export function formatValue(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}
