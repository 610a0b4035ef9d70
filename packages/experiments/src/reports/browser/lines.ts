import type { Level, LineFigure, LineView } from '../figure.js';
import { html } from './elements.js';
import { withData } from './figure-data.js';
import { lineSample, look } from './ink.js';
import { clock, clockTicks, extremes, format, logTicks, withLevel } from './numbers.js';

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
    const view = f.views[Number(select.value)]!;
    chart?.destroy();
    chart = new uPlot(optionsOf(f, view), columnsOf(f, view), box);
    keys.replaceChildren(
      ...view.series.map((one, i) => html('span', { className: 'key' }, lineSample(look(one, i)), one.name)),
    );
    withData(
      figure,
      [f.x.label, ...view.series.map(({ name }) => `${name} (${view.y ?? f.y})`)],
      f.x.values.map((x, i) => [
        f.x.firstDay === undefined ? x : shown(f, x),
        ...view.series.map(({ values }) => values[i]),
      ]),
    );
  };
  select.onchange = draw;
  draw();
}

/** Where a value of the horizontal axis stands. */
const placesOf = ({ x: { values, even } }: LineFigure): number[] =>
  even === true ? values.map((_, i) => i) : [...values];

/** What is shown of a place on the horizontal axis. */
function shown({ x: { values, firstDay, even } }: LineFigure, at: number | null | undefined): string {
  if (at === null || at === undefined) return format(at);
  if (firstDay !== undefined) return clock(at, firstDay);
  return format(even === true ? values[at] : at);
}

function optionsOf(f: LineFigure, view: LineView): uPlot.Options {
  const y = view.y ?? f.y;
  const logs = f.log === true;
  return {
    width: Math.min(1_160, document.body.clientWidth),
    height: 320,
    scales: {
      x: { time: false, range: timeRange(f) },
      y: logs ? { distr: 3, range: () => logRange(view) } : { range: linearRange(view) },
    },
    axes: [
      {
        label: f.x.label,
        values: (_, values) => values.map((value) => shown(f, value)),
        ...splitsOf(f),
      },
      {
        label: y,
        size: 80,
        values: (_, values: (number | null)[]) => values.map((value) => (value === null ? '' : format(value))),
        ...(logs
          ? { splits: (_, __, low, high) => logTicks(low, high), filter: (_: uPlot, splits: number[]) => splits }
          : {}),
      },
    ],
    series: [
      { label: f.x.label, value: (_, value: number | null) => shown(f, value) },
      ...view.series.map((one, i): uPlot.Series => {
        const { colour, dash, width } = look(one, i);
        return {
          label: one.name,
          stroke: colour,
          width,
          dash,
          points: { show: false },
          value: (_, value) => format(value),
        };
      }),
    ],
    ...(view.level === undefined ? {} : { hooks: { draw: [levelLine(view.level)] } }),
  };
}

/** Where the horizontal axis is labelled. */
function splitsOf(f: LineFigure): Pick<uPlot.Axis, 'splits'> {
  if (f.x.firstDay !== undefined) return { splits: (_, __, low, high) => clockTicks(low, high) };
  if (f.x.even !== true) return {};
  const places = placesOf(f);
  return { splits: (_, __, low, high) => places.filter((at) => at >= low && at <= high) };
}

/** From the hour that it begins in: a step is told of at its end. */
function timeRange(f: LineFigure): uPlot.Range.Function {
  const [first] = f.x.values;
  return (_, low, high) => [f.x.firstDay !== undefined && low === first ? Math.floor(low) : low, high];
}

const positive = (value: number | null): value is number => value !== null && value > 0;

/** An axis of powers ends where the lines do. */
function logRange({ series, level }: LineView): [number, number] {
  const values = series.flatMap((one) => one.values.filter(positive));
  if (values.length === 0) return [1, 10];
  const shown = withLevel(values.map(Math.log), level === undefined ? undefined : Math.log(level.value));
  const [low, high] = extremes(shown);
  const room = Math.max(0.05, 0.04 * (high - low));
  return [Math.exp(low - room), Math.exp(high + room)];
}

function linearRange({ level }: LineView): uPlot.Range.Function {
  return (_, __, max) => {
    const [, high] = extremes(withLevel([0, max], level?.value));
    return [0, Math.max(high * 1.05, 1e-9)];
  };
}

/** A level that matters, with its name, over the lines. */
function levelLine({ value, label }: Level): (chart: uPlot) => void {
  return (chart) => {
    const { ctx, bbox } = chart;
    const { min, max } = chart.scales['y']!;
    if (min === undefined || max === undefined || value < min || value > max) return;
    const at = Math.round(chart.valToPos(value, 'y', true));
    ctx.save();
    ctx.strokeStyle = '#333';
    ctx.fillStyle = '#333';
    ctx.lineWidth = 1.2 * devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, at);
    ctx.lineTo(bbox.left + bbox.width, at);
    ctx.stroke();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = 'right';
    ctx.fillText(`${label} ${format(value)}`, bbox.left + bbox.width - 4, at - 5 * devicePixelRatio);
    ctx.restore();
  };
}

function columnsOf(f: LineFigure, { series }: LineView): uPlot.AlignedData {
  const columns = series.map(({ values }) =>
    f.log === true ? values.map((value) => (positive(value) ? value : null)) : [...values],
  );
  return [placesOf(f), ...columns];
}
