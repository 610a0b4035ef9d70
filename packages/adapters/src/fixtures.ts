import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterAll } from 'vitest';

const LOCAL = 'postgres://postgres@127.0.0.1:5432/postgres';

export interface TestDatabase {
  readonly url: string;
  query<T extends pg.QueryResultRow>(sql: string): Promise<T[]>;
  /** Keeps everyone else from a table, until what it returns is called. */
  lock(table: string): Promise<() => Promise<void>>;
}

/**
 * An empty database on the PostgreSQL server of this machine (or of SAGESERVE_TEST_POSTGRES), which
 * is started where none answers and dropped after the tests of a file; undefined where none can be
 * had.
 */
export async function postgresForTests(): Promise<TestDatabase | undefined> {
  const server = process.env['SAGESERVE_TEST_POSTGRES'] ?? LOCAL;
  const admin = (await connect(server)) ?? (startServer() ? await connect(server) : undefined);
  if (admin === undefined) return undefined;
  const name = `sageserve_test_${process.pid}`;
  // One of an earlier process of this number, which was killed.
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.query(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const client = (await connect(url.href))!;
  afterAll(async () => {
    await client.end();
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  });
  return {
    url: url.href,
    query: async <T extends pg.QueryResultRow>(sql: string) => (await client.query<T>(sql)).rows,
    async lock(table) {
      const holder = (await connect(url.href))!;
      await holder.query(`begin; lock table ${table} in access exclusive mode`);
      return () => holder.end();
    },
  };
}

async function connect(url: string): Promise<pg.Client | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined);
  return client.connect().then(
    () => client,
    () => undefined,
  );
}

/** Debian's way to start a server that was installed. */
function startServer(): boolean {
  try {
    const [version] = readdirSync('/etc/postgresql');
    return (
      version !== undefined &&
      spawnSync('pg_ctlcluster', ['--skip-systemctl-redirect', version, 'main', 'start']).status === 0
    );
  } catch {
    return false;
  }
}
