import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SageServeError } from '@sageserve/core';

const CHUNK_BYTES = 1 << 20;

/** How much of a file has been read, 0–1. */
export interface ReadProgress {
  share: number | undefined;
}

/** The bytes of a file in chunks, unpacked where its name ends in `.gz`. Throws `SageServeError` (ERR_TRACE_FILE) where it can't be read. */
export async function* readBytes(path: string, progress?: ReadProgress): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  let stream: Readable = file;
  if (path.endsWith('.gz')) {
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    file.on('error', (error) => gunzip.destroy(error));
    stream = file.pipe(gunzip);
  }
  try {
    const size = progress === undefined ? 0 : (await stat(path)).size;
    for await (const chunk of stream) {
      if (progress !== undefined && size > 0) progress.share = Math.min(1, file.bytesRead / size);
      yield chunk as Uint8Array;
    }
  } catch (cause) {
    const code = (cause as { code?: string }).code;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : cause instanceof Error ? cause.message : String(cause);
    throw new SageServeError('ERR_TRACE_FILE', `can't read ${path}: ${reason}`, { cause });
  } finally {
    file.destroy();
  }
}

/** Whole lines from chunks of bytes: each block that comes out ends with a line break, the last one possibly without. */
export async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array(0);
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(10) + 1;
    if (end === 0) {
      rest = concat(rest, chunk);
      continue;
    }
    yield rest.length === 0 ? chunk.subarray(0, end) : concat(rest, chunk.subarray(0, end));
    rest = chunk.slice(end);
  }
  if (rest.length > 0) yield rest;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
