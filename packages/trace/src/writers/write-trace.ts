import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { SageServeError, WORKLOAD_TIERS } from '@sageserve/core';
import type { RequestBatch, TraceDictionaries, TraceStream } from '../request-batch.js';
import { shortened } from '../in-memory.js';
import { UNSPECIFIED } from '../mapping.js';
import { TRACE_COLUMNS } from '../readers/sageserve.js';
import { type ParquetColumn, ParquetTable } from './parquet-table.js';
import { replaceWith } from './replace-file.js';
import { cantWrite } from './write-failure.js';

export interface WriteTraceOptions {
  readonly signal?: AbortSignal;
  /** Stop after this many requests. */
  readonly limit?: number;
  readonly onProgress?: (requests: number, lastArrivalMs: number) => void;
  /** Told where the file stands until it is complete: for whoever ends the process before that. */
  readonly onPartial?: (path: string) => void;
}

/**
 * Writes a trace in our own schema, its form chosen by the name: `.csv`, `.jsonl` (both also with
 * `.gz`) or `.parquet`. The file appears under its name when it is complete; a failed or aborted
 * write leaves none. Returns how many requests were written. Throws `SageServeError` (ERR_OUTPUT)
 * where the disk takes no more.
 */
export async function writeTrace(path: string, trace: TraceStream, options: WriteTraceOptions = {}): Promise<number> {
  const plain = path.replace(/\.gz$/, '');
  const form = plain.endsWith('.csv')
    ? 'csv'
    : plain.endsWith('.jsonl')
      ? 'jsonl'
      : path.endsWith('.parquet')
        ? 'parquet'
        : undefined;
  if (form === undefined)
    throw new SageServeError(
      'ERR_TRACE_FILE',
      `${path}: the name must end in .csv, .jsonl (both also .gz) or .parquet`,
    );
  const write = (partial: string): Promise<number> =>
    form === 'parquet' ? writeParquet(partial, trace, options) : writeLines(path, partial, form, trace, options);
  try {
    return await replaceWith(path, write, {
      onPartial(partial) {
        options.onPartial?.(partial);
        return undefined;
      },
    });
  } catch (error) {
    // The disk speaks of the partial file, the user of the file.
    const refused = error instanceof SageServeError && error.code.startsWith('ERR_OUTPUT') ? error.cause : error;
    throw isOfFileSystem(refused) ? cantWrite(path, refused) : error;
  }
}

/** An error of the disk or the system, as against one of the trace. */
function isOfFileSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

async function writeLines(
  path: string,
  partial: string,
  form: 'csv' | 'jsonl',
  trace: TraceStream,
  options: WriteTraceOptions,
): Promise<number> {
  const file = createWriteStream(partial);
  try {
    await once(file, 'open').catch((cause: unknown) => {
      throw cantWrite(path, cause);
    });
    return await writeRows(path, file, form, trace, options);
  } catch (error) {
    file.destroy();
    throw error;
  }
}

async function writeRows(
  path: string,
  file: Writable,
  form: 'csv' | 'jsonl',
  trace: TraceStream,
  options: WriteTraceOptions,
): Promise<number> {
  const gzip = path.endsWith('.gz') ? createGzip({ level: 6 }) : undefined;
  const out: Writable = gzip ?? file;
  gzip?.pipe(file);
  const done = finished(file);
  // Errors surface where the stream is awaited below.
  done.catch(() => undefined);
  let written = 0;
  for await (const batch of limited(trace, options)) {
    const first = written === 0;
    let text = '';
    if (first && form === 'csv')
      text = `${trace.startEpochMs === undefined ? '' : `# start=${new Date(trace.startEpochMs).toISOString()}\n`}${TRACE_COLUMNS.join(',')}\n`;
    for (let i = 0; i < batch.length; i++) {
      text +=
        form === 'csv'
          ? csvRow(batch, i, trace.dictionaries)
          : jsonRow(batch, i, trace.dictionaries, first && i === 0 ? trace.startEpochMs : undefined);
    }
    written += batch.length;
    if (!out.write(text)) await Promise.race([once(out, 'drain'), done]);
    options.onProgress?.(written, batch.arrivedAtMs[batch.length - 1]);
  }
  if (written === 0 && form === 'csv') out.write(`${TRACE_COLUMNS.join(',')}\n`);
  out.end();
  await done;
  return written;
}

function csvRow(b: RequestBatch, i: number, d: TraceDictionaries): string {
  const deadline = b.deadlineAtMs[i];
  const list = b.regionList[i];
  return (
    `${seconds(b.arrivedAtMs[i])},${b.promptTokens[i]},${b.outputTokens[i]},${b.requestId[i]},` +
    `${csv(named(d.regions[b.originRegion[i]]) ?? '')},${csv(named(d.models[b.model[i]]) ?? '')},` +
    `${WORKLOAD_TIERS[b.tier[i]]},${deadline >= 0 ? seconds(deadline) : ''},` +
    `${list === -1 ? '' : csv(d.regionLists[list].map((r) => d.regions[r]).join('|'))},` +
    `${b.tenant[i] === -1 ? '' : csv(d.tenants[b.tenant[i]])},` +
    `${b.application[i] === -1 ? '' : csv(d.applications[b.application[i]])},${b.priority[i]}\n`
  );
}

