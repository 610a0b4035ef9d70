import { estimateText } from '../compare/comparison-text.js';
import type { MainEffect, SweepAnalysis, SweepSetting } from '../sweep/analysis.js';
import type { Sweep } from '../sweep/definition.js';
import { bestText, MOST_LEVELS, settingText } from '../sweep/sweep-text.js';
import type { BarFigure, Figure, ScatterFigure } from './figure.js';
import { figuresPage } from './figures-page.js';
import { escapeHtml } from './page.js';
import { strategyInks } from './strategy-inks.js';

/** Rows that a browser shows at once. */
const MOST_ROWS = 5_000;

/**
 * A page of its own: for each scenario the Pareto front, what each parameter does, and every
 * setting.
 */
export function sweepPage(sweep: Sweep, { settings, effects, best }: SweepAnalysis): Promise<string> {
  const drawn = effects.filter(({ levels }) => levels.length <= MOST_LEVELS);
  const figures = [
    ...Object.entries(best).flatMap(([group, chosen]): Figure[] => [
      front(
        group,
        settings.filter((one) => one.group === group),
        chosen,
      ),
      ...drawn.filter((one) => one.group === group && !one.isCondition).flatMap(effectBars),
    ]),
    ...drawn.filter((one) => one.isCondition).flatMap(effectBars),
  ];
  const shown =
    settings.length <= MOST_ROWS
      ? settings
      : settings.filter((one) => one.onFront || one === best[one.group]).slice(0, MOST_ROWS);
  const rows = shown
    .toSorted((a, b) => (a.group === b.group ? a.gpuHours.mean - b.gpuHours.mean : 0))
    .map((one) => {
      const cells = [
        estimateText(one.gpuHours, 'hours'),
        estimateText(one.attainment, 'share'),
        estimateText(one.measures['waste'], 'hours'),
        estimateText(one.measures['usd'], 'usd'),
        estimateText(one.measures['interactive-fast/slo'], 'share'),
        estimateText(one.measures['interactive-fast/ttft/p95'], 'ms'),
        estimateText(one.measures['interactive-normal/slo'], 'share'),
        estimateText(one.measures['non-interactive/misses'], 'count'),
        String(one.seeds),
        `${one.meetsObjectives ? 'met' : 'missed'}${one === best[one.group] ? ' (best)' : ''}`,
        one.onFront ? 'yes' : '',
      ];
      return `<tr><td>${escapeHtml(`${one.group}: ${settingText(one)}`)}</td>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
    })
    .join('\n');
  const head = [
    '',
    'GPU-hours at equal work',
    'worst interactive model × tier',
    'wasted',
    'cost',
    'IW-F attainment',
    'IW-F TTFT p95',
    'IW-N attainment',
    'NIW missed',
    'seeds',
    'objectives',
    'Pareto front',
  ];
  return figuresPage({
    title: `${sweep.name}: ${settings.length} settings`,
    description: sweep.description,
    note:
      'Means over seeds, ± the 95 % confidence interval where there are several. Attainment is that of the model ' +
      'and interactive tier which stands the worst against its target.' +
      (shown.length < settings.length
        ? ` The table has ${shown.length} settings of the Pareto front; all are in results.parquet.`
        : ''),
    figures,
    table: `<thead><tr>${head.map((text) => `<th>${text}</th>`).join('')}</tr></thead><tbody>\n${rows}\n</tbody>`,
  });
}

function front(group: string, settings: readonly SweepSetting[], best: SweepSetting): ScatterFigure {
  const strategies = [...new Set(settings.map(({ strategy }) => strategy))];
  const inks = strategyInks(strategies);
  return {
    kind: 'scatter',
    title: `${group}: GPU-hours against SLO attainment`,
    note: `Each point is a setting. ${bestText(best, settings)}.`,
    x: 'GPU-hours at equal work',
    y: '% within the objective, worst interactive model and tier',
    levels: [{ value: 100 * best.target, label: 'objective' }],
    series: strategies.map((strategy) => ({
      name: strategy,
      ...inks.get(strategy),
      points: settings
        .filter((one) => one.strategy === strategy)
        .map((one) => ({
          name: settingText(one),
          x: one.gpuHours.mean,
          y: 100 * one.attainment.mean,
          front: one.onFront,
          best: one === best,
        })),
    })),
  };
}

function effectBars({ group, parameter, isCondition, levels }: MainEffect): BarFigure[] {
  const groups = levels.map(({ value }) => String(value));
  const note = `${isCondition ? 'A condition: given, not chosen. ' : ''}By its levels, each a mean over everything else.`;
  return [
    {
      kind: 'bars',
      title: `${group}: effect of ${parameter} on GPU-hours`,
      note,
      y: 'GPU-hours at equal work',
      groups,
      series: [{ name: 'GPU-hours at equal work', values: levels.map((level) => level.gpuHours) }],
    },
    {
      kind: 'bars',
      title: `${group}: effect of ${parameter} on attainment`,
      note,
      y: '% within the objective, worst interactive model and tier',
      groups,
      series: [{ name: '% within the objective', values: levels.map((level) => 100 * level.attainment) }],
    },
  ];
}
