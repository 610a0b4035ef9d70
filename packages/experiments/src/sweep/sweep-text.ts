import { count, percent, table } from '../format.js';
import { estimateText } from '../compare/comparison-text.js';
import type { ParameterValue } from './parameters.js';
import type { SweepAnalysis, SweepSetting } from './analysis.js';

/**
 * `scaleOutAbove 0.8, requestsPerDay 1,000,000`: the last part of each path is enough where no
 * other ends alike.
 */
export function parametersText(parameters: Readonly<Record<string, ParameterValue>>): string {
  const entries = Object.entries(parameters);
  const last = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
  return entries
    .map(([path, value]) => {
      const short = entries.filter(([other]) => last(other) === last(path)).length === 1 ? last(path) : path;
      return `${short} ${typeof value === 'number' && value >= 10_000 ? count(value) : String(value)}`;
    })
    .join(', ');
}

export function settingText({ strategy, parameters }: SweepSetting): string {
  const rest = parametersText(parameters);
  return rest === '' ? strategy : `${strategy} · ${rest}`;
}

const MOST_ROWS = 40;
const MOST_FRONT = 1_000;
/** Levels of a parameter that are told or drawn one by one. */
export const MOST_LEVELS = 200;

/** By scenario: settings from the cheapest on, the best one, and what each parameter does. */
export function sweepText({ settings, effects, best }: SweepAnalysis): string {
  const parts: string[] = [];
  for (const [scenario, chosen] of Object.entries(best)) {
    const own = settings
      .filter((one) => one.scenario === scenario)
      .toSorted((a, b) => a.gpuHours.mean - b.gpuHours.mean);
    const shown =
      own.length <= MOST_ROWS ? own : own.filter((one) => one.onFront || one === chosen).slice(0, MOST_FRONT);
    parts.push(
      `${scenario}: ${count(own.length)} ` +
        `settings${
          shown.length < own.length
            ? `, of which ${shown.length} of the Pareto front are shown; all ` + 'are in results.parquet'
            : ''
        }\n`,
      table(
        ['setting', 'GPU-hours', 'SLO attainment', 'TTFT p95 of IW-F', 'NIW missed', 'objectives', 'Pareto front'],
        shown.map((one) => [
          settingText(one),
          estimateText(one.gpuHours, 'hours'),
          estimateText(one.attainment, 'share'),
          estimateText(one.measures['interactive-fast/ttft/p95'], 'ms'),
          estimateText(one.measures['non-interactive/misses'], 'count'),
          one.meetsObjectives ? 'met' : 'missed',
          one.onFront ? '◆' : '',
        ]),
      ),
      `\n${
        chosen.meetsObjectives
          ? 'best: the cheapest that meets every objective'
          : 'no setting meets every ' + 'objective; the nearest'
      }: ` +
        `${settingText(chosen)}, ${estimateText(chosen.gpuHours, 'hours')} GPU-hours at ` +
        `${estimateText(chosen.attainment, 'share')}\n`,
    );
    for (const { parameter, levels } of effects.filter((one) => one.scenario === scenario)) {
      if (levels.length > MOST_LEVELS) {
        parts.push(`effect of ${parameter}: its ${count(levels.length)} levels are in results.json`, '');
        continue;
      }
      parts.push(
        table(
          [`effect of ${parameter}`, 'GPU-hours', 'SLO attainment', 'runs'],
          levels.map(({ value, runs, gpuHours, attainment }) => [
            typeof value === 'number' ? value.toLocaleString('en-US') : String(value),
            gpuHours.toLocaleString('en-US', { maximumFractionDigits: 1 }),
            percent(attainment),
            count(runs),
          ]),
        ),
        '',
      );
    }
  }
  return parts.join('\n').trimEnd();
}
