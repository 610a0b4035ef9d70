import { ConfigError } from '@sageserve/core';
import pg from 'pg';

/** Schema of the job queue, apart from other users of graphile-worker in the same database. */
export const JOBS_SCHEMA = 'sageserve_jobs';
/** First half of the advisory locks that workers hold while they live. */
export const ALIVE_LOCK = 0x5a9e;
/** Lock under which what dead workers held is handed on. */
export const RELEASE_LOCK = 0x5a9e0002;
/** Lock under which tables are made. */
const SETUP_LOCK = 0x5a9e0001;

/** Opens a pool of connections and makes the tables. Throws `ConfigError` that says why, without the password. */
export async function openDatabase(url: string, connections = 4): Promise<pg.Pool> {
  if (!/^postgres(ql)?:\/\//.test(url)) throw new ConfigError('--queue', `must be the URL of a PostgreSQL database, such as postgres://user@host:5432/name`);
  const pool = new pg.Pool({ connectionString: url, max: connections, application_name: 'sageserve', connectionTimeoutMillis: 10_000 });
  // A connection that breaks while nobody uses it is replaced.
  pool.on('error', () => undefined);
  // One that breaks while it is used fails what uses it.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  try {
    await makeTables(pool);
    return pool;
  } catch (cause) {
    await pool.end();
    throw new ConfigError('--queue', `can't use ${withoutPassword(url)}: ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  // Several addresses were tried, each with an error of its own.
  const error = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}

function withoutPassword(url: string): string {
  return url.replace(/^(postgres(?:ql)?:\/\/[^:@/]*):[^@/]*@/, '$1@');
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
