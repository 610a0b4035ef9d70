import { SageServeError, UnknownPolicyError } from '@sageserve/core';
import { ByteSource, type ReadProgress } from './byte-source.js';
import { artifactFormat } from './readers/artifact.js';
import { azureFormat } from './readers/azure.js';
import { burstGptFormat } from './readers/burstgpt.js';
import { type CsvFormat, readCsv } from './readers/csv.js';
import { type JsonRowReader, mooncakeRow, readJsonLines, sageserveRow } from './readers/jsonl.js';
import { readParquet } from './readers/parquet.js';
import { sageserveFormat } from './readers/sageserve.js';
import type { RequestBatch, TraceStream } from './request-batch.js';
import { createDictionaries } from './request-batch.js';
import { type ReadOptions, RowSink } from './row-sink.js';

/** Formats that {@link openTrace} reads; each but Parquet also with `.gz`. */
export const TRACE_FORMATS = [
  'sageserve-csv',
  'sageserve-jsonl',
  'sageserve-parquet',
  'artifact',
  'azure',
  'burstgpt',
  'mooncake',
] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface OpenTraceOptions extends ReadOptions {
  /** Found out from the name and the first line where it is not given. */
  readonly format?: TraceFormat;
  /** Ends a reading that waits for a pipe. */
  readonly signal?: AbortSignal | undefined;
}

const CSV: Partial<Record<TraceFormat, (file: string) => CsvFormat>> = {
  'sageserve-csv': sageserveFormat,
  artifact: artifactFormat,
  azure: azureFormat,
  burstgpt: burstGptFormat,
};
const JSONL: Partial<Record<TraceFormat, JsonRowReader>> = { 'sageserve-jsonl': sageserveRow, mooncake: mooncakeRow };

/**
 * Opens a trace file as a stream, or a pipe, which can be read once; memory does not depend on its
 * size, only on how many different names it has. Reading throws `TraceFormatError` for a bad row
 * (unless `skippedRows` collects them) and `SageServeError` (ERR_TRACE_FILE) for a file that can't
 * be read.
 */
export async function openTrace(
  path: string,
  options: OpenTraceOptions = {},
): Promise<TraceStream & { readonly format: TraceFormat }> {
  if (options.format !== undefined && !TRACE_FORMATS.includes(options.format))
    throw new UnknownPolicyError('trace format', options.format, TRACE_FORMATS);
  const source = await ByteSource.open(path, options.signal);
  const format = options.format ?? (await detectFormat(source));
  if (source.once && format === 'sageserve-parquet') {
    await source.close();
    throw new SageServeError('ERR_TRACE_FILE', `${path} is a pipe: Parquet is read from its end`, {
      hint: 'Save it as a file first.',
    });
  }
  const start: { epochMs: number | undefined } = { epochMs: undefined };
  const dictionaries = createDictionaries();
  const progress: ReadProgress = { share: undefined };
  async function* batches(): AsyncGenerator<RequestBatch> {
    for (const names of Object.values(dictionaries)) (names as unknown[]).length = 0;
    const sink = new RowSink(path, options, dictionaries);
    const csv = CSV[format];
    const json = JSONL[format];
    if (csv !== undefined) yield* readCsv(path, source.chunks(progress), csv(path), sink, start);
    else if (json !== undefined) yield* readJsonLines(source.chunks(progress), json, sink, start);
    else yield* readParquet(path, sink, start, { signal: options.signal, progress });
  }
  return {
    format,
    dictionaries,
    get startEpochMs() {
      return start.epochMs;
    },
    get progress() {
      return progress.share;
    },
    batches,
  };
}

/** Bytes at the beginning of a file in which its first line must end. */
const FIRST_LINE_WITHIN = 1 << 20;
const PARQUET_MAGIC = 'PAR1';

async function detectFormat(source: ByteSource): Promise<TraceFormat> {
  const { path } = source;
  if (path.endsWith('.parquet')) return 'sageserve-parquet';
  const head = await source.look((bytes) => bytes.length >= FIRST_LINE_WITHIN || firstLine(bytes) !== undefined);
  if (decoder.decode(head.subarray(0, 4)) === PARQUET_MAGIC) return 'sageserve-parquet';
  const line = firstLine(head) ?? lastLine(head);
  if (line === '') {
    await source.close();
    throw new SageServeError('ERR_TRACE_FILE', `${path} is empty`);
  }
  if (line.startsWith('{') && line.includes('"input_length"')) return 'mooncake';
  if (line.startsWith('{') && line.includes('"prompt_tokens"')) return 'sageserve-jsonl';
  const header = line
    .toLowerCase()
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  if (header.includes('arrival_timestamp') && header.includes('token_size')) return 'artifact';
  if (header.includes('contexttokens')) return 'azure';
  if (header.includes('request tokens')) return 'burstgpt';
  if (header.includes('arrived_at_s')) return 'sageserve-csv';
  await source.close();
  throw new SageServeError('ERR_TRACE_FILE', `${path}: the first line fits no known format: ${line.slice(0, 80)}`, {
    hint: `Say which it is with --format; known: ${TRACE_FORMATS.join(', ')}`,
  });
}

const decoder = new TextDecoder();

/** The first line that says something and is there whole; undefined where there is none. */
function firstLine(bytes: Uint8Array): string | undefined {
  for (let from = 0; ;) {
    const end = bytes.indexOf(10, from);
    if (end === -1) return undefined;
    const line = plainLine(bytes.subarray(from, end));
    if (line !== '') return line;
    from = end + 1;
  }
}

/** What stands after the last line break. */
function lastLine(bytes: Uint8Array): string {
  return plainLine(bytes.subarray(bytes.lastIndexOf(10) + 1));
}

/** A line without its edges; empty for a comment. */
function plainLine(bytes: Uint8Array): string {
  const line = decoder
    .decode(bytes.subarray(0, FIRST_LINE_WITHIN))
    .replace(/^\uFEFF/, '')
    .trim();
  return line.startsWith('#') ? '' : line;
}
