import { SageServeError, UnknownPolicyError } from '@sageserve/core';
import { readBytes, type ReadProgress } from './byte-source.js';
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
export const TRACE_FORMATS = ['sageserve-csv', 'sageserve-jsonl', 'sageserve-parquet', 'artifact', 'azure', 'burstgpt', 'mooncake'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface OpenTraceOptions extends ReadOptions {
  /** Found out from the name and the first line where it is not given. */
  readonly format?: TraceFormat;
}

const CSV: Partial<Record<TraceFormat, (file: string) => CsvFormat>> = {
  'sageserve-csv': sageserveFormat,
  artifact: artifactFormat,
  azure: azureFormat,
  burstgpt: burstGptFormat,
};
const JSONL: Partial<Record<TraceFormat, JsonRowReader>> = { 'sageserve-jsonl': sageserveRow, mooncake: mooncakeRow };

/**
 * Opens a trace file as a stream; memory does not depend on its size, only on how many different names it has.
 * Reading throws `TraceFormatError` for a bad row (unless `skippedRows` collects them) and `SageServeError` (ERR_TRACE_FILE) for a file that can't be read.
 */
export async function openTrace(path: string, options: OpenTraceOptions = {}): Promise<TraceStream & { readonly format: TraceFormat }> {
  const format = options.format ?? (await detectFormat(path));
  if (!TRACE_FORMATS.includes(format)) throw new UnknownPolicyError('trace format', format, TRACE_FORMATS);
  const start: { epochMs: number | undefined } = { epochMs: undefined };
  const dictionaries = createDictionaries();
  const progress: ReadProgress = { share: undefined };
  async function* batches(): AsyncGenerator<RequestBatch> {
    for (const names of Object.values(dictionaries)) (names as unknown[]).length = 0;
    const sink = new RowSink(path, options, dictionaries);
    const csv = CSV[format];
    const json = JSONL[format];
    if (csv !== undefined) yield* readCsv(path, readBytes(path, progress), csv(path), sink, start);
    else if (json !== undefined) yield* readJsonLines(readBytes(path, progress), json, sink, start);
    else yield* readParquet(path, sink, start);
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

async function detectFormat(path: string): Promise<TraceFormat> {
  if (path.endsWith('.parquet')) return 'sageserve-parquet';
  const line = await firstLine(path);
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
  throw new SageServeError('ERR_TRACE_FILE', `${path}: the first line fits no known format: ${line.slice(0, 80)}`, {
    hint: `Say which it is with --format; known: ${TRACE_FORMATS.join(', ')}`,
  });
}

async function firstLine(path: string): Promise<string> {
  let text = '';
  for await (const chunk of readBytes(path)) {
    text += new TextDecoder().decode(chunk.subarray(0, 65_536));
    for (const line of text.split('\n')) {
      const trimmed = line.replace(/^\uFEFF/, '').trim();
      if (trimmed !== '' && !trimmed.startsWith('#')) return trimmed;
    }
    if (text.length > 1 << 20) break;
  }
  throw new SageServeError('ERR_TRACE_FILE', `${path} is empty`);
}
