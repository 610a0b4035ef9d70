import { ConfigError, oddArithmetic } from '@sageserve/core';
import type { Logger, WorkerUtils } from 'graphile-worker';
import type pg from 'pg';
import type { SweepRun } from '../sweep/definition.js';
import type { SweepMeasures } from '../sweep/run-task.js';
import { ALIVE_LOCK, inTransaction, JOBS_SCHEMA, openDatabase, queueFailure, RELEASE_LOCK } from './database.js';
import { queueLibraries } from './queue-libraries.js';
import { withoutSecrets } from './shown-url.js';

/** A run that fails this often is given up. */
const MOST_TRIES = 3;
/** A run whose worker dies this often is given up: it is taken to be the cause. */
const MOST_CRASHES = 10;
/** A worker that took a run and never said that it lives is dead after this long. */
const UNHEARD_S = 30;
/** Jobs of one statement. */
const AT_ONCE = 500;

/** graphile-worker says nothing: its events are told by the commands. */
export async function silentLogger(): Promise<Logger> {
  const { graphile } = await queueLibraries();
  return new graphile.Logger(() => () => undefined);
}

/** What a sweep on the queue has come to. */
interface SweepStatus {
  readonly sweep: string;
  readonly runs: number;
  readonly done: number;
  readonly running: number;
  readonly waiting: number;
  readonly failed: number;
}

export interface FailedRun {
  readonly key: string;
  readonly sweep: string;
  readonly name: string;
  readonly tries: number;
  readonly error: string;
}

export interface QueueStatus {
  readonly sweeps: readonly SweepStatus[];
  readonly workers: readonly { readonly host: string; readonly pid: number; readonly running: number }[];
  readonly failed: readonly FailedRun[];
}

export interface QueuedResult {
  readonly key: string;
  readonly measures: SweepMeasures;
  readonly busySeconds: number;
}

/** The part of a run that travels. */
export type QueuedRun = Omit<SweepRun, 'key'>;

/**
 * Workers take only runs of their own version, and of an engine whose arithmetic is the same to the
 * last bit: another would give other figures.
 */
export function taskName(version: string): string {
  const odd = oddArithmetic();
  return `run-${version}${odd === undefined ? '' : `-${odd}`}`;
}

/**
 * A message as the database takes it: without the one character that no text there may have, and
 * not of any length.
 */
export function storable(message: string): string {
  return message
    .replaceAll('\0', '\\0')
    .replaceAll(/\p{Cs}/gu, '\ufffd')
    .slice(0, MOST_MESSAGE);
}

const MOST_MESSAGE = 10_000;

/**
 * Runs on a PostgreSQL database: graphile-worker hands them out, and a table beside it keeps what
 * they are and what they came to. Results stay there, so that whoever asks for the same run gets it
 * from there; they go with the schema `sageserve`.
 */
export class RunQueue {
  readonly #pool: pg.Pool;
  readonly #utils: WorkerUtils;

  private constructor(pool: pg.Pool, utils: WorkerUtils) {
    this.#pool = pool;
    this.#utils = utils;
  }

  /** Throws `ConfigError` where the database can't be used. */
  static async open(url: string): Promise<RunQueue> {
    const pool = await openDatabase(url);
    try {
      const { graphile } = await queueLibraries();
      const utils = await graphile.makeWorkerUtils({
        pgPool: pool,
        schema: JOBS_SCHEMA,
        logger: await silentLogger(),
      });
      await utils.migrate();
      return new RunQueue(pool, utils);
    } catch (cause) {
      await pool.end();
      throw new ConfigError('--queue', `the job queue can't be set up: ${withoutSecrets(queueFailure(cause), url)}`);
    }
  }

  async close(): Promise<void> {
    await this.#utils.release();
    await this.#pool.end();
  }

