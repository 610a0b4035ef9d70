import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { SageServeError } from '@sageserve/core';
import fc from 'fast-check';
import { ByteWriter, type ColumnSource, parquetWrite } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { characterize } from '../characterize.js';
import { openTrace } from '../open-trace.js';
import type { TraceStream } from '../request-batch.js';
import { toRecord } from '../writers/write-trace.js';
import { WRITTEN_ELSEWHERE } from './written-elsewhere.js';

const cases = fileURLToPath(new URL('../../../../../shared/cases/', import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-parquet-'));
});
afterAll(() => rm(dir, { recursive: true }));

/**
 * Zstandard and LZ4 as their formats allow them without packing anything: one raw block, and
 * literals alone.
 */
const zstd = (bytes: Uint8Array): Uint8Array => {
  const [size, block] = [bytes.length, (bytes.length << 3) | 1];
  return Uint8Array.from([
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0xa0,
    size & 255,
    (size >> 8) & 255,
    (size >> 16) & 255,
    size >>> 24,
    block & 255,
    (block >> 8) & 255,
    block >> 16,
    ...bytes,
  ]);
};
const lz4 = (bytes: Uint8Array): Uint8Array => {
  const head = [Math.min(15, bytes.length) << 4];
  for (let rest = bytes.length - 15; rest >= 0; rest -= 255) head.push(Math.min(255, rest));
  return Uint8Array.from([...head, ...bytes]);
};
const compressors = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
  ZSTD: zstd,
  LZ4_RAW: lz4,
};
const CODECS = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW'] as const;

function fileOf(codec: (typeof CODECS)[number], rows = 100): Uint8Array {
  const column = (
    name: string,
    type: NonNullable<ColumnSource['type']>,
    value: (i: number) => unknown,
  ): ColumnSource => ({
    name,
    type,
    data: Array.from({ length: rows }, (_, i) => value(i)) as never,
  });
  const writer = new ByteWriter();
  void parquetWrite({
    writer,
    codec,
    compressors,
    columnData: [
      column('arrived_at_s', 'DOUBLE', (i) => i * 0.5),
      column('prompt_tokens', 'INT32', (i) => 100 + (i % 7)),
      column('output_tokens', 'INT64', (i) => BigInt(10 + (i % 3))),
      column('origin_region', 'STRING', (i) => ['eastus', 'westus'][i % 2]),
      column('deadline_s', 'DOUBLE', (i) => (i % 2 === 0 ? undefined : i + 100)),
    ],
    rowGroupSize: 40,
  });
  return new Uint8Array(writer.getBuffer());
}

async function records(trace: TraceStream): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for await (const batch of trace.batches())
    for (let i = 0; i < batch.length; i++) rows.push(toRecord(batch, i, trace.dictionaries));
  return rows;
}

async function read(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const path = join(dir, 'trace.parquet');
  await writeFile(path, bytes);
  return records(await openTrace(path));
}

/** A file of three rows in which one column is declared as something else. */
function declared(column: string, element: Record<string, unknown>, data: unknown[]): Uint8Array {
  const columns: Record<string, [Record<string, unknown>, unknown[]]> = {
    arrived_at_s: [{ type: 'DOUBLE' }, [0, 1, 2]],
    prompt_tokens: [{ type: 'INT32' }, [10, 20, 30]],
    output_tokens: [{ type: 'INT32' }, [1, 2, 3]],
    [column]: [element, data],
  };
  const writer = new ByteWriter();
  void parquetWrite({
    writer,
    schema: [
      { name: 'root', num_children: Object.keys(columns).length },
      ...Object.entries(columns).map(([name, [about]]) => ({ name, repetition_type: 'REQUIRED', ...about })),
    ] as never,
    columnData: Object.entries(columns).map(([name, [, values]]) => ({ name, data: values as never })),
  });
  return new Uint8Array(writer.getBuffer());
}

describe('a column of numbers in Parquet', () => {
  it.each([
    ['arrived_at_s', { type: 'INT32', converted_type: 'TIME_MILLIS' }],
    ['arrived_at_s', { type: 'INT64', converted_type: 'TIME_MICROS' }],
    ['deadline_s', { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }],
    ['prompt_tokens', { type: 'INT32', converted_type: 'DATE' }],
    ['arrived_at_s', { type: 'INT64', converted_type: 'INTERVAL' }],
  ])('%s is refused where it is declared as %o', async (column, element) => {
    const wide = element.type === 'INT64';
    const bytes = declared(
      column,
      element,
      [1_073, 2_000, 3_000].map((value) => (wide ? BigInt(value) : value)),
    );
    await expect(read(bytes)).rejects.toThrow(
      `column ${column}: is declared as ${element.converted_type}, and must hold numbers`,
    );
  });

  it('may hold decimals, which are the nearest numbers', async () => {
    const rows = await read(
      declared('arrived_at_s', { type: 'INT64', converted_type: 'DECIMAL', precision: 18, scale: 3 }, [
        1_001n,
        1_073n,
        4_035n,
      ]),
    );
    expect(rows.map((row) => row['arrived_at_s'])).toEqual([1.001, 1.073, 4.035]);
  });
});

