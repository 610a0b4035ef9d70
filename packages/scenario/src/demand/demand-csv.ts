import { gunzipSync } from 'node:zlib';
import { ConfigError, type DemandSeries, modelId, regionId, TraceFormatError } from '@sageserve/core';
import { readFailure } from '@sageserve/fleet';
import { csvRows, readWhole } from '../input-file.js';
import { MOST_CELLS } from './demand-of-trace.js';

const PROMPT = 'prompt_tokens_per_s';
const OUTPUT = 'output_tokens_per_s';
const REQUESTS = 'requests_per_s';
const TIME_NAMES = /^(time|timestamp|datetime|date|start|bucket)(_utc|_ms|_s)?$|^start_utc$/i;
/** Numbers from here on are milliseconds since 1970, not seconds. */
const MS_FROM = 1e11;
const LATEST_MS = Date.UTC(2200, 0, 1);
/** Two weeks of a thousand series in buckets of ten minutes are two million lines, of 120 MB. */
const MOST_LINES = 2_000_000;
const MOST_MB = 128;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/**
 * Tokens or requests of a bucket, or a second, beyond any fleet; what forecasters make of it stays
 * a number.
 */
const MOST_A_BUCKET = 1e15;
const LF = 10;

/**
 * Series as a CSV of demand, one row for each bucket:
 * `time,model,region,requests_per_s,prompt_tokens_per_s,output_tokens_per_s`. A bucket that was not
 * observed has empty fields.
 */
export function demandCsv(series: readonly DemandSeries[]): string {
  const number = (value: number): string => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(9))));
  let text = `time,model,region,${REQUESTS},${PROMPT},${OUTPUT}\n`;
  for (const { key, startMs, stepMs, requestsPerS, promptTokensPerS, outputTokensPerS } of series)
    for (const [t, prompt] of promptTokensPerS.entries())
      text +=
        `${new Date(startMs + t * stepMs).toISOString()},${quoted(key.modelId)},${quoted(key.regionId)},` +
        `${number(requestsPerS[t]!)},${number(prompt)},${number(outputTokensPerS[t]!)}\n`;
  return text;
}

/** A field of a CSV, in quotes where it needs them. */
export function quoted(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export interface DemandTable {
  readonly series: DemandSeries[];
  /** What the numbers count. */
  readonly unit: string;
}

/**
 * Demand from a CSV, plain or `.gz`: what {@link demandCsv} writes, or a column of times and one of
 * counts or rates. Buckets without a row, and empty fields, are not observed. Throws
 * `TraceFormatError` with line and column for a field that can't be read, a negative number, a time
 * that is there twice or off the step.
 */
export async function readDemandCsv(file: string, columnName?: string, option = '--counts'): Promise<DemandTable> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(file, MOST_MB);
    if (file.endsWith('.gz')) bytes = gunzipSync(bytes, { maxOutputLength: MOST_MB << 20 });
  } catch (cause) {
    const tooLarge = (cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new ConfigError(
      option,
      `can't read ${file}: ${tooLarge ? `unpacked it has more than ${MOST_MB} MB` : readFailure(cause)}`,
      { cause },
    );
  }
  let lines = 0;
  for (let i = bytes.indexOf(LF); i !== -1; i = bytes.indexOf(LF, i + 1)) lines++;
  if (lines > MOST_LINES)
    throw new ConfigError(option, `${file} has more than ${MOST_LINES.toLocaleString('en-US')} lines`, {
      hint: 'Give longer buckets, or fewer of them.',
    });
  const rows = csvRows(bytes.toString('utf8'), file);
  const head = rows[0]?.fields.map((name) => name.trim()) ?? [];
  if (rows.length < 2 || head.length < 2)
    throw new TraceFormatError({ file, line: 1 }, 'has no rows of demand', {
      hint: 'It needs a header, a column of times and one of counts.',
    });
  const timeAt = Math.max(
    0,
    head.findIndex((name) => TIME_NAMES.test(name)),
  );
  const at = (name: string): number => head.findIndex((column) => column.toLowerCase() === name);
  const valueColumns = valuesOf(head, timeAt, columnName, file);
  const groups = new Map<
    string,
    { model: string; region: string; rows: { line: number; ms: number; values: number[] }[] }
  >();
  for (const { line, fields: row } of rows.slice(1)) {
    if (row.length !== head.length)
      throw new TraceFormatError({ file, line }, `has ${row.length} fields where the header has ${head.length}`);
    const ms = timeOf(row[timeAt]!.trim(), head[timeAt]!);
    if (ms !== undefined && Math.abs(ms) > LATEST_MS)
      throw new TraceFormatError({ file, line, column: head[timeAt] }, `"${row[timeAt]}" lies beyond the year 2200`, {
        hint: 'Numbers are seconds or milliseconds since 1970.',
      });
    if (ms === undefined)
      throw new TraceFormatError({ file, line, column: head[timeAt] }, `"${row[timeAt]}" is no time`, {
        hint: 'Write 2024-05-12T00:10Z, or seconds.',
      });
    const values = valueColumns.map(({ index }) => {
      const text = row[index]!.trim();
      if (text === '' || text.toLowerCase() === 'nan') return NaN;
      const value = DECIMAL.test(text) ? Number(text) : NaN;
      if (!(value >= 0 && value <= MOST_A_BUCKET))
        throw new TraceFormatError(
          { file, line, column: head[index] },
          `"${text}" is not a number from 0 to ${MOST_A_BUCKET}`,
          {
            hint: 'Leave the field empty where nothing was observed.',
          },
        );
      return value;
    });
    const model = at('model') === -1 ? 'demand' : row[at('model')]!.trim();
    const region = at('region') === -1 ? 'all' : row[at('region')]!.trim();
    const id = JSON.stringify([model, region]);
    const group = groups.get(id) ?? { model, region, rows: [] };
    group.rows.push({ line, ms, values });
    groups.set(id, group);
  }
  if (groups.size === 0) throw new TraceFormatError({ file, line: 2 }, 'has no rows of demand');
  // One step for the file: a model of which little is there has the same buckets as the others.
  let stepMs = Infinity;
  const sortedGroups = [...groups.values()].map((group) => ({
    ...group,
    sorted: group.rows.toSorted((a, b) => a.ms - b.ms),
  }));
  for (const { sorted } of sortedGroups) {
    for (const [i, row] of sorted.entries()) {
      const gap = i === 0 ? Infinity : row.ms - sorted[i - 1]!.ms;
      if (gap === 0)
        throw new TraceFormatError(
          { file, line: row.line, column: head[timeAt] },
          `the time of line ${sorted[i - 1]!.line} again`,
        );
      stepMs = Math.min(stepMs, gap);
    }
  }
  if (stepMs === Infinity)
    throw new TraceFormatError(
      { file, line: sortedGroups[0]!.sorted[0]!.line },
      'a single row does not tell how long a bucket is',
      {
        hint: 'Give two at least.',
      },
    );
  let cells = 0;
  const series = sortedGroups.map((group): DemandSeries => {
    const { sorted } = group;
    const startMs = sorted[0]!.ms;
    const length = Math.round((sorted.at(-1)!.ms - startMs) / stepMs) + 1;
    cells += length;
    if (cells > MOST_CELLS)
      throw new TraceFormatError(
        { file, line: sorted.at(-1)!.line, column: head[timeAt] },
        `lies ${length} buckets of ${stepMs} ms after the first, which makes more than ` +
          `${MOST_CELLS.toLocaleString('en-US')} in all series`,
        {
          hint:
            'The two rows that are nearest to each other say how long a bucket is: give longer ones, or fewer ' +
            'series.',
        },
      );
    const columns = valueColumns.map(() => new Float64Array(length).fill(NaN));
    for (const { line, ms, values } of sorted) {
      const bucket = (ms - startMs) / stepMs;
      if (Math.abs(bucket - Math.round(bucket)) > 0.01)
        throw new TraceFormatError(
          { file, line, column: head[timeAt] },
          `is no multiple of the step, ${stepMs / 1_000} s, after the first row`,
          {
            hint: 'Buckets must be of equal length.',
          },
        );
      for (const [c, value] of values.entries()) columns[c]![Math.round(bucket)] = value;
    }
    const column = (kind: string): Float64Array | undefined => columns[valueColumns.findIndex((v) => v.kind === kind)];
    const prompt = column(PROMPT) ?? column('value');
    const output = column(OUTPUT);
    const known = (prompt ?? output)!;
    // A stream that the file does not have is 0 where the others were observed.
    const absent = known.map((value) => (Number.isNaN(value) ? NaN : 0));
    return {
      key: { modelId: modelId(group.model), regionId: regionId(group.region) },
      startMs,
      stepMs,
      promptTokensPerS: prompt ?? absent,
      outputTokensPerS: output ?? absent,
      requestsPerS: column(REQUESTS) ?? absent,
    };
  });
  return { series, unit: valueColumns[0]!.kind === 'value' ? head[valueColumns[0]!.index]! : 'tokens/s' };
}

