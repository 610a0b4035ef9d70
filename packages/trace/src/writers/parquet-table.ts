import { closeSync, openSync, writeSync } from 'node:fs';
import { cantWrite } from './write-failure.js';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';

/** `text` is UTF-8, `int64` takes whole numbers that a double holds exactly. */
export type ParquetColumnType = 'text' | 'double' | 'int32' | 'int64';

export interface ParquetColumn {
  readonly name: string;
  readonly type: ParquetColumnType;
  /** Rows may have no value. */
  readonly optional?: boolean;
}

export interface ParquetTableOptions {
  /** Rows of a row group (default 65,536): what is held in memory. */
  readonly rowGroupRows?: number;
  /** Written beside the schema. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const PHYSICAL = { text: 'BYTE_ARRAY', double: 'DOUBLE', int32: 'INT32', int64: 'INT64' } as const;

/**
 * A Parquet file that is written row by row, a row group at a time (Snappy, dictionaries where they
 * pay), in memory that does not grow with it. Synchronous, so that a simulation can write from its
 * event loop.
 */
export class ParquetTable {
  rows = 0;
  readonly #columns: readonly ParquetColumn[];
  readonly #path: string;
  readonly #file: number;
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;
  readonly #data: unknown[][];
  readonly #rowGroupRows: number;
  #inGroup = 0;
  #closed = false;

  /**
   * Makes the file. Throws `SageServeError` (ERR_OUTPUT) where that or a later write is not
   * possible.
   */
  constructor(
    path: string,
    columns: readonly ParquetColumn[],
    { rowGroupRows = 65_536, metadata = {} }: ParquetTableOptions = {},
  ) {
    this.#columns = columns;
    this.#rowGroupRows = rowGroupRows;
    this.#data = columns.map(() => new Array<unknown>(rowGroupRows));
    this.#path = path;
    this.#file = onDisk(path, () => openSync(path, 'w'));
    const schema: SchemaElement[] = [
      { name: 'root', num_children: columns.length },
      ...columns.map(({ name, type, optional }): SchemaElement => ({
        name,
        type: PHYSICAL[type],
        ...(type === 'text' ? { converted_type: 'UTF8' as const } : {}),
        repetition_type: optional === true ? 'OPTIONAL' : 'REQUIRED',
      })),
    ];
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema,
      kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }

  /** Adds a row: a value for each column, undefined where it has none. */
  add(row: readonly (string | number | undefined)[]): void {
    for (let c = 0; c < this.#data.length; c++) this.#data[c][this.#inGroup] = row[c];
    this.rows++;
    if (++this.#inGroup === this.#rowGroupRows) this.#writeGroup();
  }

  /** Writes what is left and the footer. */
  finish(): void {
    if (this.#inGroup > 0) this.#writeGroup();
    void this.#writer.finish();
    this.#flush();
    this.close();
  }

  /** Lets go of an unfinished file, which is no Parquet then; nothing after {@link finish}. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  #writeGroup(): void {
    const rows = this.#inGroup;
    void this.#writer.write({
      rowGroupSize: rows,
      columnData: this.#columns.map(({ name, type, optional }, c) => ({
        name,
        data: packed(this.#data[c], rows, type, optional === true),
      })),
    });
    this.#inGroup = 0;
    this.#flush();
  }

  #flush(): void {
    const bytes = this.#bytes.getBytes();
    onDisk(this.#path, () => {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    });
    this.#bytes.index = 0;
  }
}

/** What the disk refuses is told with the file that it is about. */
function onDisk<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw cantWrite(path, cause);
  }
}

function packed(values: unknown[], rows: number, type: ParquetColumnType, optional: boolean) {
  const used = values.slice(0, rows);
  if (type === 'int64') return used.map((value) => (value === undefined ? undefined : BigInt(value as number)));
  if (optional || type === 'text') return used;
  return type === 'int32' ? Int32Array.from(used as number[]) : Float64Array.from(used as number[]);
}
