import { TraceFormatError } from '@sageserve/core';
import { MOST_LINE_BYTES, wholeLines } from '../byte-source.js';
import type { BatchColumns } from '../request-batch.js';
import { NO_START, type RowSink, startTimeMs } from '../row-sink.js';

/** Fields of one CSV row as ranges of bytes. Borrowed. */
export interface CsvRow {
  readonly bytes: Uint8Array;
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/** What a CSV format does with its rows. */
export interface CsvFormat {
  /**
   * Reads the header's names; returns what handles a row, filling `sink.row` and calling
   * `sink.accept` or `sink.fail`.
   */
  open(header: readonly string[], sink: RowSink, startMs: { epochMs: number | undefined }): (row: CsvRow) => void;
}

export const TOO_LONG = `is longer than ${MOST_LINE_BYTES >> 20} MB`;

const decoder = new TextDecoder();
const COMMA = 44;
const QUOTE = 34;
const LF = 10;
const CR = 13;

/**
 * Rows of a CSV file (RFC 4180, LF or CRLF; quoted fields may hold commas, not line breaks) into
 * batches. Lines that begin with # are comments.
 */
export async function* readCsv(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  format: CsvFormat,
  sink: RowSink,
  start: { epochMs: number | undefined },
): AsyncGenerator<BatchColumns> {
  let handle: ((row: CsvRow) => void) | undefined;
  let columns = 0;
  let starts = new Int32Array(64);
  let ends = new Int32Array(64);
  const tooLong = (): void => {
    sink.line++;
    sink.fail(undefined, TOO_LONG);
  };
  for await (const bytes of wholeLines(chunks, tooLong)) {
    const size = bytes.length;
    let gave = false;
    // A byte order mark may come before anything else.
    let p = sink.line === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    while (p < size) {
      sink.line++;
      const first = bytes[p];
      if (first === LF || (first === CR && bytes[p + 1] === LF)) {
        p += first === LF ? 1 : 2;
        continue;
      }
      if (first === 35) {
        let stop = bytes.indexOf(LF, p);
        if (stop === -1) stop = size;
        readComment(file, sink.line, decoder.decode(bytes.subarray(p, stop)), start);
        p = stop + 1;
        continue;
      }
      let count = 0;
      let broken = '';
      for (;;) {
        let from = p;
        let to: number;
        if (bytes[p] === QUOTE) {
          from = ++p;
          while (p < size && bytes[p] !== LF && !(bytes[p] === QUOTE && bytes[p + 1] !== QUOTE))
            p += bytes[p] === QUOTE ? 2 : 1;
          to = p;
          if (p >= size || bytes[p] !== QUOTE) broken = 'a quoted field is not closed';
          else p++;
          while (p < size && bytes[p] !== COMMA && bytes[p] !== LF) {
            if (bytes[p] !== CR) broken = 'text follows a closing quote';
            p++;
          }
        } else {
          while (p < size) {
            const byte = bytes[p];
            if (byte === COMMA || byte === LF) break;
            p++;
          }
          to = p;
        }
        if (count === starts.length) {
          starts = grown(starts);
          ends = grown(ends);
        }
        starts[count] = from;
        ends[count++] = to;
        if (p < size && bytes[p] === COMMA) {
          p++;
          continue;
        }
        if (to > from && bytes[to - 1] === CR) ends[count - 1]--;
        p++;
        break;
      }
      if (handle === undefined) {
        const header = Array.from({ length: count }, (_, c) =>
          decoder.decode(bytes.subarray(starts[c], ends[c])).trim(),
        );
        columns = count;
        handle = format.open(header, sink, start);
        continue;
      }
      if (broken !== '') sink.fail(undefined, broken);
      else if (count !== columns) sink.fail(undefined, `has ${count} fields where the header has ${columns}`);
      else handle({ bytes, start: starts, end: ends });
      if (sink.full) {
        yield sink.batch;
        sink.clear();
        gave = true;
      }
    }
    // Whoever reads has a say now and then, where nothing comes for long.
    if (!gave && sink.batch.length === 0) yield sink.batch;
  }
  if (handle === undefined)
    throw new TraceFormatError({ file, line: Math.max(1, sink.line) }, 'the file is empty: there is no header', {
      hint: 'The first line must name the columns.',
    });
  if (sink.batch.length > 0) yield sink.batch;
}

function readComment(file: string, line: number, text: string, start: { epochMs: number | undefined }): void {
  const match = /\bstart=(\d{4}-\S+)/.exec(text);
  if (match === null) return;
  const epochMs = startTimeMs(match[1]);
  if (epochMs === undefined) throw new TraceFormatError({ file, line }, `start=${match[1]} ${NO_START}`);
  start.epochMs = epochMs;
}

function grown(column: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}

/**
 * Position of each named column, −1 where the file has none; an error where one of `required` is
 * missing.
 */
export function locate(
  file: string,
  header: readonly string[],
  names: readonly string[],
  required: readonly string[],
): number[] {
  const lower = header.map((name) => name.toLowerCase());
  for (const name of required) {
    if (!lower.includes(name.toLowerCase())) {
      throw new TraceFormatError({ file, line: 1, column: name }, 'is missing from the header', {
        hint: `The header has: ${header.join(', ')}`,
      });
    }
  }
  return names.map((name) => {
    const column = lower.indexOf(name.toLowerCase());
    if (column !== lower.lastIndexOf(name.toLowerCase()))
      throw new TraceFormatError({ file, line: 1, column: name }, 'stands twice in the header');
    return column;
  });
}

export function fieldText(row: CsvRow, column: number): string {
  return decoder.decode(row.bytes.subarray(row.start[column], row.end[column])).replaceAll('""', '"');
}
