import { type FileHandle, open as openFile } from 'node:fs/promises';
import { messageOf, Pacer, SageServeError, TraceFormatError } from '@sageserve/core';
import {
  type ColumnMetaData,
  type CompressionCodec,
  type Compressors,
  type FileMetaData,
  parquetMetadata,
  parquetRead,
  type RowGroup,
  type SchemaElement,
} from 'hyparquet';
import { cantRead, type ReadProgress } from '../byte-source.js';
import type { BatchColumns } from '../request-batch.js';
import { NO_START, type RowSink, startTimeMs } from '../row-sink.js';
import { type SageserveRecord, sageserveRow } from './jsonl.js';
import { decompressorOf } from './parquet-codecs.js';
import { type CheckedPage, checkPages, levelsOf } from './parquet-pages.js';
import { REQUIRED_COLUMNS, TRACE_COLUMNS } from './sageserve.js';
import { MalformedBytes, readThrift } from './thrift.js';

/** Rows decoded at a time, whatever the size of a row group: what bounds the memory. */
const ROWS_AT_A_TIME = 65_536;
const MAGIC = 'PAR1';
/** Metadata and columns of a group that are larger are no trace's. */
const MOST_METADATA_BYTES = 1 << 26;
const MOST_BYTES = 1 << 30;
/**
 * Pages of a group that are kept unpacked, between the check and the decoder; what is more is
 * unpacked twice.
 */
const KEPT_BYTES = 1 << 26;