/** A name that stands for none is not written: whoever reads the trace may fill it in. */
function named(name: string): string | undefined {
  return name === UNSPECIFIED ? undefined : name;
}

function csv(text: string): string {
  if (/[\n\r]/.test(text))
    throw new SageServeError(
      'ERR_TRACE_FILE',
      `the name ${JSON.stringify(text)} has a line break and can't be written as CSV`,
      {
        hint: 'Write .jsonl or .parquet.',
      },
    );
  return /[",#]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Milliseconds as seconds, exact to a nanosecond and without an exponent. */
function seconds(ms: number): string {
  const text = String(ms / 1_000);
  return text.includes('e') ? (ms / 1_000).toFixed(9) : text;
}

function jsonRow(b: RequestBatch, i: number, d: TraceDictionaries, startEpochMs: number | undefined): string {
  const start = startEpochMs === undefined ? {} : { start: new Date(startEpochMs).toISOString() };
  return `${JSON.stringify({ ...start, ...withoutUnspecified(toRecord(b, i, d)) })}\n`;
}

function withoutUnspecified(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== UNSPECIFIED));
}

/** One request as an object of our own schema; what it does not have is left out. */
export function toRecord(b: RequestBatch, i: number, d: TraceDictionaries): Record<string, unknown> {
  const list = b.regionList[i];
  return {
    arrived_at_s: b.arrivedAtMs[i] / 1_000,
    prompt_tokens: b.promptTokens[i],
    output_tokens: b.outputTokens[i],
    request_id: b.requestId[i],
    origin_region: d.regions[b.originRegion[i]],
    model: d.models[b.model[i]],
    tier: WORKLOAD_TIERS[b.tier[i]],
    ...(b.deadlineAtMs[i] >= 0 ? { deadline_s: b.deadlineAtMs[i] / 1_000 } : {}),
    ...(list === -1 ? {} : { allowed_regions: d.regionLists[list].map((r) => d.regions[r]) }),
    ...(b.tenant[i] === -1 ? {} : { tenant: d.tenants[b.tenant[i]] }),
    ...(b.application[i] === -1 ? {} : { application: d.applications[b.application[i]] }),
    ...(b.priority[i] === 0 ? {} : { priority: b.priority[i] }),
  };
}

const PARQUET_COLUMNS: readonly ParquetColumn[] = [
  { name: 'arrived_at_s', type: 'double' },
  { name: 'prompt_tokens', type: 'int32' },
  { name: 'output_tokens', type: 'int32' },
  { name: 'request_id', type: 'int64' },
  { name: 'origin_region', type: 'text', optional: true },
  { name: 'model', type: 'text', optional: true },
  { name: 'tier', type: 'text' },
  { name: 'deadline_s', type: 'double', optional: true },
  { name: 'allowed_regions', type: 'text', optional: true },
  { name: 'tenant', type: 'text', optional: true },
  { name: 'application', type: 'text', optional: true },
  { name: 'priority', type: 'int32' },
];

async function writeParquet(partial: string, trace: TraceStream, options: WriteTraceOptions): Promise<number> {
  let table: ParquetTable | undefined;
  // Opened with the first batch at hand, since only then is the trace's start known.
  const open = (): ParquetTable => {
    return new ParquetTable(
      partial,
      PARQUET_COLUMNS,
      trace.startEpochMs === undefined ? {} : { metadata: { start: new Date(trace.startEpochMs).toISOString() } },
    );
  };
  try {
    for await (const b of limited(trace, options)) {
      table ??= open();
      const d = trace.dictionaries;
      for (let i = 0; i < b.length; i++) {
        const list = b.regionList[i];
        const deadline = b.deadlineAtMs[i];
        table.add([
          b.arrivedAtMs[i] / 1_000,
          b.promptTokens[i],
          b.outputTokens[i],
          b.requestId[i],
          named(d.regions[b.originRegion[i]]),
          named(d.models[b.model[i]]),
          WORKLOAD_TIERS[b.tier[i]],
          deadline >= 0 ? deadline / 1_000 : undefined,
          list === -1 ? undefined : d.regionLists[list].map((r) => d.regions[r]).join('|'),
          b.tenant[i] === -1 ? undefined : d.tenants[b.tenant[i]],
          b.application[i] === -1 ? undefined : d.applications[b.application[i]],
          b.priority[i],
        ]);
      }
      options.onProgress?.(table.rows, b.arrivedAtMs[b.length - 1]);
    }
    table ??= open();
    table.finish();
    return table.rows;
  } finally {
    table?.close();
  }
}

async function* limited(trace: TraceStream, options: WriteTraceOptions): AsyncGenerator<RequestBatch> {
  let left = options.limit ?? Infinity;
  for await (const batch of trace.batches()) {
    options.signal?.throwIfAborted();
    if (left <= 0) return;
    if (batch.length === 0) continue;
    if (batch.length > left) {
      yield shortened(batch, left);
      return;
    }
    left -= batch.length;
    yield batch;
  }
}
