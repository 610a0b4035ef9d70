import { afterEach, describe, expect, it } from 'vitest';
import { ThreadPool } from './thread-pool.js';

/** Answers with twice the number; loops for ever on −1, ends its process on −2. */
const source = `
  import { parentPort } from 'node:worker_threads';
  parentPort.on('message', (x) => {
    if (x === -1) for (;;);
    if (x === -2) process.exit(3);
    parentPort.postMessage(2 * x);
  });`;

const pools: ThreadPool<number>[] = [];
const pool = (most = 1) => {
  const made = new ThreadPool<number>({
    worker: new URL(`data:text/javascript,${encodeURIComponent(source)}`),
    most,
    kept: 1,
  });
  pools.push(made);
  return made;
};
afterEach(() => Promise.all(pools.splice(0).map((one) => one.close(new Error('closed')))));

const ask = (threads: ThreadPool<number>, message: unknown, signal?: AbortSignal): Promise<number> =>
  threads.run<number>({
    message,
    signal,
    listen: (call) => ({ report: (said) => call.settle(() => said, 'kept') }),
    failed: (why) => new Error(`it failed: ${why.message}`),
  });

describe('threads', () => {
  it('answer one call at a time each, in order, and each call its own', async () => {
    const threads = pool(2);
    expect(await Promise.all([1, 2, 3, 4, 5, 6].map((x) => ask(threads, x)))).toEqual([2, 4, 6, 8, 10, 12]);
  });

  it('are ended in the middle of a call by its signal, and the next is answered', async () => {
    const threads = pool();
    const end = new AbortController();
    const hanging = ask(threads, -1, end.signal);
    const waiting = new AbortController();
    const second = ask(threads, -1, waiting.signal);
    waiting.abort(new Error('in the queue'));
    await expect(second).rejects.toThrow('in the queue');
    end.abort(new Error('at work'));
    await expect(hanging).rejects.toThrow('at work');
    expect(await ask(threads, 4)).toBe(8);
    await expect(ask(threads, 4, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });

  it('that die, or can’t be told, fail their call alone', async () => {
    const threads = pool();
    await expect(ask(threads, -2)).rejects.toThrow('it failed: its thread ended with code 3');
    await expect(ask(threads, () => 0)).rejects.toThrow(/^it failed: .*could not be cloned/);
    expect(await ask(threads, 5)).toBe(10);
  });

  it('answer nothing once they are closed', async () => {
    const threads = pool();
    const calls = Promise.allSettled([-1, 1].map((x) => ask(threads, x)));
    await threads.close(new Error('it was closed'));
    const closed = { status: 'rejected', reason: new Error('it was closed') };
    expect(await calls).toEqual([closed, closed]);
    await expect(ask(threads, 1)).rejects.toThrow('it was closed');
  });
});