/** Our own schema as Parquet. `line` in errors is the row, counted from 1. */
export async function* readParquet(
  path: string,
  sink: RowSink,
  start: { epochMs: number | undefined },
  { signal, progress }: { readonly signal?: AbortSignal | undefined; readonly progress?: ReadProgress } = {},
): AsyncGenerator<BatchColumns> {
  const file = await openFile(path).catch((cause: unknown) => {
    throw cantRead(path, cause);
  });
  const pacer = new Pacer();
  try {
    const { metadata, size } = await inFile(path, 'its metadata', () => readMetadata(file));
    const epoch = metadata.key_value_metadata?.find((entry) => entry.key === 'start')?.value;
    if (epoch !== undefined) {
      start.epochMs = startTimeMs(epoch);
      if (start.epochMs === undefined)
        throw new TraceFormatError({ file: path, line: 1, column: 'start' }, `"${epoch}" ${NO_START}`);
    }
    const { present, grouped } = await inFile(path, 'its schema', () => columnsOf(metadata));
    for (const name of REQUIRED_COLUMNS) {
      if (!present.includes(name))
        throw new TraceFormatError({ file: path, line: 1, column: name }, 'is missing from the schema', {
          hint:
            'The file has ' +
            `${[...present, ...grouped].join(', ')}.${
              grouped.length > 0 ? ' Columns within a group are not ' + 'read: write them beside it.' : ''
            }`,
        });
    }
    refuseTypes(path, metadata, present);
    // One object for all rows: a row costs no garbage.
    const record: SageserveRecord = {};
    for (const [g, group] of metadata.row_groups.entries()) {
      const where = `row group ${g + 1}`;
      const reader = await inFile(path, where, () => openGroup(file, size, metadata, group, present));
      for (let rowStart = 0; rowStart < reader.rows; rowStart += ROWS_AT_A_TIME) {
        const rows = Math.min(reader.rows - rowStart, ROWS_AT_A_TIME);
        const columns = await inFile(path, where, () => reader.read(rowStart, rows));
        // One by one, so that each place in the code sees one kind of array.
        const [time, prompt, output, id, region, model, tier, deadline, allowed, tenant, application, priority] =
          columns;
        for (let i = 0; i < rows; i++) {
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
        if (pacer.late) await pacer.turn(signal);
        if (sink.batch.length === 0) yield sink.batch;
      }
      if (progress !== undefined) progress.share = (g + 1) / metadata.row_groups.length;
    }
    if (sink.batch.length > 0) yield sink.batch;
  } finally {
    await file.close();
  }
}

/**
 * Whatever a decoder throws over bytes that are none of its format is the file's fault, and is told
 * as that.
 */
async function inFile<T>(path: string, where: string, action: () => Promise<T> | T): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof SageServeError) throw cause;
    throw new SageServeError('ERR_TRACE_FILE', `can't read ${path} as Parquet: ${where}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function readMetadata(file: FileHandle): Promise<{ metadata: FileMetaData; size: number }> {
  const { size } = await file.stat();
  if (size < 12) throw new MalformedBytes('the file is too short');
  const tail = await bytesAt(file, size - 8, size);
  if (Buffer.from(tail.subarray(4)).toString('latin1') !== MAGIC)
    throw new MalformedBytes('the file does not end as Parquet does');
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > size - 12 || length > MOST_METADATA_BYTES)
    throw new MalformedBytes(`they say that they are ${length} bytes long`);
  const footer = await bytesAt(file, size - 8 - length, size);
  // The decoder checks nothing: this does.
  readThrift(footer.subarray(0, length), 0);
  const metadata = parquetMetadata(footer.buffer as ArrayBuffer, { geoparquet: false });
  return { metadata, size };
}

/**
 * Columns that can be read: plain ones, and a list of regions; and those within groups, which
 * can't.
 */
function columnsOf({ schema }: FileMetaData): { present: string[]; grouped: string[] } {
  const present: string[] = [];
  const grouped: string[] = [];
  const open = [{ name: '', left: schema[0]?.num_children ?? 0 }];
  for (const { name, num_children: children = 0 } of schema.slice(1)) {
    while (open.at(-1)?.left === 0) open.pop();
    const group = open.at(-1);
    if (group === undefined) break;
    group.left--;
    if (open.length === 1 && (children === 0 || name === 'allowed_regions')) present.push(name);
    if (open.length > 1 && children === 0) grouped.push(`${group.name}.${name}`);
    if (children > 0) open.push({ name: open.length > 1 ? `${group.name}.${name}` : name, left: children });
  }
  return { present, grouped };
}

const SECONDS = ['arrived_at_s', 'deadline_s'];
const NUMBERS = [...SECONDS, 'prompt_tokens', 'output_tokens', 'request_id', 'priority'];
/** What columns of numbers may be declared as; DECIMAL stands for numbers too. */
const NUMBER_TYPES = /^(U?INT_\d+|INTEGER|DECIMAL|FLOAT16)$/;

function topLevel({ schema }: FileMetaData, name: string): SchemaElement | undefined {
  return schema.find((element, i) => i > 0 && element.name === name);
}

/**
 * A time of day is stored as a number too, in a unit of its own. Throws `TraceFormatError` for
 * columns that are declared as something other than numbers.
 */
function refuseTypes(file: string, metadata: FileMetaData, present: readonly string[]): void {
  for (const column of NUMBERS.filter((name) => present.includes(name))) {
    const element = topLevel(metadata, column);
    const type = element?.logical_type?.type ?? element?.converted_type;
    if (type !== undefined && !NUMBER_TYPES.test(type))
      throw new TraceFormatError({ file, line: 1, column }, `is declared as ${type}, and must hold numbers`, {
        hint: SECONDS.includes(column)
          ? 'Write it as DOUBLE: seconds since the start of the trace.'
          : 'Write it as INT32 or INT64.',
      });
  }
}

/**
 * Decimals as the numbers that are nearest to them: the decoder multiplies, and errs in the last
 * place.
 */
function nearest(decimals: ArrayLike<unknown>, scale: number): unknown[] {
  const factor = Number(`1e${scale}`);
  return Array.from(decimals, (value) => (typeof value === 'number' ? Math.round(value * factor) / factor : value));
}

interface GroupReader {
  readonly rows: number;
  /** Columns of {@link TRACE_COLUMNS} for some rows of the group, each as an array. */
  read(rowStart: number, rows: number): Promise<ArrayLike<unknown>[]>;
}

/** Reads and checks the columns of a row group that are ours. */
async function openGroup(
  file: FileHandle,
  size: number,
  metadata: FileMetaData,
  group: RowGroup,
  present: readonly string[],
): Promise<GroupReader> {
  const rows = Number(group.num_rows);
  if (!(rows >= 0 && Number.isSafeInteger(rows))) throw new MalformedBytes(`it says that it has ${rows} rows`);
  const wanted = TRACE_COLUMNS.filter((name) => present.includes(name) && !isEmpty(group, name));
  const chunks: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  const pages: CheckedPage[] = [];
  let kept = 0;
  const decompressors: Partial<Record<CompressionCodec, (bytes: Uint8Array, plainBytes: number) => Uint8Array>> = {};
  for (const name of wanted) {
    const own = group.columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === name);
    if (own.length === 0) throw new MalformedBytes(`it has no column ${name}`);
    for (const { meta_data: meta, file_path: elsewhere } of own) {
      if (meta === undefined || elsewhere !== undefined)
        throw new MalformedBytes(`column ${name} lies in another file`);
      const { start, end } = rangeOf(meta, size, name);
      const bytes = await bytesAt(file, start, end);
      const decompress = await decompressorOf(meta.codec);
      if (decompress !== undefined) decompressors[meta.codec] = decompress;
      try {
        for (const page of checkPages({
          bytes,
          meta,
          rows,
          levels: levelsOf(metadata.schema, meta.path_in_schema),
          decompress,
        })) {
          if (kept + page.plain.length > KEPT_BYTES) continue;
          kept += page.plain.length;
          pages.push(page);
        }
      } catch (cause) {
        throw new MalformedBytes(`column ${name}: ${messageOf(cause)}`, { cause });
      }
      chunks.push({ start, bytes });
    }
  }
  const unpacked = new UnpackedPages(pages);
  const compressors: Compressors = Object.fromEntries(
    Object.entries(decompressors).map(([codec, decompress]) => [
      codec,
      (bytes: Uint8Array, plainBytes: number) => unpacked.find(bytes) ?? decompress(bytes, plainBytes),
    ]),
  );
  const scaleOf = new Map(
    NUMBERS.flatMap((name) => {
      const { converted_type: type, scale = 0 } = topLevel(metadata, name) ?? {};
      return type === 'DECIMAL' ? [[name, scale] as const] : [];
    }),
  );
  const alone: FileMetaData = { ...metadata, row_groups: [group], num_rows: group.num_rows };
  const buffer = { byteLength: size, slice: (from: number, to = size) => sliceOf(chunks, from, to) };
  return {
    rows,
    async read(rowStart, count) {
      const nothing = new Array<undefined>(count).fill(undefined);
      const data: ArrayLike<unknown>[] = TRACE_COLUMNS.map(() => nothing);
      await parquetRead({
        file: buffer,
        metadata: alone,
        compressors,
        columns: [...wanted],
        rowStart,
        rowEnd: rowStart + count,
        onChunk({ columnName, columnData, rowStart: first }) {
          const c = (TRACE_COLUMNS as readonly string[]).indexOf(columnName);
          const scale = scaleOf.get(columnName);
          const raw = columnData instanceof BigInt64Array ? asDoubles(columnData) : (columnData as ArrayLike<unknown>);
          const chunk = scale === undefined ? raw : nearest(raw, scale);
          if (first === rowStart && chunk.length === count) {
            data[c] = chunk;
            return;
          }
          // Chunks are whole pages, which may begin before and end after what is asked for.
          if (data[c] === nothing) data[c] = new Array<unknown>(count);
          const column = data[c] as unknown[];
          const until = Math.min(chunk.length, rowStart + count - first);
          for (let i = Math.max(0, rowStart - first); i < until; i++) column[first + i - rowStart] = chunk[i];
        },
      });
      return data;
    },
  };
}

/**
 * Pages that were unpacked when they were checked, by what they were packed as: the decoder asks
 * for each in turn, and says no more of it.
 */
class UnpackedPages {
  readonly #byLength = new Map<number, CheckedPage[]>();

  constructor(pages: readonly CheckedPage[]) {
    for (const page of pages) {
      const known = this.#byLength.get(page.packed.length);
      if (known === undefined) this.#byLength.set(page.packed.length, [page]);
      else known.push(page);
    }
  }

  find(packed: Uint8Array): Uint8Array | undefined {
    return this.#byLength.get(packed.length)?.find((page) => Buffer.compare(page.packed, packed) === 0)?.plain;
  }
}

function rangeOf(meta: ColumnMetaData, size: number, name: string): { start: number; end: number } {
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  if (!(start >= 0 && end >= start && end <= size)) throw new MalformedBytes(`column ${name} lies outside the file`);
  if (end - start > MOST_BYTES) throw new MalformedBytes(`column ${name} takes ${end - start} bytes in one row group`);
  return { start, end };
}

async function bytesAt(file: FileHandle, from: number, to: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(to - from);
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
    if (bytesRead === 0) throw new MalformedBytes('the file ends too soon');
    at += bytesRead;
  }
  return bytes;
}

/**
 * Bytes of the file from chunks that were read: the decoder joins ranges that lie close together,
 * and needs nothing of what lies between.
 */
function sliceOf(
  chunks: readonly { readonly start: number; readonly bytes: Uint8Array }[],
  from: number,
  to: number,
): ArrayBuffer {
  const slice = new Uint8Array(to - from);
  for (const { start, bytes } of chunks) {
    const first = Math.max(from, start);
    const last = Math.min(to, start + bytes.length);
    if (first < last) slice.set(bytes.subarray(first - start, last - start), first - from);
  }
  return slice.buffer;
}

/** Whole numbers as doubles, without an object for each. */
function asDoubles(integers: BigInt64Array): Float64Array {
  const halves = new Int32Array(integers.buffer, integers.byteOffset, 2 * integers.length);
  const doubles = new Float64Array(integers.length);
  for (let i = 0; i < doubles.length; i++) doubles[i] = halves[2 * i + 1] * 2 ** 32 + (halves[2 * i] >>> 0);
  return doubles;
}

/** Whether no row of a group has a value in a column: it is not read then. */
function isEmpty(group: RowGroup, name: string): boolean {
  const about = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
  return about !== undefined && about.statistics?.null_count === about.num_values;
}
