import { stat } from 'node:fs/promises';
import { ConfigError, maxOf } from '@sageserve/core';
import {
  characterize,
  openTrace,
  type SkippedRows,
  sortTrace,
  toRecord,
  type TraceFormat,
  type TraceStream,
  type TraceSummary,
  type TrafficSummary,
  writeTrace,
} from '@sageserve/trace';
import { cell, count, decimal, NONE, outTaken, percent, sparkline, table, time } from '@sageserve/experiments';
import { parseDurationMs } from '@sageserve/fleet';
import { buildTraffic, parseScenario, preset, readScenario } from '@sageserve/scenario';
import { notComplete } from '../ending.js';
import { Progress, reportSkippedRows } from './progress.js';

export interface TraceReadOptions {
  readonly format?: string;
  readonly skipBadRows?: boolean;
  readonly json?: boolean;
}

async function open(
  file: string,
  options: TraceReadOptions,
  skipped: SkippedRows,
  signal: AbortSignal,
  anyOrder = false,
): Promise<TraceStream & { readonly format: TraceFormat }> {
  return openTrace(file, {
    signal,
    ...(options.format === undefined ? {} : { format: options.format as TraceFormat }),
    ...(options.skipBadRows === true ? { skippedRows: skipped } : {}),
    anyOrder,
  });
}

/** The same stream, shown on a terminal as it is read. */
function watched(trace: TraceStream, progress: Progress, signal: AbortSignal, durationMs?: number): TraceStream {
  return {
    dictionaries: trace.dictionaries,
    get startEpochMs() {
      return trace.startEpochMs;
    },
    async *batches() {
      let requests = 0;
      for await (const batch of trace.batches()) {
        signal.throwIfAborted();
        requests += batch.length;
        const lastMs = batch.length === 0 ? 0 : batch.arrivedAtMs[batch.length - 1]!;
        yield batch;
        await progress.update(requests, trace.progress ?? (durationMs === undefined ? undefined : lastMs / durationMs));
      }
    },
  };
}

/** Regions and models in a table, those with the most requests. */
const MOST_GROUPS = 50;

/** `sageserve trace inspect`. */
export async function inspectCommand(file: string, options: TraceReadOptions, signal: AbortSignal): Promise<void> {
  const skipped: SkippedRows = { count: 0, examples: [] };
  const trace = await open(file, options, skipped, signal);
  const progress = new Progress('inspect', 'requests');
  let summary: TraceSummary;
  try {
    summary = await characterize(watched(trace, progress, signal));
  } finally {
    progress.stop();
  }
  if (options.json === true) {
    console.log(JSON.stringify({ file, format: trace.format, skippedRows: skipped.count, ...summary }, null, 2));
    return;
  }
  reportSkippedRows(skipped);
  console.log(`${file} (${trace.format})`);
  if (summary.startEpochMs !== undefined) console.log(`starts ${new Date(summary.startEpochMs).toISOString()}`);
  console.log(
    `${count(summary.total.requests)} requests over ${time(summary.durationMs)}, counted in bins of ` +
      `${time(summary.binMs)}\n`,
  );
  const groups: [string, TrafficSummary][] = [['all', summary.total]];
  const leftOut: string[] = [];
  for (const [kind, part] of [
    ['tier', summary.byTier],
    ['region', summary.byRegion],
    ['model', summary.byModel],
  ] as const) {
    const all = Object.entries(part);
    const most = new Set(all.toSorted((a, b) => b[1].requests - a[1].requests).slice(0, MOST_GROUPS));
    for (const entry of all) if (most.has(entry)) groups.push([cell(`${kind} ${entry[0]}`), entry[1]]);
    if (all.length > MOST_GROUPS) leftOut.push(`${count(all.length - MOST_GROUPS)} ${kind}s`);
  }
  console.log(
    table(
      ['', 'share', 'requests/s', 'peak ÷ trough', 'CV of gaps', 'daily autocorr.', 'weekly autocorr.'],
      groups.map(([name, g]) => [
        name,
        percent(g.share, 1),
        decimal(g.requestsPerS, 3),
        decimal(g.peakToTrough, 2),
        decimal(g.gapCv, 2),
        decimal(g.dailyAutocorrelation, 2),
        decimal(g.weeklyAutocorrelation, 2),
      ]),
    ),
  );
  const tokens = (of: (g: TrafficSummary) => TrafficSummary['promptTokens']): string =>
    table(
      ['', 'mean', 'p5', 'p50', 'p95', 'p99', 'max'],
      groups.map(([name, g]) => [
        name,
        ...(g.requests === 0
          ? Array<string>(6).fill(NONE)
          : [decimal(of(g).mean, 1), ...[of(g).p5, of(g).p50, of(g).p95, of(g).p99, of(g).max].map(count)]),
      ]),
    );
  console.log(
    `\nprompt tokens\n${tokens((g) => g.promptTokens)}\n\noutput ` +
      `tokens\n${tokens((g) => g.outputTokens)}\n\nrate over time (from 0)`,
  );
  const width = maxOf(groups.map(([name]) => name.length));
  for (const [name, g] of groups) console.log(`${name.padEnd(width)}  ${sparkline(g.bins, 72)}`);
  if (leftOut.length > 0) console.log(`\n${leftOut.join(' and ')} with fewer requests are not shown (--json has all)`);
}

