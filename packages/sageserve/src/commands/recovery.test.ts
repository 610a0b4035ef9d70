import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_CATALOGUE } from '@sageserve/fleet';
import { preset } from '@sageserve/scenario';
import { interruptAfter, runCommand as run } from '../fixtures.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-recovery-'));
});
afterAll(() => rm(dir, { recursive: true }));

interface Comparison {
  readonly strategies: readonly {
    readonly strategy: string;
    readonly total: { readonly arrived: number; readonly completed: number; readonly unfinished: number };
  }[];
}

async function simulated(name: string, scenario: object, ...args: string[]): Promise<Comparison> {
  await writeFile(join(dir, name), JSON.stringify(scenario));
  const { code, stdout, stderr } = await run(['simulate', join(dir, name), '--json', '--audit', ...args]);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
  return JSON.parse(stdout) as Comparison;
}

/** Two regions, two models, two SKUs. */
const fleet = {
  name: 'two',
  duration: '30m',
  history: '1d',
  traffic: { requestsPerDay: 50_000, tiers: { 'interactive-fast': 1, 'non-interactive': 1 } },
  regions: ['eastus', 'westus'].map((name, r) => ({ name, share: 2 - r, gpus: { 'h100-80gb': 32, 'a100-80gb': 32 } })),
  skus: ['h100-80gb', 'a100-80gb'].map((name) => ({ name, newVm: '2m', reclaim: '10s', redeploy: '1m' })),
  models: ['llama-2-70b', 'llama-3.1-8b'].map((name, m) => ({
    name,
    deployments: [
      {
        sku: ['h100-80gb', 'a100-80gb'][m],
        gpusPerInstance: 4 - 2 * m,
        initialInstances: 2,
        minInstances: 2,
        maxInstances: 8,
      },
    ],
  })),
};

describe('after an outage of a second', () => {
  const incidents = [{ kind: 'region-outage', at: '5m', duration: '1s', region: 'eastus' }];
  it('every strategy has what it had, and nothing is left unserved', async () => {
    const strategies = Object.keys(DEFAULT_CATALOGUE.strategies);
    const result = await simulated('outage.json', { ...fleet, incidents, strategies }, '--out', join(dir, 'out'));
    for (const { strategy, total } of result.strategies)
      expect([strategy, total.unfinished, total.completed]).toEqual([strategy, 0, total.arrived]);
    const [head, ...rows] = (await readFile(join(dir, 'out', 'static', 'timeseries.csv'), 'utf8'))
      .trim()
      .split('\n')
      .map((row) => row.split(','));
    const ready = head!.indexOf('ready_instances');
    expect(ready).toBeGreaterThan(0);
    expect(rows.slice(-4).map((row) => row[ready])).toEqual(['2', '2', '2', '2']);
  });
});

describe('after an outage of one or all regions, of traffic that may all wait', () => {
  it.each([
    ['one', ['eastus']],
    ['all', ['eastus', 'westus']],
  ])('%s: every strategy serves everything again, and has at least what it must', async (_, regions) => {
    const strategies = Object.keys(DEFAULT_CATALOGUE.strategies);
    const incidents = regions.map((region) => ({ kind: 'region-outage', at: '20m', duration: '10m', region }));
    for (const minInstances of [0, 2]) {
      const models = fleet.models.map((model) => ({
        ...model,
        deployments: model.deployments.map((one) => ({ ...one, minInstances })),
      }));
      const scenario = {
        ...fleet,
        models,
        duration: '3h',
        history: 0,
        traffic: { requestsPerDay: 20_000, tiers: { 'non-interactive': 1 } },
        incidents,
        strategies,
      };
      const out = join(dir, `niw-${regions.length}-${minInstances}`);
      const result = await simulated(`niw-${regions.length}-${minInstances}.json`, scenario, '--out', out);
      for (const { strategy, total } of result.strategies) {
        expect([minInstances, strategy, total.unfinished, total.completed]).toEqual([
          minInstances,
          strategy,
          0,
          total.arrived,
        ]);
        const [head, ...rows] = (await readFile(join(out, strategy, 'timeseries.csv'), 'utf8'))
          .trim()
          .split('\n')
          .map((row) => row.split(','));
        const [time, ready] = ['time_s', 'ready_instances'].map((name) => head!.indexOf(name));
        expect([time, ready]).not.toContain(-1);
        const during = rows
          .filter((row) => Number(row[time!]) > 25 * 60 && Number(row[time!]) < 29 * 60)
          .reduce((sum, row) => sum + Number(row[ready!]), 0);
        if (regions.length === 2) expect([strategy, during]).toEqual([strategy, 0]);
        const after = rows.filter((row) => Number(row[time!]) > 170 * 60).map((row) => Number(row[ready!]));
        expect([strategy, Math.min(...after)]).toEqual([
          strategy,
          expect.toSatisfy(
            // Pools have the floor between them.
            (n: number) => n >= Math.floor(minInstances / ({ siloed: 2, 'chiron-like': 3 }[strategy] ?? 1)),
          ),
        ]);
      }
    }
  });
});

