import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib';
import type { Rng } from 'sageserve';
import { characterize, openTrace } from 'sageserve';
import { type ColumnSource, ByteWriter, parquetWrite } from 'hyparquet-writer';
import { WRITTEN_ELSEWHERE } from '../../../packages/trace/src/readers/written-elsewhere.js';
import { chance, mutateBytes, pick, whole } from './mutate.js';

/** LZ4 and Zstandard without packing anything: literals alone, and a frame of one raw block. */
function lz4(bytes: Uint8Array): Uint8Array {
  const head = bytes.length < 15 ? [bytes.length << 4] : [0xf0];
  if (bytes.length >= 15) {
    let rest = bytes.length - 15;
    for (; rest >= 255; rest -= 255) head.push(255);
    head.push(rest);
  }
  return Uint8Array.from([...head, ...bytes]);
}
function zstd(bytes: Uint8Array): Uint8Array {
  const size = bytes.length;
  const block = (size << 3) | 1;
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
    (block >> 16) & 255,
    ...bytes,
  ]);
}
const COMPRESSORS = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
  ZSTD: zstd,
  LZ4_RAW: lz4,
};
const CODECS = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW'] as const;

/** Files of other writers: pages of version 1, lists within groups, deltas. */
const elsewhere = Object.values(WRITTEN_ELSEWHERE).map(
  (packed) => new Uint8Array(gunzipSync(Buffer.from(packed, 'base64'))),
);
/**
 * Sound files, made once: few rows and many, with and without what is optional, in every codec; and
 * those of other writers.
 */
const sound = new Map<string, Uint8Array>();
function soundFile(rng: Rng): Uint8Array {
  if (chance(rng, 0.4)) return pick(rng, elsewhere);
  const codec = pick(rng, CODECS);
  const rows = pick(rng, [0, 1, 3, 100, 700]);
  const full = chance(rng, 0.6);
  const key = `${codec}/${rows}/${full}`;
  const known = sound.get(key);
  if (known !== undefined) return known;
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
    compressors: COMPRESSORS,
    columnData: [
      column('arrived_at_s', 'DOUBLE', (i) => i * 0.5),
      column('prompt_tokens', 'INT32', (i) => 100 + (i % 7)),
      column('output_tokens', 'INT64', (i) => BigInt(10 + (i % 3))),
      ...(full
        ? [
            column('origin_region', 'STRING', (i) => (i % 5 === 0 ? undefined : ['eastus', 'westus'][i % 2])),
            column('model', 'STRING', (i) => `model-${i % 3}`),
            column('tier', 'STRING', () => 'interactive-fast'),
            column('deadline_s', 'DOUBLE', (i) => (i % 2 === 0 ? undefined : i + 100)),
            column('allowed_regions', 'STRING', (i) => (i % 9 === 0 ? 'eastus|westus' : undefined)),
            column('priority', 'INT32', (i) => i % 2),
          ]
        : []),
    ],
    rowGroupSize: 300,
  });
  const bytes = new Uint8Array(writer.getBuffer());
  sound.set(key, bytes);
  return bytes;
}

/** A Parquet file with a few bytes changed, anywhere or in its metadata. */
export async function fuzzParquet(rng: Rng, folder: string): Promise<unknown> {
  const file = soundFile(rng);
  const size = new DataView(file.buffer, file.byteOffset).getUint32(file.length - 8, true);
  let bytes = file;
  if (chance(rng, 0.5)) bytes = mutateBytes(rng, file);
  else {
    // One byte or two of the pages or of the metadata: what stays a file.
    bytes = Uint8Array.from(file);
    const inFooter = chance(rng, 0.5);
    for (let n = 1 + whole(rng, 2); n > 0; n--) {
      const at = inFooter ? file.length - 8 - size + whole(rng, size) : 4 + whole(rng, file.length - 12 - size);
      bytes[at] = pick(rng, [bytes[at]! ^ (1 << whole(rng, 8)), 0, 1, 0x80, 0xff, whole(rng, 256)]);
    }
  }
  const path = join(folder, 'in.parquet');
  await writeFile(path, bytes);
  const skippedRows = { count: 0, examples: [] };
  return characterize(await openTrace(path, chance(rng, 0.3) ? { skippedRows } : {}));
}
