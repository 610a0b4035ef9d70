import { type Clock, ConfigError, type LeaseKeeper, messageOf, MS_PER_S, withDeadline } from '@sageserve/core';
import { Database, type PostgresPlace } from '../postgres.js';

export interface PostgresLeaseOptions extends PostgresPlace {
  /** What the lease is for: one holder for each name. */
  readonly name: string;
  /** Who asks for it; of two with one name both would hold it. */
  readonly holder: string;
  readonly clock: Clock;
  /**
   * For how long it is held after it was renewed last (ms, default 15 s). It is renewed after a
   * third of that.
   */
  readonly ttlMs?: number;
  /** Told when it could not be asked for or renewed; it is tried again. */
  readonly onError?: (what: string) => void;
}

const SETUP = `
  select pg_advisory_xact_lock(1519255554);
  create schema if not exists sageserve;
  create table if not exists sageserve.leases (
    name text primary key,
    holder text not null,
    fence bigint not null,
    expires_at timestamptz not null
  );`;

/**
 * Takes a lease that nobody holds, with the next fence, or renews one's own under the fence that it
 * has.
 */
const TAKE = `
  insert into sageserve.leases as lease (name, holder, fence, expires_at)
    values ($1, $2, 1, now() + $3 * interval '1 millisecond')
  on conflict (name) do update
    set fence = case when lease.holder = $2 and lease.fence = $4 and lease.expires_at > now()
                     then lease.fence else lease.fence + 1 end,
        holder = $2,
        expires_at = now() + $3 * interval '1 millisecond'
    where lease.expires_at <= now() or (lease.holder = $2 and lease.fence = $4)
  returning fence`;

const GIVE_BACK = `
  update sageserve.leases set expires_at = now() where name = $1 and holder = $2 and fence = $3`;

/**
 * A lease in a row of `sageserve.leases`, kept by the database's clock: renewed for as long as this
 * process can, and taken by another once it was not for `ttlMs`. Here it counts as held from the
 * moment that it was asked for, which is before the database's, so that two never hold it at once.
 * A renewal that is not answered in a third of `ttlMs` is given up, and another made while there is
 * time; so is a question for a lease that would be over by its answer.
 * Throws `ConfigError` for options that do not fit.
 */
export function createPostgresLease(options: PostgresLeaseOptions): LeaseKeeper {
  const { name, holder, clock, ttlMs = 15 * MS_PER_S, onError } = options;
  if (!(ttlMs > 0 && ttlMs < Infinity)) throw new ConfigError('ttlMs', `must be above 0, not ${ttlMs}`);
  for (const [field, value] of Object.entries({ name, holder }))
    if (value === '') throw new ConfigError(field, 'must not be empty');
  const database = new Database(options, SETUP, 'a lease in PostgreSQL');
  const ended = new AbortController();
  let fence: number | undefined;
  let heldUntilMs = -Infinity;

  const everyMs = ttlMs / 3;
  const isHeld = (): boolean => clock.nowMs() < heldUntilMs;

  /** What is given up may have been done all the same: under a fence that nobody here acts with. */
  async function take(): Promise<void> {
    const askedAtMs = clock.nowMs();
    const [row] = await withDeadline(clock, isHeld() ? everyMs : ttlMs, (signal) =>
      database.ask<{ fence: string }>(TAKE, [name, holder, ttlMs, fence ?? 0], signal),
    );
    if (row === undefined) heldUntilMs = -Infinity;
    else {
      fence = Number(row.fence);
      heldUntilMs = askedAtMs + ttlMs;
    }
  }

  async function keep(): Promise<void> {
    while (!ended.signal.aborted) {
      const askedAtMs = clock.nowMs();
      let nextAtMs: number | undefined;
      try {
        await take();
      } catch (error) {
        onError?.(`lease ${name}: ${messageOf(error)}`);
        // What was waited for long enough is tried again at once.
        nextAtMs = askedAtMs + everyMs;
      }
      await clock.sleepUntilMs(nextAtMs ?? clock.nowMs() + everyMs, ended.signal).catch(() => undefined);
    }
  }

  const keeping = keep();
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    ended.abort();
    // A question that is under way may have the lease yet.
    await keeping;
    try {
      if (fence !== undefined && isHeld())
        await withDeadline(clock, everyMs, (signal) => database.ask(GIVE_BACK, [name, holder, fence], signal));
    } catch (error) {
      onError?.(`lease ${name}: ${messageOf(error)}`);
    }
    await database.close();
  }
  return {
    lease: {
      get held() {
        return !ended.signal.aborted && isHeld();
      },
      get fence() {
        return fence;
      },
    },
    close: () => (closing ??= close()),
  };
}
