import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type CompressionCodec, snappyUncompress } from 'hyparquet';
import { MalformedBytes } from './thrift.js';

type Decompress = (bytes: Uint8Array, plainBytes: number) => Uint8Array;

/** Those that need nothing more: GZIP and Brotli are Node's own. */
const BUILT_IN: Partial<Record<CompressionCodec, Decompress>> = {
  SNAPPY(bytes, plainBytes) {
    const plain = new Uint8Array(plainBytes);
    snappyUncompress(bytes, plain);
    return plain;
  },
  GZIP: (bytes, plainBytes) => gunzipSync(bytes, { maxOutputLength: Math.max(1, plainBytes) }),
  BROTLI: (bytes, plainBytes) => brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, plainBytes) }),
};
const KNOWN: readonly string[] = ['SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW', 'LZ4'];

/**
 * What unpacks pages of a codec; undefined for pages that are not packed. Throws `MalformedBytes`
 * for a codec that is not read.
 */
export async function decompressorOf(codec: CompressionCodec): Promise<Decompress | undefined> {
  if (codec === 'UNCOMPRESSED') return undefined;
  const builtIn = Object.hasOwn(BUILT_IN, codec) ? BUILT_IN[codec] : undefined;
  if (builtIn !== undefined) return builtIn;
  if (!KNOWN.includes(codec))
    throw new MalformedBytes(
      `compression ${codec ?? 'of no known kind'} is not read; write ${KNOWN.join(', ')} or none`,
    );
  const { decompressLz4, decompressLz4Raw, decompressZstd } = await import('hyparquet-compressors');
  if (codec === 'ZSTD') return (bytes, plainBytes) => decompressZstd(bytes, new Uint8Array(plainBytes));
  return codec === 'LZ4' ? decompressLz4 : decompressLz4Raw;
}
