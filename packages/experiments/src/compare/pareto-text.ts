import { NONE, percent, table, threeDigits } from '../format.js';
import { type HoursAt, PARETO_LEVELS, type ParetoCurve } from './pareto.js';

/** GPU-hours of each strategy at the same attainment, and how much more than the cheapest's. */
export function paretoText(curves: readonly ParetoCurve[]): string {
  const [head, ...rows] = paretoRows(curves);
  return table(
    head!,
    rows.map(([name, ...cells]) => [`  ${name}`, ...cells]),
  );
}

/** The same as cells, its head first. */
export function paretoRows(curves: readonly ParetoCurve[]): string[][] {
  return [
    [
      'GPU-hours at equal work, lowest attainment of a model and tier at',
      ...PARETO_LEVELS.map((level) => percent(level, 0)),
      'settings run',
    ],
    ...curves.map(({ strategy, option, foresight, points, at }) => [
      `${strategy}${foresight ? ' (sees the future)' : ''}`,
      ...at.map(hoursText),
      option === undefined ? '1, no knob is known' : `${points.length}, by ${option}`,
    ]),
  ];
}

function hoursText({ gpuHours, atMost, gap, gapAtLeast }: HoursAt): string {
  if (gpuHours === undefined) return `${NONE} not reached`;
  const hours = `${atMost ? '≤ ' : ''}${threeDigits(gpuHours)}`;
  if (gap === undefined || gap === 0) return hours;
  return `${hours} (${gapAtLeast ? '≥ ' : ''}${gap > 0 ? '+' : ''}${percent(gap, 1)})`;
}
