import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand as run } from './fixtures.js';

// What opens our files is not our own reader.
type Ask = (sql: string) => Promise<Record<string, unknown>[]>;

let dir: string;
let ask: Ask | undefined;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-parquet-'));
  const duckdb = await import('@duckdb/node-api').catch(() => undefined);
  if (duckdb === undefined) return;
  const connection = await (await duckdb.DuckDBInstance.create()).connect();
  ask = async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Summary {
  readonly total: { readonly arrived: number };
  readonly byTier: Readonly<
    Record<
      string,
      {
        readonly arrived: number;
        readonly sloAttainment: number;
        readonly promptTokens: number;
        readonly ttftMs: { readonly p95: number };
      }
    >
  >;
}

describe('Parquet files', () => {
  it('hold every request and every sample of a run, as DuckDB reads them', async ({ skip }) => {
    if (ask === undefined) return skip('DuckDB has no build for this machine');
    const out = join(dir, 'results');
    const { code, stderr } = await run([
      'simulate',
      '--duration',
      '30m',
      '--strategy',
      'reactive',
      '--out',
      out,
      '--requests',
      '--parquet',
    ]);
    expect(stderr).toContain('reactive:');
    expect(code).toBe(0);
    expect((await readdir(join(out, 'reactive'))).sort()).toEqual([
      'demand.csv',
      'journal.jsonl',
      'requests.parquet',
      'summary.json',
      'timeseries.parquet',
    ]);
    const summary = JSON.parse(await readFile(join(out, 'reactive', 'summary.json'), 'utf8')) as Summary;
    const tiers = await ask(
      `SELECT tier, count(*)::INT AS arrived, count(DISTINCT request_id)::INT AS ids, sum(prompt_tokens)::DOUBLE AS prompt, quantile_cont(ttft_s, 0.95) AS p95, avg((ttft_s <= 1)::INT) AS in_a_second
       FROM '${join(out, 'reactive', 'requests.parquet')}' WHERE outcome = 'completed' GROUP BY tier`,
    );
    expect(tiers).toHaveLength(3);
    for (const tier of tiers) {
      const expected = summary.byTier[tier['tier'] as string]!;
      expect([tier['arrived'], tier['ids'], tier['prompt']]).toEqual([
        expected.arrived,
        expected.arrived,
        expected.promptTokens,
      ]);
      // Summaries are of sketches, which are within a percent.
      expect(Math.abs((1_000 * (tier['p95'] as number)) / expected.ttftMs.p95 - 1)).toBeLessThan(0.02);
      if (tier['tier'] === 'interactive-fast') expect(tier['in_a_second']).toBeCloseTo(expected.sloAttainment, 6);
    }
    const [samples] = await ask(
      'SELECT sum(arrived_requests)::INT AS arrived, count(DISTINCT endpoint)::INT AS endpoints, count(*)::INT ' +
        `AS n, max(time_s) AS last FROM '${join(out, 'reactive', 'timeseries.parquet')}'`,
    );
    expect(samples).toEqual({ arrived: summary.total.arrived, endpoints: 6, n: 180, last: 1_800 });
  });

  it('are traces that DuckDB reads, and of those that DuckDB writes the same comes back', async ({ skip }) => {
    if (ask === undefined) return skip('DuckDB has no build for this machine');
    const [ours, theirs] = [join(dir, 'ours.parquet'), join(dir, 'theirs.parquet')];
    // More than one row group of either.
    expect((await run(['trace', 'generate', ours, '--preset', 'paper-day', '--limit', '150000'])).code).toBe(0);
    expect(
      await ask(
        'SELECT count(*)::INT AS n, min(arrived_at_s) >= 0 AS from_start, bool_and(arrived_at_s >= before) AS ' +
          `ordered FROM (SELECT *, lag(arrived_at_s, 1, 0) OVER () AS before FROM '${ours}')`,
      ),
    ).toEqual([{ n: 150_000, from_start: true, ordered: true }]);
    await ask(
      `COPY (SELECT * FROM '${ours}') TO '${theirs}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 40960)`,
    );
    const inspected = async (file: string) => {
      const {
        file: _,
        startEpochMs: __,
        ...rest
      } = JSON.parse((await run(['trace', 'inspect', file, '--json'])).stdout) as Record<string, unknown>;
      return rest;
    };
    expect(await inspected(theirs)).toEqual(await inspected(ours));
  });
});
