import { estimateText } from '../compare/comparison-text.js';
import type { MainEffect, SweepAnalysis, SweepSetting } from '../sweep/analysis.js';
import type { Sweep } from '../sweep/definition.js';
import { MOST_LEVELS, settingText } from '../sweep/sweep-text.js';
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
  const figures = Object.entries(best).flatMap(([scenario, chosen]): Figure[] => [
    front(
      scenario,
      settings.filter((one) => one.scenario === scenario),
      chosen,
    ),
    ...effects.filter((one) => one.scenario === scenario && one.levels.length <= MOST_LEVELS).flatMap(effectBars),
  ]);
  const shown =
    settings.length <= MOST_ROWS
      ? settings
      : settings.filter((one) => one.onFront || one === best[one.scenario]).slice(0, MOST_ROWS);
  const rows = shown
    .toSorted((a, b) => (a.scenario === b.scenario ? a.gpuHours.mean - b.gpuHours.mean : 0))
    .map((one) => {
      const cells = [
        estimateText(one.gpuHours, 'hours'),
        estimateText(one.measures['waste'], 'hours'),
        estimateText(one.measures['usd'], 'usd'),
        estimateText(one.measures['interactive-fast/slo'], 'share'),
        estimateText(one.measures['interactive-fast/ttft/p95'], 'ms'),
        estimateText(one.measures['interactive-normal/slo'], 'share'),
        estimateText(one.measures['non-interactive/misses'], 'count'),
        String(one.seeds),
        `${one.meetsObjectives ? 'met' : 'missed'}${one === best[one.scenario] ? ' (best)' : ''}`,
        one.onFront ? 'yes' : '',
      ];
      return `<tr><td>${escapeHtml(`${one.scenario}: ${settingText(one)}`)}</td>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
    })
    .join('\n');
  const head = [
    '',
    'GPU-hours',
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
      'Means over seeds, ± the 95 % confidence interval where there are several. Attainment is that of the ' +
      'interactive tier which stands the worst against its target.' +
      (shown.length < settings.length
        ? ` The table has ${shown.length} settings of the Pareto front; all are in results.parquet.`
        : ''),
    figures,
    table: `<thead><tr>${head.map((text) => `<th>${text}</th>`).join('')}</tr></thead><tbody>\n${rows}\n</tbody>`,
  });
}

function front(scenario: string, settings: readonly SweepSetting[], best: SweepSetting): ScatterFigure {
  const strategies = [...new Set(settings.map(({ strategy }) => strategy))];
  const inks = strategyInks(strategies);
  return {
    kind: 'scatter',
    title: `${scenario}: GPU-hours against SLO attainment`,
    note:
      'Each point is a setting. ' +
      `${
        best.meetsObjectives
          ? 'Best: the cheapest that meets every objective'
          : 'No setting meets every ' + 'objective; nearest'
      }: ` +
      `${settingText(best)}.`,
    x: 'GPU-hours',
    y: '% attained',
    level: { value: 100 * best.target, label: 'objective' },
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

function effectBars({ scenario, parameter, levels }: MainEffect): BarFigure[] {
  const groups = levels.map(({ value }) => String(value));
  const note = 'By its levels, each a mean over everything else.';
  return [
    {
      kind: 'bars',
      title: `${scenario}: effect of ${parameter} on GPU-hours`,
      note,
      y: 'GPU-hours',
      groups,
      series: [{ name: 'GPU-hours', values: levels.map((level) => level.gpuHours) }],
    },
    {
      kind: 'bars',
      title: `${scenario}: effect of ${parameter} on attainment`,
      note,
      y: '% attained',
      groups,
      series: [{ name: '% attained', values: levels.map((level) => 100 * level.attainment) }],
    },
  ];
}
