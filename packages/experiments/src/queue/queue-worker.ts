import { hostname } from 'node:os';
import { messageOf, SageServeError } from '@sageserve/core';
import type pg from 'pg';
import { RunPool } from '../threads/run-pool.js';
import type { SweepMeasures } from '../sweep/run-task.js';
import { pause, repeatedly, wallClockMs, within } from '../wall-clock.js';
import { askDatabase, inTransaction, JOBS_SCHEMA, openDatabase, queueFailure } from './database.js';
import {
  announce,
  giveBack,
  type QueuedRun,
  releaseDead,
  RunQueue,
  silentLogger,
  storable,
  taskName,
} from './run-queue.js';
import { queueLibraries } from './queue-libraries.js';
import { withoutSecrets } from './shown-url.js';

/** How often the queue is asked for work that nobody announced, and dead workers are looked for. */
const POLL_MS = 1_000;
/** When the database is asked again what it did not answer. */
const AGAIN_MS = 200;
/**
 * What is asked of the database may fail for so long before the worker ends: the connection that
 * says that it lives decides, not a hiccup of another.
 */
const PATIENCE_MS = 30_000;
/** What is held must be back on the queue by then, when the worker ends. */
const GIVE_BACK_MS = 5_000;

export interface QueueWorkerOptions {
  readonly url: string;
  readonly version: string;
  readonly cores: number;
  /** End when nothing waits and nobody is at work. */
  readonly untilEmpty: boolean;
  readonly onRun?: (run: QueuedRun, requests: number, busySeconds: number) => void;
  readonly onFailure?: (run: QueuedRun, message: string) => void;
  readonly onFreed?: (runs: number) => void;
  /** Runs of this version are there that only an engine with another arithmetic may make. */
  readonly onElsewhere?: (runs: number) => void;
  /**
   * Told that runs are held, and how long it may take to give them back (ms); returns how to say
   * that they are.
   */
  readonly onHold?: (mostMs: number) => () => void;
}

/**
 * Takes runs from a queue until there are none or the signal aborts; what it holds then goes back.
 * It holds a lock on a connection of its own while it lives: when that connection is gone, whoever
 * else works on the queue hands on what it held. Throws `ConfigError` where the database can't be
 * used, and `SageServeError` (ERR_QUEUE) when the connection breaks.
 */
