import { ConfigError, messageOf, MissingDependencyError, orAborted, SageServeError } from '@sageserve/core';
import type { Pool } from 'pg';

/** As much of a connection pool of `pg` as is used here. */
export interface Queryable {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** How a database is reached: by its address, or by a pool of `pg` that the user has already. */
export interface PostgresPlace {
  /** Such as `postgres://user:password@host:5432/name`. */
  readonly url?: string;
  readonly pool?: Queryable;
}

/** A database whose tables are made with the first question. */
export class Database {
  readonly #place: PostgresPlace;
  readonly #setup: string;
  readonly #neededFor: string;
  #ready: Promise<Queryable> | undefined;
  #own: Pool | undefined;

  /** Throws `ConfigError` where neither or both of address and pool are given. */
  constructor(place: PostgresPlace, setup: string, neededFor: string) {
    if ((place.url === undefined) === (place.pool === undefined))
      throw new ConfigError('url', 'is needed, or else pool, and not both');
    if (place.url !== undefined && !/^postgres(ql)?:\/\//.test(place.url))
      throw new ConfigError('url', 'must be that of a PostgreSQL database, such as postgres://user@host:5432/name');
    this.#place = place;
    this.#setup = setup;
    this.#neededFor = neededFor;
  }

  /**
   * Rejects with `SageServeError` (ERR_STATE), which has no address in it, where it does not
   * answer, or not before the signal aborts.
   */
  async ask<T>(text: string, values: unknown[], signal?: AbortSignal): Promise<readonly T[]> {
    const opening = (this.#ready ??= this.#open());
    let database: Queryable | undefined;
    try {
      database = await orAborted(opening, signal);
      return (await orAborted(database.query(text, values), signal)).rows as readonly T[];
    } catch (cause) {
      // Tables that may never be made are not waited for again.
      if (database === undefined && this.#ready === opening) this.#ready = undefined;
      if (cause instanceof SageServeError) throw cause;
      throw new SageServeError('ERR_STATE', `the database does not answer: ${messageOf(cause)}`);
    }
  }

  async close(): Promise<void> {
    await this.#own?.end();
    this.#own = undefined;
    this.#ready = undefined;
  }

  async #open(): Promise<Queryable> {
    try {
      const database = this.#place.pool ?? (this.#own ??= await this.#connect(this.#place.url!));
      await database.query(this.#setup, []);
      return database;
    } catch (error) {
      // The next question tries again.
      this.#ready = undefined;
      throw error;
    }
  }

  async #connect(connectionString: string): Promise<Pool> {
    let made: typeof Pool;
    try {
      made = (await import('pg')).default.Pool;
    } catch (cause) {
      throw new MissingDependencyError('pg', this.#neededFor, cause);
    }
    const pool = new made({
      connectionString,
      max: 2,
      connectionTimeoutMillis: 5_000,
      // What is not answered holds up what comes after it.
      query_timeout: 5_000,
      statement_timeout: 5_000,
      application_name: 'sageserve',
    });
    // A connection that breaks while nobody uses it is replaced.
    pool.on('error', () => undefined);
    return pool;
  }
}
