import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { preset } from '@sageserve/scenario';
import { postgresForTests } from '../../../adapters/src/fixtures.js';
import { type CommandRun, runCommand as run } from '../fixtures.js';
import { slowLine } from './fixtures.js';

const database = await postgresForTests();
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-queue-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function sweepFile(name: string, text: string): Promise<string> {
  const file = join(dir, `${name}.yaml`);
  await writeFile(file, text);
  return file;
}

/** A worker in a process of its own. */
function worker(...args: string[]): { readonly ended: Promise<CommandRun>; readonly child: () => ChildProcess } {
  let child: ChildProcess | undefined;
  const ended = run(['worker', '--queue', database!.url, '--cores', '1', ...args], (started) => (child = started));
  return { ended, child: () => child! };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 600; turn++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it never came to that');
}

const running = async (): Promise<number> =>
  (
    await database!.query<{ n: number }>(
      'select count(*)::int as n from sageserve_jobs.jobs where locked_at is not null',
    )
  )[0]!.n;

/**
 * Whether the worker of the run that is under way has said that it lives: rows of earlier ones may
 * still be there.
 */
const heard = async (): Promise<boolean> =>
  (await database!.query('select from sageserve.workers join sageserve_jobs.jobs on jobs.locked_by = workers.id'))
    .length === 1;

