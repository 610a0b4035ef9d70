import { Pacer } from '@sageserve/core';
import { BATCH_CAPACITY, BatchColumns, type RequestBatch } from './request-batch.js';

/** How far the maker may be ahead: 32 batches are four megabytes, and milliseconds of work. */
const SLOTS = 32;
const ROWS = SLOTS * BATCH_CAPACITY;

/** A column of {@link BatchColumns}, of whatever type. */
interface Column extends ArrayLike<number> {
  set(values: ArrayLike<number>, at?: number): void;
  subarray(from: number, to: number): Column;
}

interface ColumnType {
  readonly BYTES_PER_ELEMENT: number;
  new (memory: SharedArrayBuffer, offset: number, length: number): Column;
}

/** In the order of their sizes, so that each begins where its elements may. */
const COLUMNS: readonly (readonly [Exclude<keyof RequestBatch, 'length'>, ColumnType])[] = [
  ['requestId', Float64Array],
  ['arrivedAtMs', Float64Array],
  ['deadlineAtMs', Float64Array],
  ['promptTokens', Uint32Array],
  ['outputTokens', Uint32Array],
  ['regionList', Int32Array],
  ['tenant', Int32Array],
  ['application', Int32Array],
  ['priority', Int32Array],
  ['originRegion', Uint16Array],
  ['model', Uint16Array],
  ['tier', Uint8Array],
];

/** What stands before the columns: counts and flags, then the length of the batch in each slot. */
const MADE = 0;
const TAKEN = 1;
const ENDED = 2;
const LEFT = 3;
/** Changes with whatever the reader may wait for. */
const NEWS = 4;
const LENGTHS = 5;
/** A multiple of the largest element. */
const HEAD_BYTES = 8 * Math.ceil((4 * (LENGTHS + SLOTS)) / 8);
const BYTES = HEAD_BYTES + ROWS * COLUMNS.reduce((sum, [, type]) => sum + type.BYTES_PER_ELEMENT, 0);

/**
 * Batches that one thread makes and another one reads, in memory that is both's: the maker is a
 * few batches ahead, and waits where it would be further.
 */
export class BatchRing {
  readonly memory: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #columns: readonly (readonly [name: Exclude<keyof RequestBatch, 'length'>, rows: Column])[];

  /** `memory` is that of the ring in the other thread. */
  constructor(memory = new SharedArrayBuffer(BYTES)) {
    this.memory = memory;
    this.#head = new Int32Array(memory, 0, LENGTHS + SLOTS);
    let offset = HEAD_BYTES;
    this.#columns = COLUMNS.map(([name, type]) => {
      const rows = new type(memory, offset, ROWS);
      offset += ROWS * type.BYTES_PER_ELEMENT;
      return [name, rows];
    });
  }

  /**
   * The maker's: adds a batch, and stops its thread until there is room for it. False where nobody
   * reads any more.
   */
  put(batch: RequestBatch): boolean {
    const made = this.#head[MADE];
    for (;;) {
      const taken = Atomics.load(this.#head, TAKEN);
      if (Atomics.load(this.#head, LEFT) === 1) return false;
      if (made - taken < SLOTS) break;
      Atomics.wait(this.#head, TAKEN, taken);
    }
    const slot = made % SLOTS;
    const at = slot * BATCH_CAPACITY;
    for (const [name, rows] of this.#columns) rows.set(batch[name].subarray(0, batch.length), at);
    this.#head[LENGTHS + slot] = batch.length;
    Atomics.store(this.#head, MADE, made + 1);
    this.#tell();
    return true;
  }

  /** There are no more batches: the maker's to say, or that of whoever sees it gone. */
  end(): void {
    Atomics.store(this.#head, ENDED, 1);
    this.#tell();
  }

  /** The reader's: the batches in order, as they are made. */
  async *batches(): AsyncGenerator<RequestBatch> {
    const batch = new BatchColumns(BATCH_CAPACITY);
    const pacer = new Pacer();
    try {
      for (let taken = 0; ;) {
        const news = Atomics.load(this.#head, NEWS);
        const ended = Atomics.load(this.#head, ENDED) === 1;
        if (taken === Atomics.load(this.#head, MADE)) {
          if (ended) return;
          await Atomics.waitAsync(this.#head, NEWS, news).value;
          continue;
        }
        const slot = taken % SLOTS;
        const at = slot * BATCH_CAPACITY;
        batch.length = this.#head[LENGTHS + slot];
        for (const [name, rows] of this.#columns) batch[name].set(rows.subarray(at, at + batch.length));
        Atomics.store(this.#head, TAKEN, ++taken);
        Atomics.notify(this.#head, TAKEN);
        yield batch;
        if (pacer.late) await pacer.turn();
      }
    } finally {
      Atomics.store(this.#head, LEFT, 1);
      // Whoever waits for room looks again.
      Atomics.add(this.#head, TAKEN, 1);
      Atomics.notify(this.#head, TAKEN);
    }
  }

  #tell(): void {
    Atomics.add(this.#head, NEWS, 1);
    Atomics.notify(this.#head, NEWS);
  }
}
