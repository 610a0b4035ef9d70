import type { BacktestData, BacktestSeries } from '../backtest-data.js';
import { addRow, embedded, place } from './elements.js';

const { series: all, unit } = embedded() as BacktestData;
const chosenSeries = place<HTMLSelectElement>('series');
const chosenMethod = place<HTMLSelectElement>('method');
const link = place<HTMLAnchorElement>('csv');
/** Hours that are told of, from the worst on. */
const WORST = 12;

const format = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
const when = (seconds: number): string => new Date(seconds * 1_000).toISOString().slice(0, 16).replace('T', ' ');

function offer(select: HTMLSelectElement, names: readonly string[]): void {
  select.replaceChildren(...names.map((name, i) => new Option(name, String(i))));
}

function fill(id: string, head: readonly string[], rows: readonly (readonly (string | undefined)[])[]): void {
  const table = place<HTMLTableElement>(id);
  table.replaceChildren();
  addRow(table.createTHead(), 'th', head);
  const body = table.createTBody();
  for (const row of rows) addRow(body, 'td', row);
}

type Method = BacktestSeries['methods'][number];
let chart: uPlot | undefined;

function draw(): void {
  const series = all[Number(chosenSeries.value)]!;
  const method = series.methods[Number(chosenMethod.value)]!;
  chart?.destroy();
  chart = new uPlot(
    OPTIONS,
    [[...series.times], [...series.actual], [...method.median], [...method.high], [...method.low]],
    place('chart'),
  );
  fill(
    'accuracy',
    ['method', ...Object.keys(method.summary)],
    series.methods.map(({ name, summary }) => [name, ...Object.values(summary)]),
  );
  fill('misses', ['time (UTC)', 'actual', 'forecast', 'off by', 'answered by'], misses(series, method));
  if (link.href.startsWith('blob:')) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([csvOf(series, method)], { type: 'text/csv' }));
}

const line = (label: string, more: Partial<uPlot.Series>): uPlot.Series => ({
  label,
  value: (_, value) => format(value),
  points: { show: false },
  ...more,
});
const OPTIONS: uPlot.Options = {
  width: Math.min(1_160, document.body.clientWidth),
  height: 420,
  tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
  scales: { y: { range: (_, __, max) => [0, max * 1.05] } },
  axes: [{}, { label: unit, size: 80, values: (_, values) => values.map(format) }],
  series: [
    { label: 'time (UTC)', value: (_, value: number | null) => (value === null ? '–' : when(value)) },
    line('actual', { stroke: '#111', width: 2.5 }),
    line('median', { stroke: '#b3420e', width: 1.5, dash: [8, 4] }),
    line('0.9 quantile', { stroke: '#1f5f99', width: 1.2, dash: [2, 3] }),
    line('0.1 quantile', { stroke: 'rgba(31,95,153,.35)', width: 1 }),
  ],
  bands: [{ series: [3, 4], fill: 'rgba(31,95,153,.16)' }],
};

function misses({ times, actual }: BacktestSeries, { median, answeredBy }: Method): (string | undefined)[][] {
  return times
    .flatMap((time, i) => {
      const came = actual[i];
      return came === null || came === undefined
        ? []
        : [{ time, came, expected: median[i] ?? 0, median: median[i], by: answeredBy[i] }];
    })
    .sort((a, b) => Math.abs(b.came - b.expected) - Math.abs(a.came - a.expected))
    .slice(0, WORST)
    .map((one) => [when(one.time), format(one.came), format(one.median), format(one.expected - one.came), one.by]);
}

function csvOf({ times, actual }: BacktestSeries, { median, low, high }: Method): string {
  const rows = times.map((time, i) =>
    [new Date(time * 1_000).toISOString(), actual[i] ?? '', median[i], low[i], high[i]].join(','),
  );
  return ['time,actual,median,q0.1,q0.9', ...rows].join('\n');
}

function offerMethods(): void {
  offer(
    chosenMethod,
    all[Number(chosenSeries.value)]!.methods.map(({ name }) => name),
  );
  draw();
}

offer(
  chosenSeries,
  all.map(({ name }) => name),
);
chosenSeries.onchange = offerMethods;
chosenMethod.onchange = draw;
offerMethods();
