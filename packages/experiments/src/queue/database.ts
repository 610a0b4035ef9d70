import { ConfigError, messageOf, SageServeError } from '@sageserve/core';
import type pg from 'pg';
import { queueLibraries } from './queue-libraries.js';
import { shownUrl, withoutSecrets } from './shown-url.js';

/** Schema of the job queue, apart from other users of graphile-worker in the same database. */
export const JOBS_SCHEMA = 'sageserve_jobs';
/** First half of the advisory locks that workers hold while they live. */
export const ALIVE_LOCK = 0x5a9e;
/** Lock under which what dead workers held is handed on. */
export const RELEASE_LOCK = 0x5a9e0002;
/** Lock under which tables are made. */
const SETUP_LOCK = 0x5a9e0001;

/**
 * Opens a pool of connections and makes the tables. Throws `ConfigError` that says why, without the
 * password, and `MissingDependencyError` where the client is not installed.
 */
export async function openDatabase(url: string, connections = 4): Promise<pg.Pool> {
  if (!/^postgres(ql)?:\/\//.test(url))
    throw new ConfigError(
      '--queue',
      `must be the URL of a PostgreSQL database, such as postgres://user@host:5432/name`,
    );
  const { pg: client } = await queueLibraries();
  let pool: pg.Pool;
  try {
    pool = new client.Pool({
      connectionString: url,
      max: connections,
      application_name: 'sageserve',
      connectionTimeoutMillis: 10_000,
      lock_timeout: LOCK_TIMEOUT_MS,
    });
  } catch (cause) {
    throw cantUse(url, cause);
  }
  // A connection that breaks while nobody uses it is replaced.
  pool.on('error', () => undefined);
  // One that breaks while it is used fails what uses it.
  pool.on('connect', (connection) => {
    connection.on('error', () => undefined);
  });
  try {
    await makeTables(pool);
    return pool;
  } catch (cause) {
    await pool.end();
    throw cantUse(url, cause);
  }
}

function cantUse(url: string, cause: unknown): ConfigError {
  // Several addresses were tried, each with an error of its own.
  const error = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
  const { code } = (error ?? {}) as { code?: string };
  const reason = code === LOCK_NOT_AVAILABLE ? LOCKED : withoutSecrets(messageOf(error), url);
  // The cause has the address in it, and stays here.
  return new ConfigError('--queue', `can't use ${shownUrl(url)}: ${reason}`, {
    hint:
      'An address is postgres://user:password@host:5432/name; what is not a letter or a digit in a password is ' +
      'written as %40 and the like.',
  });
}

const LOCK_NOT_AVAILABLE = '55P03';
/** What waits longer for a lock than that waits for somebody who has forgotten it. */
const LOCK_TIMEOUT_MS = 15_000;
const LOCKED = `its tables are locked by somebody else, for more than ${LOCK_TIMEOUT_MS / 1_000} s`;

/** What a question came to that the database did not answer, in words. */
export function queueFailure(cause: unknown): string {
  return (cause as { code?: string } | null)?.code === LOCK_NOT_AVAILABLE ? LOCKED : messageOf(cause);
}

/**
 * Asks a database. Throws `SageServeError` (ERR_QUEUE) where it did not answer, with nothing of
 * what is secret in its address; the signal's reason where it has aborted; and what is no failure
 * of a database as it is.
 */
export async function askDatabase<T>(url: string, questions: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await questions();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof SageServeError || cause instanceof TypeError || cause instanceof RangeError) throw cause;
    throw new SageServeError('ERR_QUEUE', `the queue did not answer: ${withoutSecrets(queueFailure(cause), url)}`);
  }
}

async function makeTables(pool: pg.Pool): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [SETUP_LOCK]);
    await client.query(`
      create schema if not exists sageserve;
      create table if not exists sageserve.runs (
        key text primary key,
        version text not null,
        sweep text not null,
        run json not null,
        crashes int not null default 0,
        measures json,
        busy_seconds double precision,
        worker text,
        finished_at timestamptz
      );
      create index if not exists runs_by_sweep on sageserve.runs (sweep);
      create table if not exists sageserve.workers (
        id text primary key,
        host text not null,
        pid int not null,
        lock_key int not null,
        started_at timestamptz not null default now()
      );`);
  });
}

export async function inTransaction<T>(pool: pg.Pool, action: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await action(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}