export interface ConvertOptions extends TraceReadOptions {
  readonly sort?: boolean;
  readonly limit?: string;
}

/** `sageserve trace convert`: any format into our own, its form by the name of the output. */
export async function convertCommand(
  from: string,
  to: string,
  options: ConvertOptions,
  signal: AbortSignal,
): Promise<void> {
  const [source, target] = await Promise.all([from, to].map((path) => stat(path).catch(() => undefined)));
  if (source !== undefined && target !== undefined && source.ino === target.ino && source.dev === target.dev)
    throw new ConfigError('<to>', `${to} is the file that is read; write to another one`);
  const skipped: SkippedRows = { count: 0, examples: [] };
  const trace = await open(from, options, skipped, signal, options.sort === true);
  await write(options.sort === true ? await sortTrace(trace) : trace, to, 'convert', options.limit, signal);
  reportSkippedRows(skipped);
}

export interface GenerateOptions {
  readonly preset?: string;
  readonly scenario?: string;
  readonly seed?: string;
  readonly duration?: string;
  readonly requestsPerDay?: string;
  readonly limit?: string;
}

/** `sageserve trace generate`: the traffic of a preset or scenario as a file. */
export async function generateCommand(to: string, options: GenerateOptions, signal: AbortSignal): Promise<void> {
  const base =
    options.scenario === undefined ? preset(options.preset ?? 'paper-day') : await readScenario(options.scenario);
  const { trace: _, ...traffic } = base.traffic;
  const perDay = options.requestsPerDay === undefined ? undefined : Number(options.requestsPerDay);
  if (perDay !== undefined && !(perDay > 0))
    throw new ConfigError('--requests-per-day', `must be a number above 0, not "${options.requestsPerDay}"`);
  const scenario = parseScenario({
    ...base,
    ...(options.seed === undefined ? {} : { seed: /^-?\d+$/.test(options.seed) ? Number(options.seed) : options.seed }),
    ...(options.duration === undefined ? {} : { duration: options.duration }),
    traffic: { ...traffic, ...(perDay === undefined ? {} : { requestsPerDay: perDay }) },
  });
  await write(
    await buildTraffic(scenario, undefined, signal),
    to,
    'generate',
    options.limit,
    signal,
    scenario.duration === undefined ? undefined : parseDurationMs(scenario.duration),
  );
}

async function write(
  trace: TraceStream,
  to: string,
  label: string,
  limitText: string | undefined,
  signal: AbortSignal,
  durationMs?: number,
): Promise<void> {
  const limit = limitText === undefined ? undefined : wholeNumber('--limit', limitText);
  const progress = new Progress(label, 'requests');
  let complete = (): void => undefined;
  try {
    const written = await writeTrace(to, watched(trace, progress, signal, durationMs), {
      signal,
      ...(limit === undefined ? {} : { limit }),
      onPartial(path) {
        complete = notComplete(path, to);
      },
    });
    progress.stop();
    console.log(`${count(written)} requests in ${to}`);
  } finally {
    complete();
    progress.stop();
  }
}

export interface HeadOptions extends TraceReadOptions {
  readonly rows?: string;
}

/** Rows of a table. */
const MOST_ROWS = 10_000;

/** `sageserve trace head`: the first requests as they are understood. */
export async function headCommand(file: string, options: HeadOptions, signal: AbortSignal): Promise<void> {
  const rows = wholeNumber('--rows', options.rows ?? '10');
  const skipped: SkippedRows = { count: 0, examples: [] };
  const trace = await open(file, options, skipped, signal);
  if (options.json !== true && rows > MOST_ROWS)
    throw new ConfigError('--rows', `must be ${count(MOST_ROWS)} at most for a table`, {
      hint: 'With --json there may be any number.',
    });
  const records: Record<string, unknown>[] = [];
  let shown = 0;
  for await (const batch of trace.batches()) {
    for (let i = 0; i < batch.length && shown < rows; i++, shown++) {
      const record = toRecord(batch, i, trace.dictionaries);
      if (options.json === true) console.log(JSON.stringify(record));
      else records.push(record);
    }
    if (options.json === true) await outTaken(signal);
    if (shown >= rows) break;
  }
  reportSkippedRows(skipped);
  if (options.json === true) return;
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
  console.log(
    table(
      columns,
      records.map((record) => columns.map((column) => text(record[column]))),
    ),
  );
}

function text(value: unknown): string {
  return Array.isArray(value)
    ? value.join('|')
    : typeof value === 'string' || typeof value === 'number'
      ? String(value)
      : '';
}

function wholeNumber(option: string, value: string): number {
  if (!/^\d+$/.test(value)) throw new ConfigError(option, `must be a whole number, not "${value}"`);
  return Number(value);
}
