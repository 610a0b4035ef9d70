import { SageServeError, TraceFormatError } from '@sageserve/core';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import type { BatchColumns } from '../request-batch.js';
import type { RowSink } from '../row-sink.js';
import { sageserveRow } from './jsonl.js';
import { REQUIRED_COLUMNS, TRACE_COLUMNS } from './sageserve.js';

/** Rows decoded at a time, whatever the size of a row group: what bounds the memory. */
const ROWS_AT_A_TIME = 65_536;

/** Our own schema as Parquet. `line` in errors is the row, counted from 1. */
export async function* readParquet(file: string, sink: RowSink, start: { epochMs: number | undefined }): AsyncGenerator<BatchColumns> {
  const { buffer, metadata } = await open(file);
  const epoch = metadata.key_value_metadata?.find((entry) => entry.key === 'start')?.value;
  if (epoch !== undefined) start.epochMs = Date.parse(epoch);
  const present = metadata.schema.slice(1).map((element) => element.name);
  for (const name of REQUIRED_COLUMNS) {
    if (!present.includes(name))
      throw new TraceFormatError({ file, line: 1, column: name }, 'is missing from the schema', { hint: `The file has: ${present.join(', ')}` });
  }
  const columns = TRACE_COLUMNS.filter((name) => present.includes(name));
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = groupStart + Number(group.num_rows);
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += ROWS_AT_A_TIME) {
      const rowEnd = Math.min(groupEnd, rowStart + ROWS_AT_A_TIME);
      let rows: Record<string, unknown>[] = [];
      await parquetRead({
        file: buffer,
        metadata,
        columns,
        rowStart,
        rowEnd,
        rowFormat: 'object',
        onComplete: (read: Record<string, unknown>[]) => {
          rows = read;
        },
      });
      for (const row of rows) {
        sink.line++;
        if (typeof row['allowed_regions'] === 'string') row['allowed_regions'] = row['allowed_regions'].split('|');
        if (row['request_id'] === null) delete row['request_id'];
        sageserveRow(row, sink, start);
        if (sink.full) {
          yield sink.batch;
          sink.clear();
        }
      }
    }
    groupStart = groupEnd;
  }
  if (sink.batch.length > 0) yield sink.batch;
}

async function open(file: string) {
  try {
    const buffer = await asyncBufferFromFile(file);
    return { buffer, metadata: await parquetMetadataAsync(buffer) };
  } catch (cause) {
    throw new SageServeError('ERR_TRACE_FILE', `can't read ${file} as Parquet: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