describe('the queue', () => {
  beforeEach(({ skip }) => {
    if (database === undefined) skip('no PostgreSQL answers on this machine, and none could be started');
  });

  it('gives the same bytes as runs in this process, made by two workers, each once; a second call finds them there', async () => {
    const file = await sweepFile(
      'same',
      'scenarios: [small]\nstrategies: [static, reactive]\nseeds: 4\nset: { duration: 10m }\n',
    );
    const [here, there, again] = ['here', 'there', 'again'].map((name) => join(dir, name)) as [string, string, string];
    expect((await run(['sweep', file, '--out', here])).code).toBe(0);
    const detached = await run(['sweep', file, '--out', there, '--queue', database!.url, '--detach']);
    expect(detached.stderr).toContain('put on the queue: 8 runs');
    const workers = [worker('--until-empty'), worker('--until-empty')];
    const sweep = await run(['sweep', file, '--out', there, '--queue', database!.url]);
    expect(sweep.stderr).toContain('put on the queue: 0 runs, beside 8 that it knows');
    expect(sweep.code).toBe(0);
    const ended = await Promise.all(workers.map(({ ended: end }) => end));
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    // Between them they made each run once.
    expect(ended.flatMap(({ stderr }) => stderr.match(/requests in/g) ?? [])).toHaveLength(8);
    for (const name of ['results.json', 'results.parquet'])
      expect((await readFile(join(there, name))).equals(await readFile(join(here, name)))).toBe(true);
    expect((await run(['sweep', file, '--out', again, '--queue', database!.url])).code).toBe(0);
    expect(await readFile(join(again, 'results.json'))).toEqual(await readFile(join(here, 'results.json')));
    const status = JSON.parse((await run(['queue', 'status', '--queue', database!.url, '--json'])).stdout) as unknown;
    expect(status).toEqual({
      sweeps: [{ sweep: 'same', runs: 8, done: 8, running: 0, waiting: 0, failed: 0 }],
      workers: [],
      failed: [],
    });
  });

  it(
    'loses nothing when a worker is killed in the middle: its run is taken again and counted once, and the try ' +
      'does not count',
    async () => {
      const file = await sweepFile(
        'killed',
        'name: killed\nscenarios: [small]\nstrategies: [reactive]\nset: { duration: 12h }\n',
      );
      const victim = worker();
      const out = join(dir, 'killed');
      const sweep = run(['sweep', file, '--out', out, '--queue', database!.url]);
      await until(
        async () =>
          (await database!.query(`select from pg_tables where schemaname = 'sageserve' and tablename = 'runs'`))
            .length === 1 && (await running()) === 1,
      );
      await until(heard);
      victim.child().kill('SIGKILL');
      await victim.ended;
      const heir = worker('--until-empty');
      const { code } = await sweep;
      expect(code).toBe(0);
      const { stderr } = await heir.ended;
      expect(stderr).toContain('a worker died: 1 run free again');
      expect(stderr.match(/requests in/g)).toHaveLength(1);
      expect(
        await database!.query(
          `select crashes, measures is not null as done from sageserve.runs where sweep = 'killed'`,
        ),
      ).toEqual([{ crashes: 1, done: true }]);
      expect((JSON.parse(await readFile(join(out, 'results.json'), 'utf8')) as { runs: unknown[] }).runs).toHaveLength(
        1,
      );
    },
  );

  it('gives back what it holds when it is told to end', async () => {
    const file = await sweepFile(
      'polite',
      'name: polite\nscenarios: [small]\nstrategies: [reactive]\nset: { duration: 3d, traffic.requestsPerDay: ' +
        '4000000 }\n',
    );
    const first = worker();
    expect((await run(['sweep', file, '--out', join(dir, 'polite'), '--queue', database!.url, '--detach'])).code).toBe(
      0,
    );
    await until(heard);
    first.child().kill('SIGTERM');
    expect((await first.ended).code).toBe(130);
    expect(await database!.query('select attempts, locked_by from sageserve_jobs.jobs')).toEqual([
      { attempts: 0, locked_by: null },
    ]);
    const cancelled = await run(['queue', 'cancel', '--queue', database!.url, '--sweep', 'polite']);
    expect(cancelled.stdout).toContain('taken off the queue: 1 run;');
    expect(await database!.query(`select from sageserve.runs where sweep = 'polite'`)).toEqual([]);
  });

  it('gives back what it holds over a slow line too, and says so where that line is cut', async () => {
    const file = await sweepFile(
      'far',
      'name: far\nscenarios: [small]\nstrategies: [reactive]\nset: { duration: 3d, traffic.requestsPerDay: 4000000 }\n',
    );
    const line = await slowLine(database!.url);
    try {
      const first = worker('--queue', line.url);
      expect((await run(['sweep', file, '--out', join(dir, 'far'), '--queue', database!.url, '--detach'])).code).toBe(
        0,
      );
      await until(heard);
      line.delayMs = 150;
      first.child().kill('SIGTERM');
      expect((await first.ended).code).toBe(130);
      line.delayMs = 0;
      expect(await database!.query('select attempts, locked_by from sageserve_jobs.jobs')).toEqual([
        { attempts: 0, locked_by: null },
      ]);
      expect(await database!.query(`select crashes from sageserve.runs where sweep = 'far'`)).toEqual([{ crashes: 0 }]);
      let waits: ChildProcess | undefined;
      const waiting = run(
        ['sweep', file, '--out', join(dir, 'far'), '--queue', line.url.replace('@', ':hush@')],
        (child) => (waits = child),
      );
      await new Promise<void>((resolve) =>
        waits!.stderr!.on('data', (text: Buffer) => {
          if (text.includes('put on the queue')) resolve();
        }),
      );
      line.cut();
      const { code, stderr } = await waiting;
      expect(stderr).toContain('error: the queue did not answer: ');
      expect(stderr).not.toMatch(/defect|hush/);
      expect(code).toBe(1);
    } finally {
      line.cut();
      await run(['queue', 'cancel', '--queue', database!.url, '--sweep', 'far']);
    }
  });

  it(
    'gives up a run that fails three times, keeps its error even where the database can’t hold that as it is, and ' +
      'tries it again when asked to',
    async () => {
      await writeFile(
        join(dir, 'broken.mjs'),
        `export default { regionRouters: { broken: () => ({ name: 'broken', route() { throw new Error('no route ` +
          `\\u0000to anywhere'); } }) } };`,
      );
      await writeFile(
        join(dir, 'broken.json'),
        JSON.stringify({
          ...preset('small'),
          name: 'broken',
          duration: '5m',
          regionRouter: 'broken',
          plugins: ['./broken.mjs'],
        }),
      );
      const file = await sweepFile(
        'poison',
        'name: poison\nscenarios: [small, ./broken.json]\nstrategies: [static]\nset: { duration: 5m }\n',
      );
      const busy = worker();
      const sweep = await run(['sweep', file, '--out', join(dir, 'poison'), '--queue', database!.url]);
      expect(sweep.code).toBe(1);
      expect(sweep.stderr).toMatch(
        /1 of 2 runs failed, the first with: region router "broken" of .* \(.*broken.mjs\) threw in route\(\): /,
      );
      expect(sweep.stderr).toContain(': no route \\0to anywhere\nhint: sageserve queue retry tries them again.');
      const status = (await run(['queue', 'status', '--queue', database!.url])).stdout;
      expect(status).toMatch(/poison +2 +1 +0 +0 +1/);
      expect(status).toMatch(
        /poison: broken, static, seed 1 failed after 3 tries: region router "broken" of .* no route \\0to anywhere/,
      );
      busy.child().kill('SIGTERM');
      expect((await busy.ended).stderr.match(/failed: region router "broken" .*no route \\0to anywhere/g)).toHaveLength(
        3,
      );
      expect((await run(['queue', 'retry', '--queue', database!.url, '--sweep', 'poison'])).stdout).toContain(
        'to be tried again: 1 failed run',
      );
      expect((await run(['queue', 'status', '--queue', database!.url])).stdout).toMatch(/poison +2 +1 +0 +1 +0/);
      expect((await run(['queue', 'cancel', '--queue', database!.url])).stdout).toContain(
        'taken off the queue: 1 run;',
      );
    },
  );

  it('does not count a try when a worker loses its connection, and ends it with an error', async () => {
    const file = await sweepFile(
      'cut',
      'name: cut\nscenarios: [small]\nstrategies: [reactive]\nset: { duration: 3d, traffic.requestsPerDay: 4000000 }\n',
    );
    expect((await run(['sweep', file, '--out', join(dir, 'cut'), '--queue', database!.url, '--detach'])).code).toBe(0);
    for (const whose of [`application_name = 'sageserve worker'`, 'pid <> pg_backend_pid()']) {
      const cut = worker();
      await until(heard);
      await database!.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and ' +
          `application_name like 'sageserve%' and ${whose}`,
      );
      const { code, stderr } = await cut.ended;
      expect([code, stderr]).toEqual([1, expect.stringContaining('error: the connection to the queue was lost')]);
      // Given back at once, or when the next one sees that its lock is gone.
      const heir = worker();
      await until(
        async () =>
          (
            await database!.query(
              'select from sageserve_jobs.jobs join sageserve.workers on locked_by = workers.id where attempts = ' +
                `1 and pid = ${heir.child().pid}`,
            )
          ).length === 1,
      );
      heir.child().kill('SIGTERM');
      expect((await heir.ended).code).toBe(130);
      expect(await database!.query('select attempts, locked_by from sageserve_jobs.jobs')).toEqual([
        { attempts: 0, locked_by: null },
      ]);
    }
    // Whoever waits for a run that is taken off is told.
    const waiting = run(['sweep', file, '--out', join(dir, 'cut'), '--queue', database!.url], (child) => {
      child.stderr!.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('put on the queue: 0 runs'))
          void run(['queue', 'cancel', '--queue', database!.url, '--sweep', 'cut']);
      });
    });
    const { code, stderr } = await waiting;
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('1 of 1 run failed, the first with: it was taken off the queue'),
    ]);
  });

  it('does not take a database that answers late or not for a failure of the run, and tells its result once', async () => {
    const file = await sweepFile(
      'slow',
      'name: slow\nscenarios: [small]\nstrategies: [reactive]\nset: { duration: 13h }\n',
    );
    const CONNECTIONS =
      'from pg_stat_activity where datname = current_database() and application_name like ' + `'sageserve%'`;
    const waiting = (statement: string): string =>
      `${CONNECTIONS} and wait_event_type = 'Lock' and query like '${statement}%'`;
    const toBeMade = waiting('select run, measures');
    const toBeKept = waiting('update sageserve.runs set measures');
    const count = async (connections: string): Promise<number> =>
      (await database!.query(`select ${connections}`)).length;
    const cut = (connections: string): Promise<unknown> =>
      database!.query(`select pg_terminate_backend(pid) ${connections}`);
    const submitted = await run(['sweep', file, '--out', join(dir, 'slow'), '--queue', database!.url, '--detach']);
    expect(submitted.stderr).toContain('put on the queue: 1 run');
    const startLocked = async (): Promise<{ started: ReturnType<typeof worker>; unlock: () => Promise<void> }> => {
      await database!.query(`update sageserve_jobs._private_jobs set run_at = now() + interval '1 hour'`);
      await until(async () => (await count(CONNECTIONS)) === 0);
      const started = worker('--until-empty');
      // The last that it opens.
      await until(async () => (await count(`${CONNECTIONS} and application_name = 'sageserve worker'`)) === 1);
      const unlock = await database!.lock('sageserve.runs');
      await database!.query('update sageserve_jobs._private_jobs set run_at = now()');
      return { started, unlock };
    };

    // All of a worker's connections, while it asks what to do: it gives the run back.
    const lost = await startLocked();
    await until(async () => (await count(toBeMade)) === 1);
    await cut(CONNECTIONS);
    const { code, stderr } = await lost.started.ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('error: the connection to the queue was lost')]);
    await lost.unlock();
    expect(await database!.query('select attempts, locked_by, last_error from sageserve_jobs.jobs')).toEqual([
      { attempts: 0, locked_by: null, last_error: null },
    ]);

    // One connection, while it asks what to do and while it tells a result: it asks and tells
    // again.
    const hindered = await startLocked();
    await until(async () => (await count(toBeMade)) === 1);
    const [{ pid }] = (await database!.query<{ pid: number }>(`select pid ${toBeMade}`)) as [{ pid: number }];
    await cut(toBeMade);
    await until(async () => (await count(`${toBeMade} and pid <> ${pid}`)) === 1);
    await hindered.unlock();
    const unlock = await database!.lock('sageserve.runs');
    await until(async () => (await count(toBeKept)) === 1);
    await cut(toBeKept);
    await unlock();
    const ended = await hindered.started.ended;
    expect([ended.code, ended.stderr.match(/requests in/g)?.length, ended.stderr]).toEqual([
      0,
      1,
      expect.not.stringContaining('failed'),
    ]);
    expect(
      await database!.query(`select measures is not null as done, crashes from sageserve.runs where sweep = 'slow'`),
    ).toEqual([{ done: true, crashes: 0 }]);
  });

  it('hears Ctrl-C while its tables are locked', async () => {
    await run(['queue', 'status', '--queue', database!.url]);
    const unlock = await database!.lock('sageserve_jobs.jobs');
    try {
      const { code } = await run(['queue', 'status', '--queue', database!.url], (child) =>
        setTimeout(() => child.kill('SIGINT'), 1_500),
      );
      expect(code).toBe(130);
    } finally {
      await unlock();
    }
  });

  it.skipIf(process.platform !== 'linux')('hides an address with a password from whoever lists processes', async () => {
    const url = new URL(database!.url);
    url.searchParams.set('application_name', 'x');
    url.password = 'hush5ecret';
    let seen = '';
    const started = run(['worker', '--queue', url.href, '--cores', '1'], (child) => {
      setTimeout(() => {
        seen = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
        child.kill('SIGINT');
      }, 2_500);
    });
    const { stdout, stderr } = await started;
    expect(seen).toMatch(/^sageserve/);
    expect(seen + stdout + stderr).not.toContain('hush5ecret');
  });

  it('says what is wrong with a queue, and never its password', async () => {
    const wrong: readonly (readonly [string[], string])[] = [
      [['queue', 'status'], '--queue: is needed'],
      [['worker', '--queue', 'redis://here'], '--queue: must be the URL of a PostgreSQL database'],
      [
        ['queue', 'status', '--queue', 'postgres://me:hush@127.0.0.1:1/none'],
        "--queue: can't use postgres://me@127.0.0.1:1/none: ",
      ],
      [['sweep', await sweepFile('any', 'scenarios: [small]\n'), '--detach'], '--detach: goes with --queue'],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await run(args);
      expect(stderr).toContain(message);
      expect(stderr).not.toContain('hush');
      expect(code).toBe(2);
    }
  });
});
