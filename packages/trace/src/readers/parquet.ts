import { SageServeError, TraceFormatError } from '@sageserve/core';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import type { BatchColumns } from '../request-batch.js';
import type { RowSink } from '../row-sink.js';
import { type SageserveRecord, sageserveRow } from './jsonl.js';
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
  // One object for all rows: a row costs no garbage.
  const record: SageserveRecord = {};
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = groupStart + Number(group.num_rows);
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += ROWS_AT_A_TIME) {
      const rowEnd = Math.min(groupEnd, rowStart + ROWS_AT_A_TIME);
      const columns = await readColumns(buffer, metadata, present, group, rowStart, rowEnd);
      // One by one, so that each place in the code sees one kind of array.
      const [time, prompt, output, id, region, model, tier, deadline, allowed, tenant, application, priority] = columns;
      for (let i = 0; i < rowEnd - rowStart; i++) {
        sink.line++;
        const regions = allowed[i];
        record.arrived_at_s = time[i];
        record.prompt_tokens = prompt[i];
        record.output_tokens = output[i];
        record.request_id = id[i] ?? undefined;
        record.origin_region = region[i];
        record.model = model[i];
        record.tier = tier[i];
        record.deadline_s = deadline[i];
        record.allowed_regions = typeof regions === 'string' ? regions.split('|') : regions;
        record.tenant = tenant[i];
        record.application = application[i];
        record.priority = priority[i];
        sageserveRow(record, sink, start);
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

type Open = Awaited<ReturnType<typeof open>>;

/** The columns of our schema for some rows, each as an array. */
async function readColumns(
  file: Open['buffer'],
  metadata: Open['metadata'],
  present: readonly string[],
  group: Open['metadata']['row_groups'][number],
  rowStart: number,
  rowEnd: number,
): Promise<ArrayLike<unknown>[]> {
  const rows = rowEnd - rowStart;
  const nothing = new Array<undefined>(rows).fill(undefined);
  const data: ArrayLike<unknown>[] = TRACE_COLUMNS.map(() => nothing);
  await parquetRead({
    file,
    metadata,
    columns: TRACE_COLUMNS.filter((name) => present.includes(name) && !isEmpty(group, name)),
    rowStart,
    rowEnd,
    onChunk({ columnName, columnData, rowStart: first }) {
      const c = (TRACE_COLUMNS as readonly string[]).indexOf(columnName);
      const chunk = columnData instanceof BigInt64Array ? asDoubles(columnData) : (columnData as ArrayLike<unknown>);
      if (first === rowStart && chunk.length === rows) {
        data[c] = chunk;
        return;
      }
      // Chunks are whole pages, which may begin before and end after what is asked for.
      if (data[c] === nothing) data[c] = new Array<unknown>(rows);
      const column = data[c] as unknown[];
      const until = Math.min(chunk.length, rowEnd - first);
      for (let i = Math.max(0, rowStart - first); i < until; i++) column[first + i - rowStart] = chunk[i];
    },
  });
  return data;
}

/** Whole numbers as doubles, without an object for each. */
function asDoubles(integers: BigInt64Array): Float64Array {
  const halves = new Int32Array(integers.buffer, integers.byteOffset, 2 * integers.length);
  const doubles = new Float64Array(integers.length);
  for (let i = 0; i < doubles.length; i++) doubles[i] = halves[2 * i + 1] * 2 ** 32 + (halves[2 * i] >>> 0);
  return doubles;
}

/** Whether no row of a group has a value in a column: it is not read then. */
function isEmpty(group: Open['metadata']['row_groups'][number], name: string): boolean {
  const about = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
  return about !== undefined && about.statistics?.null_count === about.num_values;
}

async function open(file: string) {
  try {
    const buffer = await asyncBufferFromFile(file);
    return { buffer, metadata: await parquetMetadataAsync(buffer) };
  } catch (cause) {
    throw new SageServeError('ERR_TRACE_FILE', `can't read ${file} as Parquet: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
