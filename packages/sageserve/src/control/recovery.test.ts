import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand as run } from '../fixtures.js';
import { preset } from '../presets/presets.js';

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
  expect([code, stderr.includes('error')]).toEqual([0, false]);
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
    deployments: [{ sku: ['h100-80gb', 'a100-80gb'][m], gpusPerInstance: 4 - 2 * m, initialInstances: 2, minInstances: 2, maxInstances: 8 }],
  })),
};

describe('after an outage of a second', () => {
  const incidents = [{ kind: 'region-outage', at: '5m', duration: '1s', region: 'eastus' }];
  it('every strategy has what it had, and nothing is left unserved', async () => {
    const strategies = ['static', 'siloed', 'reactive', 'chiron', 'lt-i', 'lt-u', 'lt-ua', 'oracle', 'sage'];
    const result = await simulated('outage.json', { ...fleet, incidents, strategies }, '--out', join(dir, 'out'));
    for (const { strategy, total } of result.strategies) expect([strategy, total.unfinished, total.completed]).toEqual([strategy, 0, total.arrived]);
    const [head, ...rows] = (await readFile(join(dir, 'out', 'static', 'timeseries.csv'), 'utf8')).trim().split('\n').map((row) => row.split(','));
    const ready = head!.indexOf('ready_instances');
    expect(ready).toBeGreaterThan(0);
    expect(rows.slice(-4).map((row) => row[ready])).toEqual(['2', '2', '2', '2']);
  }); // prettier-ignore
});

describe('a strategy that plans', () => {
  it('runs traffic that is all non-interactive, and serves what is still there at the end', async () => {
    const scenario = { ...fleet, traffic: { requestsPerDay: 20_000, tiers: { 'non-interactive': 1 } }, strategies: ['sage', 'oracle', 'lt-i', 'lt-ua'] };
    for (const { strategy, total } of (await simulated('deferred.json', scenario)).strategies) {
      expect(total.arrived).toBeGreaterThan(100);
      expect([strategy, total.unfinished, total.completed]).toEqual([strategy, 0, total.arrived]);
    }
  });

  it('hears Ctrl-C while it measures what an instance carries', async () => {
    const { code, stdout } = await run(['simulate', '--preset', 'paper-day', '--strategy', 'sage', '--json'], (child) =>
      setTimeout(() => child.kill('SIGINT'), 3_000),
    );
    expect([code, stdout]).toEqual([130, '']);
  });
});

describe('words of a run', () => {
  it('never say that a number is below itself', async () => {
    await writeFile(join(dir, 'words.json'), JSON.stringify({ ...preset('small'), duration: '3h', strategies: ['reactive', 'lt-u'] }));
    expect((await run(['simulate', join(dir, 'words.json'), '--out', join(dir, 'words')])).code).toBe(0);
    for (const strategy of ['reactive', 'lt-u']) {
      const reasons = (await readFile(join(dir, 'words', strategy, 'journal.jsonl'), 'utf8')).trim().split('\n').map((line) => (JSON.parse(line) as { reason?: string }).reason ?? '');
      const told = reasons.flatMap((reason) => /utilisation ([\d.]+) is (above|below) ([\d.]+)/.exec(reason) ?? []);
      expect(told.length).toBeGreaterThan(0);
      for (let i = 0; i < told.length; i += 4) expect(told[i + 2] === 'above' ? Number(told[i + 1]) > Number(told[i + 3]) : Number(told[i + 1]) < Number(told[i + 3]), told[i]).toBe(true);
    }
  }); // prettier-ignore
});