  /** Puts runs on the queue that are neither there nor done. Returns how many are new. */
  async submit(sweep: string, version: string, runs: readonly SweepRun[]): Promise<number> {
    let added = 0;
    for (let at = 0; at < runs.length; at += AT_ONCE) {
      const part = runs.slice(at, at + AT_ONCE);
      // In one transaction: a run whose job is not there yet would look as if it had been taken
      // off.
      added += await inTransaction(this.#pool, async (client) => {
        // The update changes nothing: it locks, so that whoever submits the same run at the same
        // time waits and then finds its job.
        const { rows } = await client.query<{ key: string }>(
          `insert into sageserve.runs (key, version, sweep, run)
           select key, $1, $2, run from json_to_recordset($3::json) as given(key text, run json)
           on conflict (key) do update set sweep = runs.sweep
           returning key`,
          [version, sweep, JSON.stringify(part.map(({ key, ...run }) => ({ key, run })))],
        );
        const { rowCount } = await client.query(
          `select ${JOBS_SCHEMA}.add_job($2, json_build_object('key', key), job_key := key, max_attempts := ${MOST_TRIES}) from sageserve.runs
           where key = any($1) and measures is null and not exists (select from ${JOBS_SCHEMA}.jobs where jobs.key = runs.key)`,
          [rows.map(({ key }) => key), taskName(version)],
        );
        return rowCount ?? 0;
      });
    }
    return added;
  }

  /** Results of some runs, as far as there are any. */
  async results(keys: readonly string[]): Promise<QueuedResult[]> {
    const { rows } = await this.#pool.query<{ key: string; measures: SweepMeasures; busy_seconds: number }>(
      'select key, measures, busy_seconds from sageserve.runs where key = any($1) and measures is not null',
      [keys],
    );
    return rows.map(({ key, measures, busy_seconds: busySeconds }) => ({ key, measures, busySeconds }));
  }

  /** Those of some keys that the queue knows nothing of. */
  async unknown(keys: readonly string[]): Promise<string[]> {
    const { rows } = await this.#pool.query<{ key: string }>(
      'select key from unnest($1::text[]) as asked(key) where not exists (select from sageserve.runs where ' +
        'runs.key = asked.key)',
      [keys],
    );
    return rows.map(({ key }) => key);
  }

  /** Runs that were given up, of some keys or of all. */
  async failed(keys?: readonly string[]): Promise<FailedRun[]> {
    const { rows } = await this.#pool.query<{
      key: string;
      sweep: string;
      run: QueuedRun;
      attempts: number;
      last_error: string | null;
    }>(
      `select runs.key, runs.sweep, runs.run, jobs.attempts, jobs.last_error
       from ${JOBS_SCHEMA}.jobs join sageserve.runs on runs.key = jobs.key
       where jobs.attempts >= jobs.max_attempts and jobs.locked_at is null and ($1::text[] is null or runs.key = any($1))
       order by runs.sweep, runs.key`,
      [keys ?? null],
    );
    return rows.map(({ key, sweep, run, attempts, last_error: error }) => ({
      key,
      sweep,
      name: runName(run),
      tries: attempts,
      error: error ?? 'unknown',
    }));
  }

  /** How many runs are waiting, or being tried: what may still give a result. */
  async open(version: string): Promise<number> {
    const { rows } = await this.#pool.query<{ open: number }>(
      `select count(*)::int as open from ${JOBS_SCHEMA}.jobs where task_identifier = $1 and (attempts < ` +
        'max_attempts or locked_at is not null)',
      [taskName(version)],
    );
    return rows[0]!.open;
  }

  /** Runs of a version that wait for an engine with another arithmetic than this one's. */
  async elsewhere(version: string): Promise<number> {
    const { rows } = await this.#pool.query<{ waiting: number }>(
      `select count(*)::int as waiting from ${JOBS_SCHEMA}.jobs
       where (task_identifier = $2 or (starts_with(task_identifier, $2 || '-') and substr(task_identifier, length($2) + 2) ~ '^[0-9a-f]{8}$'))
         and task_identifier <> $1 and attempts < max_attempts and locked_at is null`,
      [taskName(version), `run-${version}`],
    );
    return rows[0]!.waiting;
  }

  async status(): Promise<QueueStatus> {
    const { rows: sweeps } = await this.#pool.query<SweepStatus>(
      `select runs.sweep,
         count(*)::int as runs,
         count(*) filter (where measures is not null)::int as done,
         count(*) filter (where measures is null and jobs.locked_at is not null)::int as running,
         count(*) filter (where measures is null and jobs.locked_at is null and jobs.attempts < jobs.max_attempts)::int as waiting,
         count(*) filter (where measures is null and jobs.locked_at is null and jobs.attempts >= jobs.max_attempts)::int as failed
       from sageserve.runs left join ${JOBS_SCHEMA}.jobs on jobs.key = runs.key
       group by runs.sweep order by runs.sweep`,
    );
    const { rows: workers } = await this.#pool.query<{ host: string; pid: number; running: number }>(
      `select host, pid, count(jobs.id)::int as running from sageserve.workers
       left join ${JOBS_SCHEMA}.jobs on jobs.locked_by = workers.id
       where ${ALIVE} group by workers.id, host, pid, started_at order by started_at`,
    );
    return { sweeps, workers, failed: await this.failed() };
  }

  /** Tries runs again that were given up, of one sweep or of all. Returns how many. */
  async retry(sweep?: string): Promise<number> {
    const ids = await this.#jobIds('jobs.attempts >= jobs.max_attempts and jobs.locked_at is null', sweep);
    await this.#pool.query(
      'update sageserve.runs set crashes = 0 where measures is null and ($1::text is null or sweep = $1)',
      [sweep ?? null],
    );
    // By its function in the database: the library takes a count of 0 for none given.
    const { rowCount } = await this.#pool.query(
      `select from ${JOBS_SCHEMA}.reschedule_jobs($1::bigint[], run_at := now(), attempts := 0)`,
      [ids],
    );
    return rowCount ?? 0;
  }

  /**
   * Takes runs off the queue that are not under way, of one sweep or of all. Returns how many; what
   * is under way ends as it would.
   */
  async cancel(sweep?: string): Promise<number> {
    const ids = await this.#jobIds('jobs.locked_at is null', sweep);
    const taken = (await this.#utils.completeJobs(ids)).length;
    await this.#pool.query(
      'delete from sageserve.runs where measures is null and ($1::text is null or sweep = $1) and not exists ' +
        `(select from ${JOBS_SCHEMA}.jobs where jobs.key = runs.key)`,
      [sweep ?? null],
    );
    return taken;
  }

  async #jobIds(condition: string, sweep: string | undefined): Promise<string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      `select jobs.id from ${JOBS_SCHEMA}.jobs join sageserve.runs on runs.key = jobs.key where ${condition} and ` +
        '($1::text is null or runs.sweep = $1)',
      [sweep ?? null],
    );
    return rows.map(({ id }) => id);
  }
}