interface ValueColumn {
  readonly index: number;
  readonly kind: string;
}

function valuesOf(
  head: readonly string[],
  timeAt: number,
  columnName: string | undefined,
  file: string,
): ValueColumn[] {
  const names = head.map((name) => name.toLowerCase());
  if (columnName !== undefined) {
    const index = names.indexOf(columnName.toLowerCase());
    if (index === -1)
      throw new ConfigError('--column', `${file} has no column "${columnName}"`, {
        hint: `It has ${head.join(', ')}.`,
      });
    return [{ index, kind: 'value' }];
  }
  const known = [PROMPT, OUTPUT, REQUESTS]
    .filter((name) => names.includes(name))
    .map((name) => ({ index: names.indexOf(name), kind: name }));
  if (known.some(({ kind }) => kind !== REQUESTS)) return known;
  const others = names
    .map((name, index) => ({ name, index }))
    .filter(({ name, index }) => index !== timeAt && name !== 'model' && name !== 'region');
  if (others.length !== 1)
    throw new ConfigError('--column', `${file} has ${others.length} columns that could be the counts`, {
      hint:
        `Name one of ${others.map(({ index }) => head[index]).join(', ')} with --column, or call them ${PROMPT} ` +
        `and ${OUTPUT}.`,
    });
  return [{ index: others[0]!.index, kind: 'value' }];
}

function timeOf(text: string, column: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text)) {
    const value = Number(text);
    return /_ms$/i.test(column) || value >= MS_FROM ? value : value * 1_000;
  }
  // Only ISO 8601, which does not change with the machine; a time without a zone is UTC.
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(z|[+-]\d\d:?\d\d)?)?$/i.exec(text);
  if (match === null) return undefined;
  // The language takes the 30th of February for the 1st of March.
  const [year, month, day] = match[1]!.split('-').map(Number);
  if (new Date(Date.UTC(year!, month! - 1, day)).getUTCDate() !== day) return undefined;
  const ms = Date.parse(match[2] === undefined ? match[1]! : `${match[1]}T${match[2]}${match[3] ?? 'Z'}`);
  return Number.isNaN(ms) ? undefined : ms;
}
