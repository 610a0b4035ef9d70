import type { BacktestResult } from '@sageserve/forecast';
import { quoted } from '@sageserve/scenario';
import { chartAssets, embeddedJson, escapeHtml, PAGE_STYLE } from './page.js';

/** Forecasts and what came, one row for each bucket that was forecast. */
export function backtestCsv(results: readonly BacktestResult[]): string {
  const levels = results[0]?.quantiles.map(({ level }) => `q${level}`) ?? [];
  let text = `model,region,method,made_at,time,actual,mean,${levels.join(',')}\n`;
  for (const r of results) {
    for (const [i, origin] of r.origins.entries()) {
      const madeAt = new Date(r.startMs + origin * r.stepMs).toISOString();
      for (let h = 0; h < r.horizonSteps; h++) {
        const k = i * r.horizonSteps + h;
        const numbers = [r.actual[k]!, r.mean[k]!, ...r.quantiles.map(({ values }) => values[k]!)].map((x) =>
          Number.isNaN(x) ? '' : Number(x.toPrecision(7)),
        );
        text += `${quoted(r.key.modelId)},${quoted(r.key.regionId)},${quoted(r.method)},${madeAt},${new Date(r.startMs + (origin + h) * r.stepMs).toISOString()},${numbers.join(',')}\n`;
      }
    }
  }
  return text;
}

/** What the page's script draws. */
interface PageSeries {
  readonly name: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly actual: readonly (number | null)[];
  readonly methods: readonly {
    readonly name: string;
    readonly summary: Readonly<Record<string, string>>;
    readonly median: readonly (number | null)[];
    readonly low: readonly (number | null)[];
    readonly high: readonly (number | null)[];
    readonly answeredBy: readonly string[];
  }[];
}

/**
 * A page of its own, without anything to load: actual demand against each forecast with its band of
 * 80 %, and the hours in which it missed most.
 */
