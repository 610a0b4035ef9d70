import { count, percent, plural, table } from '../format.js';
import { estimateText } from '../compare/comparison-text.js';
import { estimate, SAME } from '../compare/statistics.js';
import { parametersText } from './parameters.js';
import type { MainEffect, SweepAnalysis, SweepSetting } from './analysis.js';

export function settingText({ strategy, parameters, foresight }: SweepSetting): string {
  const rest = parametersText(parameters);
  const name = foresight ? `${strategy} (sees the future)` : strategy;
  return rest === '' ? name : `${name} · ${rest}`;
}

const MOST_ROWS = 40;
const MOST_FRONT = 1_000;
/** Levels of a parameter that are told or drawn one by one. */
export const MOST_LEVELS = 200;

/**
 * By scenario and condition: settings from the cheapest on, the best one, and what each knob does;
 * then what conditions do.
 */
export function sweepText({ settings, effects, best }: SweepAnalysis): string {
  const parts: string[] = [];
  if (settings.length === 0) return 'nothing arrived: no setting has figures';
  for (const [group, chosen] of Object.entries(best)) {
    const own = settings.filter((one) => one.group === group).toSorted((a, b) => a.gpuHours.mean - b.gpuHours.mean);
    const shown =
      own.length <= MOST_ROWS ? own : own.filter((one) => one.onFront || one === chosen).slice(0, MOST_FRONT);
    parts.push(
      `${group}: ${plural(own.length, 'setting')}` +
        `${
          shown.length < own.length
            ? `, of which ${shown.length} of the Pareto front are shown; all ` + 'are in results.parquet'
            : ''
        }\n`,
      table(
        [
          'setting',
          'GPU-hours at equal work',
          'worst interactive model × tier',
          'TTFT p95 of IW-F',
          'NIW missed',
          'objectives',
          'Pareto front',
        ],
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
      `\n${bestText(chosen, own)}\n`,
    );
    parts.push(...effectTexts(effects.filter((one) => one.group === group && !one.isCondition)));
  }
  parts.push(...effectTexts(effects.filter((one) => one.isCondition)));
  return parts.join('\n').trimEnd();
}

/** The best setting, and those that are as good as far as the seeds tell. */
export function bestText(chosen: SweepSetting, settings: readonly SweepSetting[]): string {
  const { meetsObjectives, gpuHours, attainment, worst } = chosen;
  const alike = settings.filter((one) => one !== chosen && one.meetsObjectives && isAlike(one, chosen));
  const named = alike.slice(0, MOST_NAMED).map(settingText);
  const more = alike.length > named.length ? [`${count(alike.length - named.length)} more`] : [];
  return (
    `${meetsObjectives ? 'best: the cheapest that meets every objective' : 'no setting meets every objective; the nearest'}: ` +
    `${settingText(chosen)}, ${estimateText(gpuHours, 'hours')} GPU-hours, ` +
    (meetsObjectives
      ? `${estimateText(attainment, 'share')} of its worst interactive model and tier`
      : `${estimateText(worst, 'share')} of the model and tier that is furthest under its target`) +
    (meetsObjectives && alike.length > 0 ? `; its seeds do not tell it from ${[...named, ...more].join('; ')}` : '')
  );
}

/** Others that are named beside the best. */
const MOST_NAMED = 3;

/** Seed by seed, since settings of one have the same traffic. */
function isAlike(one: SweepSetting, other: SweepSetting): boolean {
  if (one.foresight !== other.foresight || one.gpuHours.values.length !== other.gpuHours.values.length) return false;
  const ratio = estimate(one.gpuHours.values.map((hours, i) => hours / other.gpuHours.values[i]!))!;
  return Math.abs(ratio.mean - 1) <= Math.max(SAME, ratio.halfWidth ?? 0);
}

function effectTexts(effects: readonly MainEffect[]): string[] {
  return effects.flatMap(({ scenario, parameter, isCondition, levels }) => {
    const title = isCondition ? `${scenario}: condition ${parameter}` : `effect of ${parameter}`;
    if (levels.length > MOST_LEVELS) return [`${title}: its ${count(levels.length)} levels are in results.json`, ''];
    return [
      table(
        [title, 'GPU-hours at equal work', 'worst interactive model × tier', 'runs'],
        levels.map(({ value, runs, gpuHours, attainment }) => [
          typeof value === 'number' ? value.toLocaleString('en-US') : String(value),
          gpuHours.toLocaleString('en-US', { maximumFractionDigits: 1 }),
          percent(attainment),
          count(runs),
        ]),
      ),
      '',
    ];
  });
}
