import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterAll } from 'vitest';

const LOCAL = 'postgres://postgres@127.0.0.1:5432/postgres';

/**
 * An empty database on the PostgreSQL server of this machine (or of SAGESERVE_TEST_POSTGRES), which
 * is started where none answers and dropped after the tests of a file; undefined where none can be
 * had.
 */
export async function postgresForTests(): Promise<{ readonly url: string } | undefined> {
  const server = process.env['SAGESERVE_TEST_POSTGRES'] ?? LOCAL;
  const admin = (await connect(server)) ?? (startServer() ? await connect(server) : undefined);
  if (admin === undefined) return undefined;
  const name = `sageserve_adapters_${process.pid}`;
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.query(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  afterAll(async () => {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  });
  return { url: url.href };
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