export async function backtestPage(results: readonly BacktestResult[], source: string, unit: string): Promise<string> {
  const { script, style } = await chartAssets();
  const data = { source, unit, series: pageSeries(results) };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Forecasts of ${escapeHtml(source)}</title>
<style>${style}${PAGE_STYLE}
#misses th:last-child, #misses td:last-child { text-align: left; }
</style>
</head>
<body>
<h1>Forecasts of ${escapeHtml(source)}</h1>
<p>Each forecast was made from what lay before it and nothing else. Drag over the chart to look closer, double-click to look at all again.</p>
<p><label>Series <select id="series"></select></label><label>Method <select id="method"></select></label><a id="csv" download="forecasts.csv" href="#">data as CSV</a></p>
<div id="chart"></div>
<p class="note">Thick line: what came. Dashed: the forecast's median. Shaded: from its 0.1 to its 0.9 quantile, dotted at the top.</p>
<table id="accuracy"></table>
<h2>Where it missed most</h2>
<table id="misses"></table>
<script>${script}</script>
<script type="application/json" id="data">${embeddedJson(data)}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function pageSeries(results: readonly BacktestResult[]): PageSeries[] {
  const bySeries = new Map<string, BacktestResult[]>();
  for (const result of results) {
    const name = result.key.regionId === 'all' ? result.key.modelId : `${result.key.modelId} in ${result.key.regionId}`;
    bySeries.set(name, [...(bySeries.get(name) ?? []), result]);
  }
  return [...bySeries].map(([name, own]) => {
    const first = own[0]!;
    // Where forecasts overlap, each bucket is drawn from the newest that was made before it.
    const shown = first.origins.flatMap((origin, i) => {
      const next = first.origins[i + 1] ?? Infinity;
      return Array.from({ length: Math.min(first.horizonSteps, next - origin) }, (_, h) => i * first.horizonSteps + h);
    });
    const pick = (values: Float64Array): (number | null)[] =>
      shown.map((k) => (Number.isNaN(values[k]!) ? null : Number(values[k]!.toPrecision(5))));
    return {
      name,
      times: shown.map(
        (k) =>
          (first.startMs +
            (first.origins[Math.floor(k / first.horizonSteps)]! + (k % first.horizonSteps)) * first.stepMs) /
          1_000,
      ),
      actual: pick(first.actual),
      methods: own.map((r) => {
        const at = (level: number): Float64Array => r.quantiles.find((q) => q.level === level)!.values;
        const share = (x: number | undefined): string => (x === undefined ? '–' : `${(100 * x).toFixed(1)} %`);
        return {
          name: r.method,
          summary: {
            'WAPE of buckets': share(r.buckets.wape),
            'WAPE of peaks': share(r.peaks.wape),
            MASE: r.buckets.mase?.toFixed(2) ?? '–',
            'under the 0.9 quantile': share(r.buckets.under90),
            'peaks under it': share(r.peaks.under90),
            'inside 80 %': share(r.buckets.inside80),
          },
          median: pick(at(0.5)),
          low: pick(at(0.1)),
          high: pick(at(0.9)),
          answeredBy: shown.map((k) => r.answeredBy[Math.floor(k / r.horizonSteps)]!),
        };
      }),
    };
  });
}

/** Runs in the reader's browser. */
const PAGE_SCRIPT = String.raw`
const data = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const format = (x) => x == null ? '–' : x.toLocaleString('en-US', { maximumSignificantDigits: 4 });
const when = (s) => new Date(s * 1000).toISOString().slice(0, 16).replace('T', ' ');
const options = (select, names) => select.replaceChildren(...names.map((name, i) => new Option(name, i)));
options($('series'), data.series.map((s) => s.name));
let chart;
function methodsOf() { options($('method'), data.series[$('series').value].methods.map((m) => m.name)); draw(); }
function table(element, head, rows) {
  element.replaceChildren();
  const line = (parent, tag, cells) => { const tr = parent.insertRow(); for (const text of cells) { const c = document.createElement(tag); c.textContent = text; tr.append(c); } };
  line(element.createTHead(), 'th', head);
  const body = element.createTBody();
  for (const row of rows) line(body, 'td', row);
}
function draw() {
  const s = data.series[$('series').value], m = s.methods[$('method').value];
  chart?.destroy();
  const line = (label, more) => ({ label, value: (u, v) => format(v), points: { show: false }, ...more });
  chart = new uPlot({
    width: Math.min(1160, document.body.clientWidth), height: 420,
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC'),
    scales: { y: { range: (u, min, max) => [0, max * 1.05] } },
    axes: [{}, { label: data.unit, size: 80, values: (u, v) => v.map(format) }],
    series: [{ label: 'time (UTC)', value: (u, v) => v == null ? '–' : when(v) },
      line('actual', { stroke: '#111', width: 2.5 }), line('median', { stroke: '#b3420e', width: 1.5, dash: [8, 4] }),
      line('0.9 quantile', { stroke: '#1f5f99', width: 1.2, dash: [2, 3] }), line('0.1 quantile', { stroke: 'rgba(31,95,153,.35)', width: 1 })],
    bands: [{ series: [3, 4], fill: 'rgba(31,95,153,.16)' }],
  }, [s.times, s.actual, m.median, m.high, m.low], $('chart'));
  table($('accuracy'), ['method', ...Object.keys(m.summary)], s.methods.map((x) => [x.name, ...Object.values(x.summary)]));
  const misses = s.times.map((t, i) => ({ t, actual: s.actual[i], median: m.median[i], by: m.answeredBy[i] })).filter((x) => x.actual != null)
    .sort((a, b) => Math.abs(b.actual - b.median) - Math.abs(a.actual - a.median)).slice(0, 12);
  table($('misses'), ['time (UTC)', 'actual', 'forecast', 'off by', 'answered by'], misses.map((x) => [when(x.t), format(x.actual), format(x.median), format(x.median - x.actual), x.by]));
  const csv = ['time,actual,median,q0.1,q0.9', ...s.times.map((t, i) => [new Date(t * 1000).toISOString(), s.actual[i] ?? '', m.median[i], m.low[i], m.high[i]].join(','))].join('\n');
  if ($('csv').href.startsWith('blob:')) URL.revokeObjectURL($('csv').href);
  $('csv').href = URL.createObjectURL(new Blob([csv], { type: 'text/csv' }));
}
$('series').onchange = methodsOf;
$('method').onchange = draw;
methodsOf();
`;
