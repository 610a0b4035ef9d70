import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { BatchRing } from './batch-ring.js';
import { generateO365Trace } from './generators/o365.js';
import { BATCH_CAPACITY, BatchColumns, type RequestBatch } from './request-batch.js';

const ROOM = 32;

function batchOf(ids: readonly number[]): RequestBatch {
  const batch = new BatchColumns(BATCH_CAPACITY);
  batch.length = ids.length;
  ids.forEach((id, i) => (batch.requestId[i] = id));
  return batch;
}

async function idsOf(ring: BatchRing): Promise<number[][]> {
  const all: number[][] = [];
  for await (const batch of ring.batches()) all.push([...batch.requestId.subarray(0, batch.length)]);
  return all;
}

describe('BatchRing', () => {
  it('gives every column of every batch as it was made, in order', async () => {
    const regions = ['a', 'b'].map((name) => ({ name, share: 1 }));
    const generated = generateO365Trace({
      seed: 3,
      durationMs: 600_000,
      requestsPerDay: 3_000_000,
      regions,
      models: [{ name: 'm', share: 1 }],
    });
    const odd = {
      async *batches() {
        const batch = new BatchColumns(1);
        batch.length = 1;
        // Something in each column that is not what stands there anyway.
        for (const [i, column] of Object.values(batch).entries())
          if (ArrayBuffer.isView(column)) (column as unknown as number[])[0] = 100 + i;
        batch.promptTokens[0] = 4_000_000_000;
        batch.priority[0] = -3;
        yield batch;
      },
    };
    for (const trace of [generated, odd]) {
      const ring = new BatchRing();
      const read = (async () => {
        const rows: unknown[] = [];
        for await (const batch of ring.batches()) rows.push(...rowsOf(batch));
        return rows;
      })();
      const made: unknown[] = [];
      for await (const batch of trace.batches()) {
        made.push(...rowsOf(batch));
        expect(ring.put(batch)).toBe(true);
        // The reader's turn: both are in one thread here.
        await new Promise((resolve) => setImmediate(resolve));
      }
      ring.end();
      expect(made.length).toBeGreaterThan(0);
      expect(await read).toEqual(made);
    }
  });

  it('stops the maker where nothing is read, and lets it go on when something is', async () => {
    const ring = new BatchRing();
    // The compiled ring of another thread would be of a build: this one does what put() waits for.
    const other = new Worker(
      `const { workerData } = require('node:worker_threads');
       const head = new Int32Array(workerData);
       setTimeout(() => { Atomics.store(head, 1, 1); Atomics.notify(head, 1); }, 200);`,
      { eval: true, workerData: ring.memory },
    );
    for (let k = 0; k < ROOM; k++) ring.put(batchOf([k]));
    // Nobody but that thread can make room: this one stands still.
    expect(ring.put(batchOf([ROOM]))).toBe(true);
    await other.terminate();
  });

  it('wakes a reader who waits, when there is no more too', async () => {
    const ring = new BatchRing();
    const ids = idsOf(ring);
    await new Promise((resolve) => setTimeout(resolve, 20));
    ring.put(batchOf([1, 2]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    ring.end();
    expect(await ids).toEqual([[1, 2]]);
    const none = new BatchRing();
    none.end();
    expect(await idsOf(none)).toEqual([]);
  });

  it('tells the maker that nobody reads any more', async () => {
    const ring = new BatchRing();
    ring.put(batchOf([1]));
    for await (const _ of ring.batches()) break;
    for (let k = 0; k < 2 * ROOM; k++) expect(ring.put(batchOf([k]))).toBe(false);
  });
});

function rowsOf(batch: RequestBatch): unknown[] {
  return Array.from({ length: batch.length }, (_, i) =>
    Object.entries(batch)
      .filter(([, column]) => typeof column === 'object')
      .map(([name, column]) => [name, (column as ArrayLike<number>)[i]]),
  );
}
