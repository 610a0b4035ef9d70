import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Figure, median } from './measure.js';
import { clockSeconds, repeatedly } from './wall-clock.js';

const CLI = fileURLToPath(new URL('../../packages/sageserve/bin/sageserve.js', import.meta.url));
const DATABASE = process.env['SAGESERVE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';
const ROUNDS = 3;
/** Sweeps with and without the queue, and their runs. */
const PAIRS = 6;
const RUNS = 8;
const WORKERS = 4;
const KILL_EVERY_MS = 3_000;

interface Results {
  readonly runs: readonly { readonly key: string; readonly measures: { readonly arrived: number } }[];
  readonly failed: readonly unknown[];
}

/** A sweep of one setting over seeds, in a folder of its own. */
class Bench {
  readonly #dir = mkdtempSync(join(tmpdir(), 'sageserve-bench-'));
  #outs = 0;

  file(name: string, seeds: number, duration: string): string {
    const file = join(this.#dir, `${name}.yaml`);
    writeFileSync(
      file,
      `name: ${name}\nscenarios: [small]\nstrategies: [reactive]\nseeds: ${seeds}\nset: { duration: ${duration} }\n`,
    );
    return file;
  }

  out(): string {
    return join(this.#dir, `out-${this.#outs++}`);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true });
  }
}

const resultsIn = (out: string): Results => JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results;

const canPin = (core: number): boolean => spawnSync('taskset', ['-c', `${core}`, 'true']).status === 0;

/** The command in a process of its own, on one core of the machine where one is given. */
function started(args: readonly string[], core?: number): ChildProcess {
  const command = [...(core === undefined ? [] : ['taskset', '-c', `${core}`]), process.execPath, CLI, ...args];
  return spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Seconds that a command takes. */
async function timed(args: readonly string[], core?: number): Promise<number> {
  const start = clockSeconds();
  const child = started(args, core);
  let stderr = '';
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(stderr);
  return clockSeconds() - start;
}

/** Sweeps on one core, on two, and through the queue. Ratios are of interleaved rounds. */
export async function benchSweep(): Promise<Figure[]> {
  const bench = new Bench();
  try {
    return [...(await scaling(bench)), ...(await withQueue(bench))];
  } finally {
    bench.remove();
  }
}

async function scaling(bench: Bench): Promise<Figure[]> {
  const file = bench.file('scaling', 200, '86m');
  const pinning = canPin(0);
  const pinned: number[] = [];
  const one: number[] = [];
  const two: number[] = [];
  let requests = 0;
  for (let round = 0; round < ROUNDS; round++) {
    if (pinning) pinned.push(await timed(['sweep', file, '--cores', '1', '--out', bench.out()], 0));
    const out = bench.out();
    one.push(await timed(['sweep', file, '--cores', '1', '--out', out]));
    two.push(await timed(['sweep', file, '--cores', '2', '--out', bench.out()]));
    requests = resultsIn(out).runs.reduce((sum, run) => sum + run.measures.arrived, 0);
  }
  const rate = (seconds: readonly number[]): number => median(seconds.map((s, i) => s / two[i]!));
  const target = { atLeast: 1.8 };
  return [
    {
      name: '200 runs with --cores 1',
      value: median(one),
      unit: `s, ${Math.round(requests / 200).toLocaleString('en-US')} requests each`,
    },
    { name: '200 runs with --cores 2', value: median(two), unit: 's' },
    ...(pinning
      ? [
          { name: '200 runs in a process that has one core', value: median(pinned), unit: 's' },
          { name: '  two cores against that', value: rate(pinned), unit: '× the rate', target },
        ]
      : []),
    // Its compiler and its collector run beside it, where there is a second core.
    { name: '  two cores against --cores 1', value: rate(one), unit: '× the rate', target },
  ];
}

/** Runs `action` with the URL of an empty database; undefined where no server answers. */
async function withDatabase<T>(action: (url: string) => Promise<T>): Promise<T | undefined> {
  const name = `sageserve_bench_${process.pid}`;
  const psql = (sql: string): boolean => spawnSync('psql', [DATABASE, '-qc', sql], { stdio: 'ignore' }).status === 0;
  if (!psql(`create database ${name}`)) return undefined;
  const url = new URL(DATABASE);
  url.pathname = `/${name}`;
  try {
    return await action(url.href);
  } finally {
    psql(`drop database ${name} with (force)`);
  }
}

async function withQueue(bench: Bench): Promise<Figure[]> {
  const figures = await withDatabase(async (url) => [...(await overhead(bench, url)), ...(await killed(bench, url))]);
  if (figures === undefined)
    console.error(
      `no PostgreSQL answers at ${DATABASE}: the queue is not measured (SAGESERVE_TEST_POSTGRES names another)`,
    );
  return figures ?? [];
}

/**
 * What the queue adds to runs of a second or more: the whole sweep on the clock, against one thread
 * in the sweep's own process, both at the same time and each on a core of its own (one after the
 * other where a process can't be given one), since two that follow one another can differ by more
 * than that on a busy machine; and what lies between a worker's dated results and is not the
 * simulation itself.
 */
async function overhead(bench: Bench, url: string): Promise<Figure[]> {
  const paired = canPin(0) && canPin(1);
  const ratios: number[] = [];
  let seconds = 0;
  for (let round = 0; round < PAIRS; round++) {
    // Whatever one core has that the other has not falls on both in turn.
    const [hereOn, thereOn] = paired ? [round % 2, 1 - (round % 2)] : [undefined, undefined];
    // Seeds of the same traffic, but runs that the queue does not know yet.
    const file = bench.file(`overhead-${round}`, RUNS, `${720 + round}m`);
    const worker = started(['worker', '--queue', url, '--cores', '1'], thereOn);
    worker.stderr!.resume();
    // It takes runs once it has been given one.
    await timed(['sweep', bench.file(`warm-${round}`, 1, `${10 + round}m`), '--queue', url, '--out', bench.out()]);
    const inProcess = (): Promise<number> => timed(['sweep', file, '--cores', '1', '--out', bench.out()], hereOn);
    const queued = (): Promise<number> => timed(['sweep', file, '--queue', url, '--out', bench.out()], thereOn);
    const [here, there] = paired ? await Promise.all([inProcess(), queued()]) : [await inProcess(), await queued()];
    worker.kill('SIGTERM');
    await once(worker, 'exit');
    ratios.push(there / here);
    seconds = here / RUNS;
  }
  // The first run of a round follows nothing.
  const between = `select 100 * sum(gap - busy_seconds) / sum(busy_seconds) from (select busy_seconds, worker, extract(epoch from finished_at - lag(finished_at) over (partition by worker order by finished_at)) as gap,
    row_number() over (partition by worker order by finished_at) as n from sageserve.runs) as dated where n > 2`;
  const { stdout } = spawnSync('psql', [url, '-Atc', between], { encoding: 'utf8' });
  const added = Number.parseFloat(stdout);
  if (Number.isNaN(added)) throw new Error('the queue has no dated runs');
  return [
    {
      name: 'the queue, between the runs of a worker',
      value: added,
      unit: `% of runs of ${seconds.toFixed(1)} s`,
      target: { atMost: 2 },
    },
    {
      name: '  the whole sweep, against one thread in this process',
      value: 100 * (median(ratios) - 1),
      unit: '% longer',
      target: { atMost: 2 },
    },
    {
      name: `    the least and the most of ${PAIRS} pairs`,
      value: 100 * (Math.min(...ratios) - 1),
      unit: `to ${(100 * (Math.max(...ratios) - 1)).toFixed(1)} %`,
    },
  ];
}

/** Workers of which one is killed every few seconds, and started anew. */
async function killed(bench: Bench, url: string): Promise<Figure[]> {
  const out = bench.out();
  const workers = new Set<ChildProcess>();
  let over = false;
  const start = (): void => {
    const worker = started(['worker', '--queue', url, '--cores', '1']);
    worker.stderr!.resume();
    workers.add(worker);
    worker.on('exit', () => {
      workers.delete(worker);
      if (!over) start();
    });
  };
  for (let n = 0; n < WORKERS; n++) start();
  let kills = 0;
  const stop = repeatedly(KILL_EVERY_MS, () => {
    [...workers][kills % workers.size]!.kill('SIGKILL');
    kills++;
  });
  const sweep = spawn(process.execPath, [CLI, 'sweep', bench.file('killed', 200, '3h'), '--queue', url, '--out', out], {
    stdio: 'ignore',
  });
  const code = await new Promise<number | null>((resolve) => sweep.on('exit', resolve));
  over = true;
  stop();
  for (const worker of workers) worker.kill('SIGKILL');
  const { runs, failed } = resultsIn(out);
  if (code !== 0) throw new Error(`the sweep ended with ${String(code)}, ${failed.length} runs failed`);
  const once = new Set(runs.map(({ key }) => key)).size;
  return [
    {
      name: `200 runs by ${WORKERS} workers, one killed every ${KILL_EVERY_MS / 1_000} s: results, each once`,
      value: once === runs.length ? once : NaN,
      unit: 'of 200',
      target: { atLeast: 200, atMost: 200 },
    },
    { name: '  workers killed meanwhile', value: kills, unit: '' },
  ];
}
