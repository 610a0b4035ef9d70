import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, SageServeError } from '@sageserve/core';
import { readPipe } from './pipe.js';

const CHUNK_BYTES = 1 << 20;
const LEAST_BYTES = 1 << 14;
/**
 * A line that is longer is no row of a trace: a Mooncake row of 100,000 blocks has under a
 * megabyte.
 */
export const MOST_LINE_BYTES = 16 << 20;

/** How much of a file has been read, 0–1. */
export interface ReadProgress {
  share: number | undefined;
}

/**
 * A file, or a pipe, as bytes: unpacked where its name ends in `.gz`. What is looked at of a pipe
 * is kept for whoever reads it then, so that nothing is lost. Everything throws `SageServeError`
 * (ERR_TRACE_FILE) where it can't be read.
 */
export class ByteSource {
  readonly path: string;
  /** Whether it is a pipe or a device, which can be read once only. */
  readonly once: boolean;
  readonly #isPipe: boolean;
  readonly #size: number;
  readonly #signal: AbortSignal | undefined;
  /** Of a pipe: what has been taken from it, and the rest of it. */
  #looked: Uint8Array[] = [];
  #rest: AsyncGenerator<Uint8Array> | undefined;

  private constructor(path: string, about: Stats, signal: AbortSignal | undefined) {
    this.path = path;
    this.once = !about.isFile();
    this.#isPipe = about.isFIFO() || about.isSocket();
    this.#size = about.size;
    this.#signal = signal;
  }

  static async open(path: string, signal?: AbortSignal): Promise<ByteSource> {
    try {
      const about = await stat(path);
      if (about.isDirectory()) throw new Error('it is a folder');
      return new ByteSource(path, about, signal);
    } catch (cause) {
      throw cantRead(path, cause);
    }
  }

  /**
   * Bytes from the beginning, in chunks until `enough` is told so much that it says yes, or to the
   * end. A pipe keeps them.
   */
  async look(enough: (bytes: Uint8Array) => boolean): Promise<Uint8Array> {
    const chunks = this.once ? (this.#rest ??= this.#read(undefined)) : this.#read(undefined);
    let seen = joined(this.#looked);
    try {
      while (!enough(seen)) {
        const next = await chunks.next();
        if (next.done === true) break;
        if (this.once) this.#looked.push(next.value);
        seen = joined([seen, next.value]);
      }
      return seen;
    } finally {
      if (!this.once) await chunks.return(undefined);
    }
  }

  /** All bytes in chunks. Of a pipe only once. */
  async *chunks(progress?: ReadProgress): AsyncGenerator<Uint8Array> {
    if (!this.once) {
      yield* this.#read(progress);
      return;
    }
    const rest = this.#rest ?? this.#read(undefined);
    const looked = this.#looked;
    if (this.#rest === DONE)
      throw new SageServeError('ERR_TRACE_FILE', `${this.path} is a pipe: it has been read, and can't be read again`, {
        hint: 'Save it as a file first.',
      });
    this.#rest = DONE;
    this.#looked = [];
    try {
      yield* looked;
      yield* rest;
    } finally {
      await rest.return(undefined);
    }
  }

  /** Lets go of a pipe that nobody is going to read. */
  async close(): Promise<void> {
    await this.#rest?.return(undefined);
  }

  async *#read(progress: ReadProgress | undefined): AsyncGenerator<Uint8Array> {
    const { path } = this;
    const signal = this.#signal;
    signal?.throwIfAborted();
    // A pipe that says nothing is let go of by a signal alone: whoever closes it is waiting for its
    // next bytes.
    const end = new AbortController();
    const file = this.once
      ? Readable.from(
          readPipe(path, this.#isPipe, signal === undefined ? end.signal : AbortSignal.any([signal, end.signal])),
          { objectMode: false },
        )
      : createReadStream(path, { highWaterMark: Math.min(CHUNK_BYTES, Math.max(LEAST_BYTES, this.#size)) });
    const stream = unpacked(path, file);
    const stop = (): void => {
      file.destroy();
      stream.destroy(new Error('aborted'));
    };
    signal?.addEventListener('abort', stop);
    try {
      for await (const chunk of stream) {
        if (progress !== undefined && this.#size > 0 && 'bytesRead' in file)
          progress.share = Math.min(1, file.bytesRead / this.#size);
        yield chunk as Uint8Array;
      }
    } catch (cause) {
      signal?.throwIfAborted();
      throw cantRead(path, cause);
    } finally {
      signal?.removeEventListener('abort', stop);
      file.destroy();
      stream.destroy();
      end.abort();
    }
  }
}

const DONE = (async function* (): AsyncGenerator<Uint8Array> {})();

function unpacked(path: string, file: Readable): Readable {
  if (!path.endsWith('.gz')) return file;
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  file.on('error', (error) => gunzip.destroy(error));
  return file.pipe(gunzip);
}

/**
 * The bytes of a file or a pipe as they are, in chunks. Nothing holds a thread while a pipe is
 * silent: a process can end then. Throws what the system throws, and for a folder.
 */
export async function* readBytes(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const about = await stat(path);
  if (about.isDirectory()) throw new Error('it is a folder');
  if (about.isFile()) yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  else yield* readPipe(path, about.isFIFO() || about.isSocket(), signal);
}

/** What a file that can't be read is told as. */
export function cantRead(path: string, cause: unknown): SageServeError {
  const { code } = (cause ?? {}) as { code?: string };
  const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(cause);
  return new SageServeError('ERR_TRACE_FILE', `can't read ${path}: ${reason}`, { cause });
}

/**
 * Whole lines from chunks of bytes: each block that comes out ends with a line break, the last one
 * possibly without. A line of more than {@link MOST_LINE_BYTES} is left out, and `tooLong` is told
 * of it, after the lines before it have come out. For every chunk something comes out, if only an
 * empty block.
 */
export async function* wholeLines(chunks: AsyncIterable<Uint8Array>, tooLong: () => void): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  /** Within a line that is left out. */
  let skipping = false;
  for await (const chunk of chunks) {
    let from = 0;
    if (skipping) {
      from = chunk.indexOf(LF) + 1;
      if (from === 0) {
        yield NOTHING;
        continue;
      }
      skipping = false;
    }
    const end = chunk.lastIndexOf(LF) + 1;
    if (end > from) {
      rest.push(chunk.subarray(from, end));
      yield joined(rest);
      rest = [];
      restBytes = 0;
      from = end;
    } else yield NOTHING;
    // A copy: whoever made the chunk may use its memory again.
    if (from < chunk.length) rest.push(chunk.slice(from));
    restBytes += chunk.length - from;
    if (restBytes > MOST_LINE_BYTES) {
      tooLong();
      skipping = true;
      rest = [];
      restBytes = 0;
    }
  }
  if (restBytes > 0) yield joined(rest);
}

const LF = 10;
const NOTHING = new Uint8Array(0);

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