export async function runQueueWorker(options: QueueWorkerOptions, signal: AbortSignal): Promise<void> {
  const { url, version, cores, untilEmpty } = options;
  const queue = await RunQueue.open(url);
  // Each run under way may ask, and graphile-worker listens and fetches.
  const connections = await openDatabase(url, cores + 4);
  const { pg: client, graphile } = await queueLibraries();
  const alive = new client.Client({ connectionString: url, application_name: 'sageserve worker', keepAlive: true });
  const pool = await RunPool.open<string>(cores);
  const ended = new AbortController();
  const stopped = AbortSignal.any([signal, ended.signal]);
  let lost: Error | undefined;
  const lose = (error: unknown): void => {
    lost ??= error instanceof Error ? error : new Error(String(error));
    ended.abort(lost);
  };
  alive.on('error', lose);
  let id: string | undefined;
  let announced: Promise<void> | undefined;
  let stopLooking = (): void => undefined;
  /**
   * Gives back what is held. Where that can't be done it never ends, so that nothing is said of the
   * runs: whoever sees this worker's lock gone hands them on.
   */
  const giveAllBack = async (): Promise<void> => {
    const own = id;
    if (own === undefined) return;
    try {
      const inTime = AbortSignal.timeout(GIVE_BACK_MS);
      await within(
        GIVE_BACK_MS,
        untilAnswered(() => inTransaction(connections, (client) => giveBack(client, own)), inTime),
      );
    } catch (error) {
      lose(error);
      await new Promise(() => undefined);
    }
  };
  try {
    await askDatabase(url, () => alive.connect(), signal);
    const ask = <T>(question: () => Promise<T>): Promise<T> => {
      const sinceMs = wallClockMs();
      return untilAnswered(question, stopped, (error) => {
        if (wallClockMs() - sinceMs > PATIENCE_MS) lose(error);
      });
    };
    const take = async (key: string, worker: string): Promise<void> => {
      // Fetched while the worker was ending.
      stopped.throwIfAborted();
      await (announced ??= announce(alive, worker, hostname(), process.pid).catch((error: unknown) => {
        lose(error);
        throw error;
      }));
      const { rows } = await ask(() =>
        connections.query<{ run: QueuedRun; done: boolean }>(
          'select run, measures is not null as done from sageserve.runs where key = $1',
          [key],
        ),
      );
      const queued = rows[0];
      // Done by one who died before it could say so, or cancelled.
      if (queued === undefined || queued.done) return;
      const job = { kind: 'sweep', task: queued.run.task } as const;
      const { answer: measures, busySeconds } = await pool.run(key, job, stopped).catch((error: unknown) => {
        if (stopped.aborted) throw error;
        const message = storable(messageOf(error));
        options.onFailure?.(queued.run, message);
        // What the database can't store would end whoever tells it.
        throw new Error(message);
      });
      await ask(() => finish(connections, key, measures, busySeconds, worker));
      options.onRun?.(queued.run, measures['arrived'] ?? 0, busySeconds);
    };
    const work = async (key: string, worker: string): Promise<void> => {
      id = worker;
      const putAway = options.onHold?.(2 * GIVE_BACK_MS);
      try {
        await take(key, worker);
      } catch (error) {
        // What goes back to the queue is no failure: once it is back, nothing that this worker says
        // of it counts.
        if (stopped.aborted) await giveAllBack();
        throw error;
      } finally {
        putAway?.();
      }
    };
    const runner = await graphile.run({
      pgPool: connections,
      schema: JOBS_SCHEMA,
      logger: await silentLogger(),
      concurrency: cores,
      noHandleSignals: true,
      pollInterval: POLL_MS,
      parsedCronItems: [],
      // Batches, if of one: a result that can't be told to the queue then ends the runner, and is
      // no unhandled rejection.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      taskList: { [taskName(version)]: (payload, { job }) => work((payload as { key: string }).key, job.locked_by!) },
    });
    runner.promise.then(() => {
      if (!stopped.aborted) lose(new Error('the runner ended by itself'));
    }, lose);
    let busy = false;
    let failingSinceMs: number | undefined;
    let told = false;
    const look = async (): Promise<void> => {
      if (busy || stopped.aborted) return;
      busy = true;
      try {
        const freed = await inTransaction(connections, releaseDead);
        if (freed > 0) options.onFreed?.(freed);
        const elsewhere = told ? 0 : await queue.elsewhere(version);
        if (elsewhere > 0) {
          told = true;
          options.onElsewhere?.(elsewhere);
        }
        if (untilEmpty && (await queue.open(version)) === 0) ended.abort();
        failingSinceMs = undefined;
      } catch (error) {
        failingSinceMs ??= wallClockMs();
        if (wallClockMs() - failingSinceMs > PATIENCE_MS) lose(error);
      } finally {
        busy = false;
      }
    };
    stopLooking = repeatedly(POLL_MS, () => void look());
    await new Promise<void>((resolve) => {
      if (stopped.aborted) resolve();
      else
        stopped.addEventListener('abort', () => {
          resolve();
        });
    });
    // It takes nothing more from here on. Where what it holds can't be given back it does not wait
    // for it either.
    await within(2 * GIVE_BACK_MS, runner.stop()).catch(lose);
  } finally {
    stopLooking();
    await pool.close();
    const closed = Promise.all([alive.end(), queue.close(), connections.end()]);
    await within(GIVE_BACK_MS, closed).catch(() => undefined);
  }
  if (lost !== undefined)
    throw new SageServeError(
      'ERR_QUEUE',
      `the connection to the queue was lost: ${withoutSecrets(queueFailure(lost), url)}`,
      {
        hint: 'What this worker held is taken by others.',
      },
    );
  signal.throwIfAborted();
}

/**
 * Asks the database again until it answers: what it can't say is no failure of a run. Throws the
 * signal's reason when it aborts.
 */
async function untilAnswered<T>(
  question: () => Promise<T>,
  signal: AbortSignal,
  onFailure?: (error: unknown) => void,
): Promise<T> {
  for (;;) {
    try {
      return await question();
    } catch (error) {
      onFailure?.(error);
      await pause(AGAIN_MS, signal);
    }
  }
}

/** Keeps a result: the first one, where a run was made twice. */
async function finish(
  connections: pg.Pool,
  key: string,
  measures: SweepMeasures,
  busySeconds: number,
  worker: string,
): Promise<void> {
  await connections.query(
    'update sageserve.runs set measures = $2, busy_seconds = $3, worker = $4, finished_at = now() where key = $1 ' +
      'and measures is null',
    [key, JSON.stringify(measures), busySeconds, worker],
  );
}
