import { type ParquetColumn, ParquetTable } from '@sageserve/trace';
import { OutputFile } from '@sageserve/experiments';

const FLUSH_CHARACTERS = 1 << 18;

export interface ResultColumn extends ParquetColumn {
  /** Digits after the point in CSV; as many as the number has unless given. */
  readonly digits?: number;
}

/** A table of results that is written row by row. */
export interface ResultTable {
  /** A value for each column; undefined where there is none. */
  add(row: readonly (string | number | undefined)[]): void;
  finish(): void;
  /** Lets go of an unfinished file; nothing after {@link finish}. */
  close(): void;
}

/** As CSV through a small buffer. */
class CsvTable implements ResultTable {
  readonly #columns: readonly ResultColumn[];
  readonly #file: OutputFile;
  #buffer: string;

  constructor(path: string, columns: readonly ResultColumn[]) {
    this.#columns = columns;
    this.#file = new OutputFile(path);
    this.#buffer = `${columns.map(({ name }) => name).join(',')}\n`;
  }

  add(row: readonly (string | number | undefined)[]): void {
    let text = '';
    for (let c = 0; c < row.length; c++) {
      const value = row[c];
      const { digits } = this.#columns[c]!;
      if (c > 0) text += ',';
      if (value !== undefined)
        text += typeof value === 'number' && digits !== undefined ? value.toFixed(digits) : String(value);
    }
    this.#buffer += `${text}\n`;
    if (this.#buffer.length >= FLUSH_CHARACTERS) this.#flush();
  }

  finish(): void {
    this.#flush();
    this.close();
  }

  close(): void {
    this.#file.close();
  }

  #flush(): void {
    this.#file.write(this.#buffer);
    this.#buffer = '';
  }
}

/** Opens a table whose name without its ending is `path`. */
export function openResultTable(path: string, form: 'csv' | 'parquet', columns: readonly ResultColumn[]): ResultTable {
  return form === 'csv' ? new CsvTable(`${path}.csv`, columns) : new ParquetTable(`${path}.parquet`, columns);
}

const text = (name: string, optional = false): ResultColumn => ({ name, type: 'text', optional });
const whole = (name: string): ResultColumn => ({ name, type: 'int32' });

/** Every endpoint once a minute. */
export const TIMESERIES_COLUMNS: readonly ResultColumn[] = [
  { name: 'time_s', type: 'double' },
  text('endpoint'),
  whole('ready_instances'),
  whole('provisioning_instances'),
  whole('draining_instances'),
  { name: 'kv_cache_utilization', type: 'double', optional: true, digits: 6 },
  whole('running_requests'),
  whole('queued_requests'),
  whole('held_requests'),
  whole('arrived_requests'),
  whole('completed_requests'),
];

/** Every request, in the order in which they ended. */
export const REQUEST_COLUMNS: readonly ResultColumn[] = [
  { name: 'request_id', type: 'int64' },
  text('outcome'),
  text('model'),
  text('tier'),
  text('origin_region'),
  text('served_region', true),
  { name: 'arrived_at_s', type: 'double', digits: 6 },
  whole('prompt_tokens'),
  whole('output_tokens'),
  { name: 'ttft_s', type: 'double', optional: true, digits: 6 },
  { name: 'e2e_s', type: 'double', optional: true, digits: 6 },
  { name: 'deadline_s', type: 'double', digits: 3 },
];
