import type { StateStore } from '@sageserve/core';
import { Database, type PostgresPlace } from '../postgres.js';
import { fencedError } from './fenced.js';

export interface PostgresStateStoreOptions extends PostgresPlace {
  /** Whose state it is, where several fleets share a database (default `default`). */
  readonly namespace?: string;
}

/** Two that begin at once may both find no table. */
const SETUP = `
  select pg_advisory_xact_lock(1519255553);
  create schema if not exists sageserve;
  create table if not exists sageserve.state (
    namespace text not null,
    key text not null,
    text text not null,
    fence bigint,
    saved_at timestamptz not null default now(),
    primary key (namespace, key)
  );`;

/**
 * Compares and writes in one step: of two controllers the one with the older fence changes nothing.
 */
const SAVE = `
  insert into sageserve.state as kept (namespace, key, text, fence) values ($1, $2, $3, $4)
  on conflict (namespace, key) do update
    set text = excluded.text, fence = coalesce(excluded.fence, kept.fence), saved_at = now()
    where excluded.fence is null or kept.fence is null or excluded.fence >= kept.fence
  returning 1`;

/**
 * Keeps each key in a row of `sageserve.state`, which is made with the first use. Needs the package
 * `pg`, unless a pool is given. Rejects with `SageServeError` (ERR_STATE) where the database does
 * not answer, `MissingDependencyError` without `pg`; throws `ConfigError` for an address that is
 * none.
 */
export function createPostgresStateStore(
  options: PostgresStateStoreOptions,
): StateStore & { /** Ends the connections that it opened. */ close(): Promise<void> } {
  const { namespace = 'default' } = options;
  const database = new Database(options, SETUP, 'state in PostgreSQL');
  return {
    async load(key, given) {
      const [row] = await database.ask<{ text: string }>(
        'select text from sageserve.state where namespace = $1 and key = $2',
        [namespace, key],
        given?.signal,
      );
      return row?.text;
    },
    async save(key, text, given) {
      const saved = await database.ask(SAVE, [namespace, key, text, given?.fence ?? null], given?.signal);
      if (saved.length === 0) throw fencedError(key, given?.fence, undefined);
    },
    close: () => database.close(),
  };
}
