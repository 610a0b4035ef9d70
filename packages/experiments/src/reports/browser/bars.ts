import type { BarFigure } from '../figure.js';
import { html, svg } from './elements.js';
import { withData } from './figure-data.js';
import { pattern } from './ink.js';
import { format } from './numbers.js';

const WIDTH = 1_120;
const LABEL = 150;
const BAR = 16;
const GAP = 14;
/** Room for the number at the end of a bar. */
const VALUE = 110;

/** Bars in groups, side by side or end to end. */
export function drawBars(f: BarFigure, figure: HTMLElement): void {
  const stacked = f.stacked === true;
  const total = (g: number): number => f.series.reduce((sum, { values }) => sum + values[g]!, 0);
  const largest = (g: number): number => Math.max(...f.series.map(({ values }) => values[g]!));
  const top = Math.max(1e-9, ...f.groups.map((_, g) => (stacked ? total(g) : largest(g))));
  const perGroup = stacked ? 1 : f.series.length;
  const chart = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${f.groups.length * (perGroup * BAR + GAP)}`,
    width: '100%',
    role: 'img',
    'aria-label': f.title,
  });
  const scale = (value: number): number => (value / top) * (WIDTH - LABEL - VALUE);
  for (const [g, group] of f.groups.entries()) {
    const y = g * (perGroup * BAR + GAP);
    chart.append(svg('text', { x: 0, y: y + (perGroup * BAR) / 2 + 4 }, group));
    let x = LABEL;
    for (const [i, { name, values }] of f.series.entries()) {
      const value = values[g]!;
      const at = stacked ? y : y + i * BAR;
      const bar = {
        x: stacked ? x : LABEL,
        y: at,
        width: scale(value),
        height: BAR - 2,
        fill: pattern(i),
        stroke: '#333',
        'stroke-width': 0.6,
      };
      chart.append(svg('rect', bar, svg('title', {}, `${group}, ${name}: ${format(value)}`)));
      if (stacked) x += scale(value);
      else chart.append(svg('text', { x: LABEL + scale(value) + 5, y: at + 11 }, format(value)));
    }
    if (stacked) chart.append(svg('text', { x: x + 5, y: y + 11 }, format(total(g))));
  }
  if (f.series.length > 1)
    figure.append(html('p', {}, ...f.series.map(({ name }, i) => html('span', { className: 'key' }, sample(i), name))));
  figure.append(chart);
  withData(
    figure,
    ['', ...f.series.map(({ name }) => `${name} (${f.y})`)],
    f.groups.map((group, g) => [group, ...f.series.map(({ values }) => values[g])]),
  );
}

/** A piece of a bar, beside its name. */
function sample(i: number): SVGElement {
  const square = { width: 16, height: 16, fill: pattern(i), stroke: '#333' };
  return svg('svg', { width: 16, height: 16 }, svg('rect', square));
}