/**
 * Whether a worker of `sageserve.workers` lives: its connection holds its lock, which the database
 * lets go of when the connection is gone.
 */
const ALIVE = `exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 2 and classid = ${ALIVE_LOCK}::oid and objid = workers.lock_key::oid
  and database = (select oid from pg_database where datname = current_database()))`;

/**
 * Says that a worker lives, for as long as this connection does. The server finds out within half a
 * minute that a machine is gone which did not say so.
 */
export async function announce(client: pg.ClientBase, id: string, host: string, pid: number): Promise<void> {
  await client.query('set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4');
  await client.query(`select pg_advisory_lock(${ALIVE_LOCK}, hashtext($1) & 2147483647)`, [id]);
  await client.query(
    'insert into sageserve.workers (id, host, pid, lock_key) values ($1, $2, $3, hashtext($1) & 2147483647) on ' +
      'conflict do nothing',
    [id, host, pid],
  );
}

/** Gives back what a worker holds that is about to end, as if it had not been taken. */
export async function giveBack(client: pg.ClientBase, id: string): Promise<void> {
  const { rows } = await client.query<{ id: string }>(`select id from ${JOBS_SCHEMA}.jobs where locked_by = $1`, [id]);
  await client.query(`select ${JOBS_SCHEMA}.force_unlock_workers(array[$1])`, [id]);
  // Those with as many tries together: what is far away is not asked for each.
  await client.query(
    `select ${JOBS_SCHEMA}.reschedule_jobs(ids, attempts := greatest(0, tries - 1))
     from (select array_agg(id) as ids, attempts::int as tries from ${JOBS_SCHEMA}.jobs where id = any($1::bigint[]) group by attempts) as held`,
    [rows.map((job) => job.id)],
  );
  await client.query('delete from sageserve.workers where id = $1', [id]);
}

/**
 * Hands on what dead workers held, and forgets them. A try that ended with its worker does not
 * count as a try of the run, unless its workers die again and again. One statement after another in
 * one transaction, so that no run is free with a wrong count of tries. Returns how many runs were
 * freed.
 */
export async function releaseDead(client: pg.ClientBase): Promise<number> {
  // One at a time is enough, and counts each death once.
  const { rows: turn } = await client.query<{ mine: boolean }>('select pg_try_advisory_xact_lock($1) as mine', [
    RELEASE_LOCK,
  ]);
  if (turn[0]?.mine !== true) return 0;
  const { rows } = await client.query<{ id: string; key: string; attempts: number; locked_by: string }>(
    `select jobs.id, jobs.key, jobs.attempts, jobs.locked_by from ${JOBS_SCHEMA}.jobs left join sageserve.workers on workers.id = jobs.locked_by
     where jobs.locked_by is not null and jobs.key in (select key from sageserve.runs)
       and case when workers.id is null then jobs.locked_at < now() - interval '${UNHEARD_S} seconds' else not ${ALIVE} end`,
  );
  if (rows.length > 0)
    await client.query(`select ${JOBS_SCHEMA}.force_unlock_workers($1)`, [
      [...new Set(rows.map((row) => row.locked_by))],
    ]);
  for (const { id, key, attempts } of rows) {
    const crashed = await client.query<{ crashes: number }>(
      'update sageserve.runs set crashes = crashes + 1 where key = $1 returning crashes',
      [key],
    );
    const crashes = crashed.rows[0]!.crashes;
    if (crashes >= MOST_CRASHES)
      await client.query(`select ${JOBS_SCHEMA}.permanently_fail_jobs(array[$1::bigint], $2)`, [
        id,
        `its worker died ${crashes} times`,
      ]);
    else
      await client.query(`select ${JOBS_SCHEMA}.reschedule_jobs(array[$1::bigint], attempts := $2::int)`, [
        id,
        Math.max(0, attempts - 1),
      ]);
  }
  // One that died since the question above keeps its row until the next look: without it, what it
  // holds would count as taken by a worker yet to be heard of.
  await client.query(
    `delete from sageserve.workers where not ${ALIVE} and not exists (select from ${JOBS_SCHEMA}.jobs where ` +
      'locked_by = workers.id)',
  );
  return rows.length;
}

function runName({ scenario, strategy, seed }: QueuedRun): string {
  return `${scenario}, ${strategy}, seed ${seed}`;
}