describe('a model of which all may wait, beside one of which nothing may', () => {
  it('keeps no strategy from planning for both', async () => {
    const rows = Array.from({ length: 7_200 }, (_, i) => {
      const wait = i % 2 === 1;
      return `${i},1000,100,${wait ? 'llama-3.1-8b' : 'llama-2-70b'},${wait ? 'non-interactive' : 'interactive-fast'},${i % 4 < 2 ? 'eastus' : 'westus'}`;
    });
    await writeFile(
      join(dir, 'mixed.csv'),
      `arrived_at_s,prompt_tokens,output_tokens,model,tier,origin_region\n${rows.join('\n')}\n`,
    );
    const { duration: _duration, ...open } = fleet;
    const scenario = {
      ...open,
      history: 0,
      traffic: { trace: join(dir, 'mixed.csv') },
      strategies: ['sage', 'lt-i', 'oracle'],
    };
    const out = join(dir, 'mixed');
    await simulated('mixed.json', scenario, '--out', out);
    for (const strategy of ['sage', 'lt-i', 'oracle']) {
      const entries = (await readFile(join(out, strategy, 'journal.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string; what?: string });
      expect([strategy, entries.some(({ kind }) => kind === 'plan')]).toEqual([strategy, true]);
      expect(entries.filter(({ what }) => what?.includes('no plan could be made') === true)).toEqual([]);
    }
    // Demand of nothing is demand.
    await writeFile(
      join(dir, 'none.csv'),
      `time,model,region,requests_per_s,prompt_tokens_per_s,output_tokens_per_s\n${['llama-2-70b', 'llama-3.1-8b'].flatMap((model, m) => [0, 1, 2, 3].map((t) => `${new Date(t * 600_000).toISOString()},${model},eastus,${1 - m},${500 * (1 - m)},${50 * (1 - m)}`)).join('\n')}\n`,
    );
    expect(await run(['plan', join(dir, 'mixed.json'), '--demand', join(dir, 'none.csv')])).toMatchObject({
      code: 0,
      stderr: '',
    });
    const planned = await run(['plan', join(dir, 'mixed.json'), '--json']);
    expect(planned).toMatchObject({ code: 0, stderr: '' });
    expect((JSON.parse(planned.stdout) as { shortfall?: unknown[] }).shortfall ?? []).toEqual([]);
  });
});

describe('a strategy that plans', () => {
  it('runs traffic that is all non-interactive, and serves what is still there at the end', async () => {
    const scenario = {
      ...fleet,
      traffic: { requestsPerDay: 20_000, tiers: { 'non-interactive': 1 } },
      strategies: ['sage', 'oracle', 'lt-i', 'lt-ua'],
    };
    for (const { strategy, total } of (await simulated('deferred.json', scenario)).strategies) {
      expect(total.arrived).toBeGreaterThan(100);
      expect([strategy, total.unfinished, total.completed]).toEqual([strategy, 0, total.arrived]);
    }
  });

  it('hears Ctrl-C while it measures what an instance carries', async () => {
    const { code, stdout } = await run(['simulate', '--preset', 'paper-day', '--strategy', 'sage', '--json'], (child) =>
      interruptAfter(3_000, child),
    );
    expect([code, stdout]).toEqual([130, '']);
  });
});

describe('words of a run', () => {
  it('never say that a number is below itself', async () => {
    await writeFile(
      join(dir, 'words.json'),
      JSON.stringify({ ...preset('small'), duration: '3h', strategies: ['reactive', 'lt-u'] }),
    );
    expect((await run(['simulate', join(dir, 'words.json'), '--out', join(dir, 'words')])).code).toBe(0);
    for (const strategy of ['reactive', 'lt-u']) {
      const reasons = (await readFile(join(dir, 'words', strategy, 'journal.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { reason?: string }).reason ?? '');
      const told = reasons.flatMap((reason) => /utilisation ([\d.]+) is (above|below) ([\d.]+)/.exec(reason) ?? []);
      expect(told.length).toBeGreaterThan(0);
      for (let i = 0; i < told.length; i += 4)
        expect(
          told[i + 2] === 'above'
            ? Number(told[i + 1]) > Number(told[i + 3])
            : Number(told[i + 1]) < Number(told[i + 3]),
          told[i],
        ).toBe(true);
    }
  });
});
