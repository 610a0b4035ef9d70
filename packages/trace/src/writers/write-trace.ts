import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { SageServeError, WORKLOAD_TIERS } from '@sageserve/core';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { SchemaElement } from 'hyparquet';
import type { RequestBatch, TraceDictionaries, TraceStream } from '../request-batch.js';
import { shortened } from '../in-memory.js';
import { UNSPECIFIED } from '../mapping.js';
import { TRACE_COLUMNS } from '../readers/sageserve.js';

export interface WriteTraceOptions {
  readonly signal?: AbortSignal;
  /** Stop after this many requests. */
  readonly limit?: number;
  readonly onProgress?: (requests: number, lastArrivalMs: number) => void;
}

/**
 * Writes a trace in our own schema, its form chosen by the name: `.csv`, `.jsonl` (both also with `.gz`) or `.parquet`. The file appears under its name when it is
 * complete; a failed or aborted write leaves none. Returns how many requests were written.
 */
export async function writeTrace(path: string, trace: TraceStream, options: WriteTraceOptions = {}): Promise<number> {
  const plain = path.replace(/\.gz$/, '');
  const form = plain.endsWith('.csv') ? 'csv' : plain.endsWith('.jsonl') ? 'jsonl' : path.endsWith('.parquet') ? 'parquet' : undefined;
  if (form === undefined) throw new SageServeError('ERR_TRACE_FILE', `${path}: the name must end in .csv, .jsonl (both also .gz) or .parquet`);
  await refuseReadOnly(path);
  const partial = `${path}.partial`;
  const file = createWriteStream(partial);
  try {
    await once(file, 'open').catch((cause: unknown) => {
      throw new SageServeError('ERR_TRACE_FILE', `can't write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    });
    const written = form === 'parquet' ? await writeParquet(file, trace, options) : await writeLines(path, file, form, trace, options);
    await rename(partial, path);
    return written;
  } catch (error) {
    file.destroy();
    await rm(partial, { force: true });
    throw error;
  }
}

/** Renaming over a file asks the folder for permission, not the file: what is marked read-only is left alone here. */
async function refuseReadOnly(path: string): Promise<void> {
  const mode = await stat(path).then(
    (entry) => entry.mode,
    () => undefined,
  );
  if (mode !== undefined && (mode & 0o222) === 0) throw new SageServeError('ERR_TRACE_FILE', `can't write ${path}: it is read-only`);
}

async function writeLines(path: string, file: Writable, form: 'csv' | 'jsonl', trace: TraceStream, options: WriteTraceOptions): Promise<number> {
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
      text += form === 'csv' ? csvRow(batch, i, trace.dictionaries) : jsonRow(batch, i, trace.dictionaries, first && i === 0 ? trace.startEpochMs : undefined);
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
  return `${seconds(b.arrivedAtMs[i])},${b.promptTokens[i]},${b.outputTokens[i]},${b.requestId[i]},${csv(named(d.regions[b.originRegion[i]]) ?? '')},${csv(named(d.models[b.model[i]]) ?? '')},${WORKLOAD_TIERS[b.tier[i]]},${deadline >= 0 ? seconds(deadline) : ''},${list === -1 ? '' : csv(d.regionLists[list].map((r) => d.regions[r]).join('|'))},${b.tenant[i] === -1 ? '' : csv(d.tenants[b.tenant[i]])},${b.application[i] === -1 ? '' : csv(d.applications[b.application[i]])},${b.priority[i]}\n`;
}

/** A name that stands for none is not written: whoever reads the trace may fill it in. */
function named(name: string): string | undefined {
  return name === UNSPECIFIED ? undefined : name;
}

function csv(text: string): string {
  if (/[\n\r]/.test(text))
    throw new SageServeError('ERR_TRACE_FILE', `the name ${JSON.stringify(text)} has a line break and can't be written as CSV`, {
      hint: 'Write .jsonl or .parquet.',
    });
  return /[",#]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Milliseconds as seconds, exact to a nanosecond and without an exponent. */
function seconds(ms: number): string {
  const text = String(ms / 1_000);
  return text.includes('e') ? (ms / 1_000).toFixed(9) : text;
}

function jsonRow(b: RequestBatch, i: number, d: TraceDictionaries, startEpochMs: number | undefined): string {
  return `${JSON.stringify({ ...(startEpochMs === undefined ? {} : { start: new Date(startEpochMs).toISOString() }), ...withoutUnspecified(toRecord(b, i, d)) })}\n`;
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

const utf8 = (name: string, required: boolean): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: required ? 'REQUIRED' : 'OPTIONAL',
});
const PARQUET_SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: TRACE_COLUMNS.length },
  { name: 'arrived_at_s', type: 'DOUBLE', repetition_type: 'REQUIRED' },
  { name: 'prompt_tokens', type: 'INT32', repetition_type: 'REQUIRED' },
  { name: 'output_tokens', type: 'INT32', repetition_type: 'REQUIRED' },
  { name: 'request_id', type: 'DOUBLE', repetition_type: 'REQUIRED' },
  utf8('origin_region', false),
  utf8('model', false),
  utf8('tier', true),
  { name: 'deadline_s', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
  utf8('allowed_regions', false),
  utf8('tenant', false),
  utf8('application', false),
  { name: 'priority', type: 'INT32', repetition_type: 'REQUIRED' },
];

async function writeParquet(file: Writable, trace: TraceStream, options: WriteTraceOptions): Promise<number> {
  const done = finished(file);
  done.catch(() => undefined);
  const bytes = new ByteWriter();
  const flush = async (): Promise<void> => {
    const chunk = bytes.getBytes().slice();
    bytes.index = 0;
    if (chunk.length > 0 && !file.write(chunk)) await Promise.race([once(file, 'drain'), done]);
  };
  let writer: ParquetWriter | undefined;
  let written = 0;
  const open = (): ParquetWriter =>
    new ParquetWriter({
      writer: bytes,
      schema: PARQUET_SCHEMA,
      ...(trace.startEpochMs === undefined ? {} : { kvMetadata: [{ key: 'start', value: new Date(trace.startEpochMs).toISOString() }] }),
    });
  for await (const b of limited(trace, options)) {
    writer ??= open();
    const d = trace.dictionaries;
    const column = <T>(name: string, at: (i: number) => T) => ({ name, data: Array.from({ length: b.length }, (_, i) => at(i)) });
    await writer.write({
      rowGroupSize: b.length,
      columnData: [
        column('arrived_at_s', (i) => b.arrivedAtMs[i] / 1_000),
        column('prompt_tokens', (i) => b.promptTokens[i]),
        column('output_tokens', (i) => b.outputTokens[i]),
        column('request_id', (i) => b.requestId[i]),
        column('origin_region', (i) => named(d.regions[b.originRegion[i]])),
        column('model', (i) => named(d.models[b.model[i]])),
        column('tier', (i) => WORKLOAD_TIERS[b.tier[i]]),
        column('deadline_s', (i) => (b.deadlineAtMs[i] >= 0 ? b.deadlineAtMs[i] / 1_000 : undefined)),
        column('allowed_regions', (i) => (b.regionList[i] === -1 ? undefined : d.regionLists[b.regionList[i]].map((r) => d.regions[r]).join('|'))),
        column('tenant', (i) => (b.tenant[i] === -1 ? undefined : d.tenants[b.tenant[i]])),
        column('application', (i) => (b.application[i] === -1 ? undefined : d.applications[b.application[i]])),
        column('priority', (i) => b.priority[i]),
      ],
    });
    written += b.length;
    await flush();
    options.onProgress?.(written, b.arrivedAtMs[b.length - 1]);
  }
  await (writer ?? open()).finish();
  await flush();
  file.end();
  await done;
  return written;
}

async function* limited(trace: TraceStream, options: WriteTraceOptions): AsyncGenerator<RequestBatch> {
  let left = options.limit ?? Infinity;
  for await (const batch of trace.batches()) {
    options.signal?.throwIfAborted();
    if (left <= 0) return;
    if (batch.length > left) {
      yield shortened(batch, left);
      return;
    }
    left -= batch.length;
    yield batch;
  }
}
