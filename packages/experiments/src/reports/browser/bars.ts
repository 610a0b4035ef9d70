import type { BarFigure } from '../figure.js';
import { html, scrolled, svg } from './elements.js';
import { withData } from './figure-data.js';
import { type Look, look, pattern } from './ink.js';
import { extremes, format, ticks } from './numbers.js';

const WIDTH = 1_120;
const BAR = 16;
const GAP = 14;
/** Room for the number at the end of a bar. */
const VALUE = 130;
/** Room for the axis under the bars. */
const AXIS = 44;
const CHARACTER = 6.6;
const LONGEST_LABEL = 420;

/** Bars in groups, side by side or end to end. */
export function drawBars(f: BarFigure, figure: HTMLElement): void {
  const stacked = f.stacked === true;
  const show = (value: number): string => `${f.usd === true ? '$' : ''}${format(value)}`;
  const half = (i: number, g: number): number => f.series[i]!.halfWidths?.[g] ?? 0;
  const total = (g: number): number => f.series.reduce((sum, { values }) => sum + (values[g] ?? 0), 0);
  const totalHalf = (g: number): number => f.totalHalfWidths?.[g] ?? 0;
  const reach = (g: number): number => Math.max(...f.series.map(({ values }, i) => (values[g] ?? 0) + half(i, g)));
  const [, most] = extremes([0, ...f.groups.map((_, g) => (stacked ? total(g) + totalHalf(g) : reach(g)))]);
  const top = most > 0 ? most : 1;
  const perGroup = stacked ? 1 : f.series.length;
  const [, longest] = extremes([12, ...f.groups.map((group) => group.length)]);
  const left = Math.min(LONGEST_LABEL, longest * CHARACTER + 12);
  const height = f.groups.length * (perGroup * BAR + GAP);
  const chart = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${height + AXIS}`,
    width: '100%',
    role: 'img',
    'aria-label': f.title,
  });
  const scale = (value: number): number => (value / top) * (WIDTH - left - VALUE);
  for (const t of ticks(0, top, 6)) {
    const x = left + scale(t);
    chart.append(
      svg('line', { x1: x, x2: x, y1: 0, y2: height, stroke: '#ddd' }),
      svg('text', { x, y: height + 14, 'text-anchor': 'middle' }, show(t)),
    );
  }
  chart.append(svg('text', { x: left + scale(top) / 2, y: height + 36, 'text-anchor': 'middle' }, f.y));
  const lookOf = (i: number, g: number): Look => look(f.groupInk?.[g] ?? f.series[i]!, i);
  for (const [g, group] of f.groups.entries()) {
    const y = g * (perGroup * BAR + GAP);
    const name = svg('text', { x: 0, y: y + (perGroup * BAR) / 2 + 4 }, shortened(group));
    name.append(svg('title', {}, group));
    chart.append(name);
    let x = left;
    for (const [i, { name, values }] of f.series.entries()) {
      const value = values[g] ?? 0;
      const at = stacked ? y : y + i * BAR;
      const strong = (f.groupInk?.[g] ?? f.series[i]!).strong === true;
      const bar = {
        x: stacked ? x : left,
        y: at,
        width: scale(value),
        height: BAR - 2,
        fill: pattern(lookOf(i, g)),
        stroke: '#333',
        'stroke-width': strong ? 1.8 : 0.6,
      };
      const around = half(i, g) > 0 ? ` ±${show(half(i, g))}` : '';
      if (values[g] === null) {
        chart.append(svg('text', { x: left + 5, y: at + 11 }, 'not known'));
        continue;
      }
      chart.append(svg('rect', bar, svg('title', {}, `${group}, ${name}: ${show(value)}${around}`)));
      if (stacked) {
        x += scale(value);
        continue;
      }
      const end = left + scale(value + half(i, g));
      if (half(i, g) > 0) chart.append(whisker(left + scale(Math.max(0, value - half(i, g))), end, at + BAR / 2 - 1));
      chart.append(
        svg('text', { x: end + 5, y: at + 11, 'font-weight': strong ? 600 : 400 }, `${show(value)}${around}`),
      );
    }
    if (!stacked) continue;
    const around = totalHalf(g);
    const end = left + scale(total(g) + around);
    if (around > 0) chart.append(whisker(left + scale(Math.max(0, total(g) - around)), end, y + BAR / 2 - 1));
    const text = `${show(total(g))}${around > 0 ? ` ±${show(around)}` : ''}`;
    chart.append(svg('text', { x: end + 5, y: y + 11 }, text));
  }
  if (f.series.length > 1)
    figure.append(
      html('p', {}, ...f.series.map((one, i) => html('span', { className: 'key' }, sample(look(one, i)), one.name))),
    );
  figure.append(scrolled(chart));
  const known = f.series.map(({ halfWidths }) => halfWidths?.some((one) => one !== undefined) === true);
  withData(
    figure,
    f.title,
    ['', ...f.series.flatMap(({ name }, i) => [`${name} (${f.y})`, ...(known[i]! ? ['±'] : [])])],
    f.groups.map((group, g) => [
      group,
      ...f.series.flatMap(({ values, halfWidths }, i) => [values[g], ...(known[i]! ? [halfWidths?.[g]] : [])]),
    ]),
  );
}

/** A name that its room does not hold has its end left out. */
function shortened(name: string): string {
  const most = Math.floor(LONGEST_LABEL / CHARACTER) - 2;
  return name.length <= most ? name : `${name.slice(0, most - 1)}…`;
}

/** A 95 % confidence interval, white under black so that it is seen on every pattern. */
function whisker(from: number, to: number, y: number): SVGElement {
  const d = `M${from} ${y - 4}V${y + 4}M${from} ${y}H${to}M${to} ${y - 4}V${y + 4}`;
  return svg(
    'g',
    { class: 'interval', fill: 'none' },
    svg('path', { d, stroke: '#fff', 'stroke-width': 4 }),
    svg('path', { d, stroke: '#111', 'stroke-width': 1.6 }),
  );
}

/** A piece of a bar, beside its name. */
function sample(as: Look): SVGElement {
  const square = { width: 16, height: 16, fill: pattern(as), stroke: '#333' };
  return svg('svg', { width: 16, height: 16 }, svg('rect', square));
}
