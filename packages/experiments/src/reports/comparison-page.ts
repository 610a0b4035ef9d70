import type { PolicyChoice } from '@sageserve/fleet';
import type { Scenario } from '@sageserve/scenario';
import type { Bounds, Comparison } from '../compare/comparison-rows.js';
import { estimateText, SECTIONS } from '../compare/comparison-text.js';
import { comparisonFacts } from '../compare/facts.js';
import { paretoCurves, type TurnedKnob } from '../compare/pareto.js';
import { paretoRows } from '../compare/pareto-text.js';
import type { ComparedRun } from '../compare/run-comparison.js';
import { seedsNote } from '../compare/seeds-note.js';
import { verdict } from '../compare/verdict.js';
import { comparisonFigures, type GapPoint } from './comparison-figures.js';
import { figuresPage } from './figures-page.js';
import { escapeHtml } from './page.js';

/** What a page is made of. */
export interface ComparisonPage {
  readonly scenario: Scenario;
  readonly runs: readonly ComparedRun[];
  readonly comparison: Comparison;
  readonly gaps?: readonly GapPoint[];
  /** Strategies with other settings, for the Pareto curves. */
  readonly turned?: readonly TurnedKnob[];
  readonly bounds?: Bounds;
  /** Of the program that made the runs. */
  readonly version?: string;
  /** Strategies as they were asked for, with their options. */
  readonly choices?: readonly PolicyChoice[];
}

/**
 * A page of its own, without anything to load: the figures of the paper for one scenario, each with
 * its data, and the table.
 */
export async function comparisonPage({
  scenario,
  runs,
  comparison,
  gaps = [],
  turned = [],
  bounds,
  version,
  choices = [],
}: ComparisonPage): Promise<string> {
  const head = comparison.strategies.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('');
  const rows = SECTIONS.flatMap((title) => {
    const own = comparison.rows.filter((row) => row.section === title);
    if (own.length === 0) return [];
    const columns = comparison.strategies.length + 1;
    return [
      `<tr class="section"><th colspan="${columns}">${escapeHtml(title)}</th></tr>`,
      ...own.map(({ label, unit, estimates }) => {
        const cells = estimates.map((value) => `<td>${escapeHtml(estimateText(value, unit))}</td>`);
        return `<tr><th scope="row">${escapeHtml(label)}</th>${cells.join('')}</tr>`;
      }),
    ];
  });
  const curves = paretoCurves(turned);
  const [gapHead = [], ...gapRows] = curves.length === 0 ? [] : paretoRows(curves);
  return figuresPage({
    title: `${scenario.name}: strategies compared`,
    description: scenario.description,
    verdict: verdict(scenario, runs, comparison, bounds, turned),
    facts: comparisonFacts(scenario, comparison, version, choices),
    note:
      `Figures over time are of the first seed; the table and the bars are means over seeds. ${escapeHtml(sentence(seedsNote(scenario, comparison)))} ` +
      'Drag over a chart to look closer, double-click to see all again, click a name to hide its line.',
    figures: comparisonFigures(runs, comparison, gaps, curves, scenario.traffic.trace !== undefined),
    ...(curves.length === 0 ? {} : { tables: [{ title: 'At the same attainment', head: gapHead, rows: gapRows }] }),
    table: `<thead><tr><th></th>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody>`,
  });
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
