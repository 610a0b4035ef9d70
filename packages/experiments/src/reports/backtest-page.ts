import type { BacktestResult } from '@sageserve/forecast';
import { quoted } from '@sageserve/scenario';
import { browserScript } from '../browser-script.js';
import type { BacktestData, BacktestSeries } from './backtest-data.js';
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

/**
 * A page of its own, without anything to load: actual demand against each forecast with its band of
 * 80 %, and the hours in which it missed most.
 */
export async function backtestPage(results: readonly BacktestResult[], source: string, unit: string): Promise<string> {
  const [{ script, style }, drawing] = await Promise.all([chartAssets(), browserScript('backtest')]);
  const data: BacktestData = { source, unit, series: seriesOf(results) };
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
<script>${drawing}</script>
</body>
</html>
`;
}

function seriesOf(results: readonly BacktestResult[]): BacktestSeries[] {
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