describe('metadata of Parquet', () => {
  it('of millions of entries are refused before they are held', async () => {
    // Field 4, a list of so many structs, each of which ends at once.
    const entries = 3_000_000;
    const size: number[] = [];
    for (let rest = entries; rest > 0; rest >>>= 7) size.push((rest & 0x7f) | (rest >= 128 ? 0x80 : 0));
    const footer = Buffer.concat([Buffer.from([0x49, 0xfc, ...size]), Buffer.alloc(entries + 1)]);
    const tail = Buffer.alloc(8, 'PAR1');
    tail.writeUInt32LE(footer.length, 0);
    tail.write('PAR1', 4);
    await expect(read(Buffer.concat([Buffer.from('PAR1'), footer, tail]))).rejects.toThrow(
      'a list has 3000000 elements',
    );
  });
});

describe('a Parquet trace', () => {
  it.each(Object.keys(WRITTEN_ELSEWHERE))(
    'of another writer is read with what is missing in it: %s',
    async (writer) => {
      const rows = await read(gunzipSync(Buffer.from(WRITTEN_ELSEWHERE[writer], 'base64')));
      expect(rows).toHaveLength(20);
      for (const [i, row] of rows.entries()) {
        expect(row).toMatchObject({ arrived_at_s: i * 0.5, prompt_tokens: 100 + i, output_tokens: 10 + (i % 3) });
        expect(row['priority'] ?? 0).toBe(i % 4 === 1 ? 0 : i % 5);
        expect(row['tenant']).toBe(i % 3 === 0 ? undefined : `T${i % 2}`);
        expect(row['deadline_s']).toBe(i % 2 === 1 ? undefined : i * 0.5 + 100);
        expect(row['allowed_regions']).toEqual(i % 5 === 0 ? undefined : ['westus', 'eastus'].slice(0, 1 + (i % 2)));
      }
    },
  );

  it.each(CODECS)('is read in %s', async (codec) => {
    const rows = await read(fileOf(codec));
    expect(rows).toHaveLength(100);
    for (const [i, row] of rows.entries())
      expect(row).toMatchObject({
        arrived_at_s: i * 0.5,
        prompt_tokens: 100 + (i % 7),
        output_tokens: 10 + (i % 3),
        origin_region: ['eastus', 'westus'][i % 2],
      });
    expect([rows[0]['deadline_s'], rows[1]['deadline_s']]).toEqual([undefined, 101]);
  });

  it('that is corrupt is an error that names it, whichever byte is wrong, and never a loop', async () => {
    const sound = CODECS.map((codec) => fileOf(codec));
    const refused = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(CODECS.length - 1),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 5 }),
        async (codec, changes, cut) => {
          const bytes = Uint8Array.from(sound[codec]);
          // Most of what can be broken stands near the end.
          for (const [at, value] of changes) bytes[Math.floor((1 - at * at) * (bytes.length - 1))] = value;
          try {
            await read(cut === null ? bytes : bytes.subarray(0, Math.floor(cut * bytes.length)));
          } catch (error) {
            expect(error).toBeInstanceOf(SageServeError);
            expect((error as SageServeError).message).toContain('trace.parquet');
            refused.add((error as SageServeError).code);
          }
        },
      ),
      { numRuns: 400, seed: 5 },
    );
    expect(refused).toContain('ERR_TRACE_FILE');
  });

  it.skipIf(!existsSync(cases))(
    'is read as Polars and DuckDB write it, and refused as others wrote it (skipped without ../shared)',
    async () => {
      const rowsOf = async (name: string) => records(await openTrace(join(cases, 'parquet-codec', name)));
      const expected = await rowsOf('snappy.parquet');
      expect([
        expected.length,
        expected.at(-1)!['arrived_at_s'],
        expected[6]['prompt_tokens'],
        expected[2]['output_tokens'],
      ]).toEqual([100, 49.5, 106, 12]);
      for (const name of ['zstd', 'gzip', 'brotli', 'lz4_raw'])
        expect(await rowsOf(`${name}.parquet`), name).toEqual(expected);
      await expect(rowsOf('struct.parquet')).rejects.toThrow('struct.parquet');
      await expect(characterize(await openTrace(join(cases, 'attacks', 'parquet-hang.parquet')))).rejects.toThrow(
        'parquet-hang.parquet',
      );
    },
  );
});
