import type { LineFigure } from '../figure.js';
import { html, svg } from './elements.js';
import { withData } from './figure-data.js';
import { dash, ink } from './ink.js';
import { format } from './numbers.js';

/** Lines over one axis, in several sets to choose from. */
export function drawLines(f: LineFigure, figure: HTMLElement): void {
  const box = html('div', {});
  const select = html('select', {}, ...f.views.map((view, i) => new Option(view.name, String(i))));
  select.setAttribute('aria-label', `${f.title}: what is shown`);
  if (f.views.length > 1) figure.append(html('p', {}, select));
  const keys = html('p', {});
  figure.append(keys, box);
  let chart: uPlot | undefined;
  const draw = (): void => {
    const { series } = f.views[Number(select.value)]!;
    chart?.destroy();
    chart = new uPlot(optionsOf(f, series), columnsOf(f, series), box);
    keys.replaceChildren(...series.map(({ name }, i) => html('span', { className: 'key' }, sample(i), name)));
    withData(
      figure,
      [f.x.label, ...series.map(({ name }) => name)],
      f.x.values.map((x, i) => [x, ...series.map(({ values }) => values[i])]),
    );
  };
  select.onchange = draw;
  draw();
}

type Series = LineFigure['views'][number]['series'];

function optionsOf(f: LineFigure, series: Series): uPlot.Options {
  return {
    width: Math.min(1_160, document.body.clientWidth),
    height: 320,
    scales: {
      x: { time: false },
      y: f.log === true ? { distr: 3 } : { range: (_, __, max) => [0, Math.max(max * 1.05, 1e-9)] },
    },
    axes: [
      { label: f.x.label },
      {
        label: f.y,
        size: 80,
        // On an axis of powers what lies between them has no label.
        values: (_, values: (number | null)[]) => values.map((value) => (value === null ? '' : format(value))),
      },
    ],
    series: [
      { label: f.x.label, value: (_, value) => format(value) },
      ...series.map(({ name }, i): uPlot.Series => ({
        label: name,
        stroke: ink(i),
        width: i % 2 === 1 ? 1.6 : 2.2,
        dash: dash(i),
        points: { show: false },
        value: (_, value) => format(value),
      })),
    ],
  };
}

function columnsOf(f: LineFigure, series: Series): uPlot.AlignedData {
  const columns = series.map(({ values }) =>
    f.log === true ? values.map((value) => (value !== null && value > 0 ? value : null)) : [...values],
  );
  return [[...f.x.values], ...columns];
}

/** A piece of a line, beside its name. */
function sample(i: number): SVGElement {
  const line = {
    x1: 0,
    x2: 44,
    y1: 6,
    y2: 6,
    stroke: ink(i),
    'stroke-width': 2.2,
    'stroke-dasharray': dash(i).join(' '),
  };
  return svg('svg', { width: 44, height: 12 }, svg('line', line));
}
