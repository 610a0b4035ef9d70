import type { Level, LineFigure, LineView } from '../figure.js';
import { html } from './elements.js';
import { withData } from './figure-data.js';
import { lineSample, type Look, look } from './ink.js';
import { clock, clockTicks, extremes, format, isNear, logTicks, moment, withLevel } from './numbers.js';

/** Lines over one axis, in several sets to choose from. */
export function drawLines(f: LineFigure, figure: HTMLElement): void {
  const box = html('div', {});
  const select = html('select', {}, ...f.views.map((view, i) => new Option(view.name, String(i))));
  select.setAttribute('aria-label', `${f.title}: what is shown`);
  if (f.views.length > 1) figure.append(html('p', {}, select));
  const keys = html('p', {});
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', `${f.title}, drawn; its data are below`);
  figure.append(keys, box);
  let chart: uPlot | undefined;
  addEventListener('resize', () => chart?.setSize({ width: widthOf(figure), height: HEIGHT }));
  const draw = (): void => {
    const view = f.views[Number(select.value)]!;
    chart?.destroy();
    const lines = view.series.map((one, i): Line => ({ ...one, look: look(one, i) }));
    chart = new uPlot(optionsOf(f, view, lines, widthOf(figure)), columnsOf(f, inOrder(lines)), box);
    for (const name of box.querySelectorAll<HTMLElement>('.u-legend th')) clickedByKeys(name);
    const hidden = hiddenLevel(f, view);
    keys.replaceChildren(
      ...lines.map((one) => html('span', { className: 'key' }, lineSample(one.look), one.name)),
      ...(hidden === undefined ? [] : [html('span', { className: 'note', textContent: hidden })]),
    );
    withData(
      figure,
      `${f.title}, ${view.name}`,
      [f.x.label, ...view.series.map(({ name }) => `${name} (${view.y ?? f.y})`)],
      f.x.values.map((x, i) => [
        f.x.firstDay === undefined ? x : moment(x, f.x.firstDay),
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

type Line = LineView['series'][number] & { readonly look: Look };

/** Ours first, so that what has the same course is seen over it. */
const inOrder = (lines: readonly Line[]): Line[] => [
  ...lines.filter(({ strong }) => strong === true),
  ...lines.filter(({ strong }) => strong !== true),
];

const HEIGHT = 320;

/** As wide as the page is, within reason. */
const widthOf = (figure: HTMLElement): number => Math.max(320, Math.min(1_160, figure.clientWidth));

/** What a click does, Enter and the space bar do too. */
function clickedByKeys(name: HTMLElement): void {
  name.tabIndex = 0;
  name.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    name.click();
  });
}

function optionsOf(f: LineFigure, view: LineView, lines: readonly Line[], width: number): uPlot.Options {
  const y = view.y ?? f.y;
  const logs = f.log === true;
  return {
    width,
    height: HEIGHT,
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
      {
        label: f.x.label,
        value: (_, value: number | null) =>
          value === null || f.x.firstDay === undefined ? shown(f, value) : moment(value, f.x.firstDay),
      },
      ...inOrder(lines).map(({ name, look: { colour, dash, width: thick } }): uPlot.Series => ({
        label: name,
        stroke: colour,
        width: thick,
        dash,
        points: { show: false },
        value: (_, value) => format(value),
      })),
    ],
    ...(view.level === undefined ? {} : { hooks: { draw: [levelLine(view.level)] } }),
  };
}

/** Where the horizontal axis is labelled. */
function splitsOf(f: LineFigure): Pick<uPlot.Axis, 'splits'> {
  if (f.x.firstDay !== undefined)
    return {
      splits: ({ width }, __, low, high) => clockTicks(low, high, Math.max(3, Math.floor(width / WIDEST_TICK))),
    };
  if (f.x.even !== true) return {};
  const places = placesOf(f);
  return { splits: (_, __, low, high) => places.filter((at) => at >= low && at <= high) };
}

/** Room for a date under the axis. */
const WIDEST_TICK = 85;

/** From the beginning of the first step: each is told of at its end. */
function timeRange(f: LineFigure): uPlot.Range.Function {
  const [first = 0, second = first] = f.x.values;
  return (_, low, high) => [f.x.firstDay !== undefined && low === first ? first - (second - first) : low, high];
}

const positive = (value: number | null): value is number => value !== null && value > 0;

/** An axis of powers ends where the lines do. */
function logRange({ series, level }: LineView): [number, number] {
  const values = series.flatMap((one) => one.values.filter(positive));
  if (values.length === 0) return [1, 10];
  const at = level === undefined ? undefined : Math.log(level.value);
  const [low, high] = extremes(withLevel(values.map(Math.log), at, LEAST_LOG));
  // What hardly differs is to look like it.
  const room = Math.max(0.04 * (high - low), (LEAST_LOG - (high - low)) / 2);
  return [Math.exp(low - room), Math.exp(high + room)];
}

/** The least that an axis of powers shows: a factor of three. */
const LEAST_LOG = Math.log(3);

function linearRange({ level }: LineView): uPlot.Range.Function {
  return (_, __, max) => {
    const [, high] = extremes(withLevel([0, max], level?.value));
    return [0, high > 0 ? high * 1.05 : 1];
  };
}

/** What is said of a level that lies too far from the lines to be drawn. */
function hiddenLevel(f: LineFigure, view: LineView): string | undefined {
  if (view.level === undefined) return undefined;
  const { value, label, unit = '' } = view.level;
  const values = view.series.flatMap((one) => one.values.filter((known) => known !== null));
  const isShown =
    f.log === true
      ? isNear(values.filter(positive).map(Math.log), Math.log(value), LEAST_LOG)
      : isNear([0, ...values], value);
  return isShown ? undefined : `${label} ${format(value)}${unit}, beyond what is drawn`;
}

/** A level that matters, with its name, over the lines. */
function levelLine({ value, label, unit = '' }: Level): (chart: uPlot) => void {
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
    const text = `${label} ${format(value)}${unit}`;
    const [x, y] = [bbox.left + bbox.width - 4, at - 5 * devicePixelRatio];
    // Legible on whatever is drawn under it.
    ctx.setLineDash([]);
    ctx.lineJoin = 'round';
    ctx.lineWidth = 4 * devicePixelRatio;
    ctx.strokeStyle = '#fff';
    ctx.strokeText(text, x, y);
    ctx.fillText(text, x, y);
    ctx.restore();
  };
}

function columnsOf(f: LineFigure, lines: readonly Line[]): uPlot.AlignedData {
  const columns = lines.map(({ values }) =>
    f.log === true ? values.map((value) => (positive(value) ? value : null)) : [...values],
  );
  return [placesOf(f), ...columns];
}
