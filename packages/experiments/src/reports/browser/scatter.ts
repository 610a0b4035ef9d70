import type { ScatterFigure } from '../figure.js';
import { HALO, html, scrolled, svg } from './elements.js';
import { withData } from './figure-data.js';
import { type Look, look, mark } from './ink.js';
import { format, padded, ticks, withLevel } from './numbers.js';

const WIDTH = 1_120;
const HEIGHT = 420;
const LEFT = 90;
const RIGHT = 20;
const TOP = 12;
const BOTTOM = 46;

type Point = ScatterFigure['series'][number]['points'][number];

/** Points over two axes, with a line along those that no other beats. */
export function drawScatter(f: ScatterFigure, figure: HTMLElement): void {
  const all = f.series.flatMap(({ points }) => points);
  const isShown = ({ y }: Point): boolean => y >= (f.from ?? -Infinity);
  const shown = all.filter(isShown);
  const [x0, x1] = padded(shown.map(({ x }) => x));
  const [y0, y1] = padded(
    (f.levels ?? []).reduce<readonly number[]>(
      (values, { value }) => withLevel(values, value),
      shown.map(({ y }) => y),
    ),
  );
  const xOf = (value: number): number => LEFT + ((value - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const yOf = (value: number): number => TOP + (1 - (value - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const chart = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: '100%', role: 'img', 'aria-label': f.title });
  const line = (from: readonly [number, number], to: readonly [number, number]): void => {
    chart.append(svg('line', { x1: from[0], y1: from[1], x2: to[0], y2: to[1], stroke: '#ddd' }));
  };
  for (const t of ticks(x0, x1, 8)) {
    line([xOf(t), TOP], [xOf(t), HEIGHT - BOTTOM]);
    chart.append(svg('text', { x: xOf(t), y: HEIGHT - BOTTOM + 18, 'text-anchor': 'middle' }, format(t)));
  }
  for (const t of ticks(y0, y1, 6)) {
    line([LEFT, yOf(t)], [WIDTH - RIGHT, yOf(t)]);
    chart.append(svg('text', { x: LEFT - 8, y: yOf(t) + 4, 'text-anchor': 'end' }, format(t)));
  }
  chart.append(
    svg('text', { x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, 'text-anchor': 'middle' }, f.x),
    svg('text', { transform: `translate(16 ${HEIGHT / 2}) rotate(-90)`, 'text-anchor': 'middle' }, f.y),
  );
  for (const { value, label, unit = '' } of f.levels ?? []) {
    if (value < y0 || value > y1) continue;
    const y = yOf(value);
    chart.append(
      svg('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, stroke: '#333', 'stroke-dasharray': '3 4' }),
      svg(
        'text',
        { x: WIDTH - RIGHT, y: y - 5, 'text-anchor': 'end', ...HALO },
        label === '' ? `${format(value)}${unit}` : label,
      ),
    );
  }
  if (f.joined === true)
    for (const [i, one] of f.series.entries()) {
      const { colour, dash, width } = look(one, i);
      const d = frontOf(one.points.filter(isShown)).map(({ x, y }, k) => `${k === 0 ? 'M' : 'L'}${xOf(x)} ${yOf(y)}`);
      const line = { d: d.join(''), fill: 'none', stroke: colour, 'stroke-width': width };
      chart.append(svg('path', { ...line, 'stroke-dasharray': dash.join(' ') }));
    }
  else {
    const steps = frontOf(shown).map(({ x, y }, k) => (k === 0 ? `M${xOf(x)} ${yOf(y)}` : `H${xOf(x)}V${yOf(y)}`));
    chart.append(svg('path', { d: steps.join(''), fill: 'none', stroke: '#555', 'stroke-width': 1.4 }));
  }
  const points = f.series.flatMap((one, i) => one.points.filter(isShown).map((point) => ({ point, as: look(one, i) })));
  // Those with their names last: over the others.
  for (const { point, as } of points.sort((a, b) => Number(a.point.best) - Number(b.point.best))) {
    const drawn = drawPoint(f, point, as);
    drawn.setAttribute('transform', `translate(${xOf(point.x)} ${yOf(point.y)})`);
    chart.append(drawn);
  }
  figure.append(
    html(
      'p',
      {},
      ...f.series.map((one, i) => html('span', { className: 'key' }, sample(look(one, i)), one.name)),
      html('span', {
        className: 'note',
        textContent: `filled: on the Pareto front; large: ${f.joined === true ? 'as it is compared' : 'the best'}`,
      }),
    ),
    scrolled(chart),
  );
  withData(
    figure,
    f.title,
    ['setting', f.x, f.y, 'Pareto front'],
    all.map(({ name, x, y, front: onFront }) => [name, x, y, onFront ? 'yes' : 'no']),
  );
}

const frontOf = (points: readonly Point[]): Point[] => points.filter((point) => point.front).sort((a, b) => a.x - b.x);

function drawPoint(f: ScatterFigure, { name, x, y, front, best }: Point, as: Look): SVGElement {
  const drawn = svg(
    'g',
    { class: 'point' },
    mark(as, best ? 8 : 5.5, front),
    svg('title', {}, `${name}: ${format(x)} ${f.x}, ${format(y)} ${f.y}`),
  );
  if (best) {
    drawn.append(svg('text', { x: 12, y: 18, 'font-weight': 600, ...HALO }, name));
  }
  return drawn;
}

/** A point, beside its name. */
function sample(as: Look): SVGElement {
  return svg('svg', { width: 18, height: 18, viewBox: '-9 -9 18 18' }, mark(as, 5.5, true));
}
