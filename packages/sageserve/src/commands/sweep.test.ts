import { spawnSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyseSweep, type FinishedRun, readSweep, runSweepTask, withParameters } from '@sageserve/experiments';
import { PreparationCache, preset } from '@sageserve/scenario';
import { BROWSER_ARGS, browserPath, runCommand as run, smallUnmeasured } from '../fixtures.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-sweep-'));
  await writeFile(join(dir, 'small.json'), JSON.stringify(smallUnmeasured()));
});
afterAll(() => rm(dir, { recursive: true }));

const THRESHOLDS = `
name: thresholds
scenarios: [./small.json]
strategies: [reactive, sage]
seeds: 2
set: { duration: 20m }
parameters:
  reactive.scaleOutAbove: [0.5, 0.8]
  traffic.requestsPerDay: [200000, 400000]
`;

async function sweepFile(name: string, text: string): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, text);
  return file;
}

interface Results {
  readonly runs: readonly {
    readonly key: string;
    readonly strategy: string;
    readonly parameters: object;
    readonly seed: number;
    readonly measures: Readonly<Record<string, number | null>>;
  }[];
  readonly failed: readonly { readonly message: string; readonly seed: number }[];
  readonly settings: readonly {
    readonly strategy: string;
    readonly seeds: number;
    readonly onFront: boolean;
    readonly gpuHours: { readonly mean: number };
  }[];
}
const resultsIn = async (out: string) => JSON.parse(await readFile(join(out, 'results.json'), 'utf8')) as Results;

describe('sageserve sweep', () => {
  it('runs every combination once, the same bytes on one thread, on two and on none', async () => {
    const file = await sweepFile('thresholds.yaml', THRESHOLDS);
    const [one, two] = [join(dir, 'one'), join(dir, 'two')];
    const first = await run(['sweep', file, '--out', one, '--cores', '1']);
    expect(first.stderr).toContain('12 runs,');
    expect(first.code).toBe(0);
    expect((await run(['sweep', file, '--out', two, '--cores', '2'])).code).toBe(0);
    for (const name of ['results.json', 'results.parquet', 'report.html'])
      expect((await readFile(join(one, name))).equals(await readFile(join(two, name)))).toBe(true);
    const results = await resultsIn(one);
    // Four settings of reactive, two of sage, which has no such threshold; two seeds each.
    expect(results.runs).toHaveLength(12);
    expect(new Set(results.runs.map(({ key }) => key)).size).toBe(12);
    expect(results.settings.map(({ strategy, seeds }) => [strategy, seeds])).toEqual([
      ...Array(4).fill(['reactive', 2]),
      ...Array(2).fill(['sage', 2]),
    ]);
    // Traffic is a condition: what is best is told for each.
    expect(first.stdout).toContain('small · requestsPerDay 200,000: 3 settings');
    expect(first.stdout).toContain('small · requestsPerDay 400,000: 3 settings');
    expect(first.stdout.match(/best: the cheapest that meets every objective: /g)).toHaveLength(2);
    expect(first.stdout.match(/^effect of reactive\.scaleOutAbove/gm)).toHaveLength(2);
    expect(first.stdout).toContain('small: condition traffic.requestsPerDay');
    const sweep = await readSweep(
      file,
      (JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
        .version,
    );
    const alone = sweep.runs.find(({ strategy, seed }) => strategy === 'sage' && seed === 2)!;
    expect(await runSweepTask(alone.task, { cache: new PreparationCache() })).toEqual(
      results.runs.find(({ key }) => key === alone.key)!.measures,
    );
  });

  it('makes only what is missing in a second call, after a torn line and a change of the file too', async () => {
    const file = await sweepFile(
      'again.yaml',
      'scenarios: [./small.json]\nstrategies: [static, reactive]\nseeds: 2\nset: { duration: 5m }\n',
    );
    const out = join(dir, 'again');
    expect((await run(['sweep', file, '--out', out])).stderr).toContain('4 runs,');
    const before = await readFile(join(out, 'results.json'));
    const whole = await readFile(join(out, 'runs.jsonl'), 'utf8');
    // The plug was pulled in the middle of the last line.
    await writeFile(join(out, 'runs.jsonl'), whole.slice(0, -20));
    const again = await run(['sweep', file, '--out', out]);
    expect(again.stderr).toContain('3 of 4 runs are in');
    expect(again.stderr).toContain('1 run,');
    expect(await readFile(join(out, 'results.json'))).toEqual(before);
    await writeFile(
      file,
      'scenarios: [./small.json]\nstrategies: [static, reactive]\nseeds: [1, 2, 7]\nset: { duration: 5m }\n',
    );
    const more = await run(['sweep', file, '--out', out]);
    expect(more.stderr).toContain('4 of 6 runs are in');
    expect((await resultsIn(out)).runs).toHaveLength(6);
    await appendFile(join(out, 'runs.jsonl'), 'nonsense\n');
    const broken = await run(['sweep', file, '--out', out]);
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringContaining('runs.jsonl:7: is not JSON')]);
    for (const line of ['null', '{}']) {
      await writeFile(join(out, 'runs.jsonl'), `${line}\n`);
      expect((await run(['sweep', file, '--out', out])).stderr).toContain('runs.jsonl:1: is not a run');
    }
  });

  it('calls runs what the present sweep calls them, whoever made them', async () => {
    const out = join(dir, 'renamed');
    const head = 'scenarios: [./small.json]\nstrategies: [static]\n';
    for (const duration of ['1m', '2m'])
      expect(
        (await run(['sweep', await sweepFile('renamed.yaml', `${head}set: { duration: ${duration} }\n`), '--out', out]))
          .code,
      ).toBe(0);
    const both = await run([
      'sweep',
      await sweepFile('renamed.yaml', `${head}parameters: { duration: [1m, 2m] }\n`),
      '--out',
      out,
    ]);
    expect(both.stderr).toContain('2 of 2 runs are in');
    expect((await resultsIn(out)).runs.map(({ parameters }) => parameters)).toEqual([
      { duration: '1m' },
      { duration: '2m' },
    ]);
    expect(both.stdout).toContain('small · duration 2m: 1 setting\n');
    expect(both.stdout).toContain('small: condition duration');
  });

  it('takes a changed plug-in for another run, and never keeps a result under the wrong one', async () => {
    const plugin = (share: number) =>
      writeFile(
        join(dir, 'router.mjs'),
        `export default { regionRouters: { mine: () => ({ name: 'mine', route: (q, r) => (q.requestId % 10 < ` +
          `${share} ? 0 : 1) }) } };`,
      );
    await writeFile(
      join(dir, 'mine.json'),
      JSON.stringify({
        ...smallUnmeasured(),
        name: 'mine',
        duration: '2m',
        regionRouter: 'mine',
        plugins: ['./router.mjs'],
      }),
    );
    const file = await sweepFile('mine.yaml', 'scenarios: [./mine.json]\nstrategies: [static]\n');
    await plugin(1);
    const [before] = (await readSweep(file, '1')).runs;
    const cache = new PreparationCache();
    const first = await runSweepTask(before!.task, { cache });
    await plugin(9);
    await expect(runSweepTask(before!.task, { cache })).rejects.toThrow(
      'router.mjs is not what it was when the sweep was read',
    );
    const [after] = (await readSweep(file, '1')).runs;
    expect(after!.key).not.toBe(before!.key);
    // In the same process, which has loaded the earlier one.
    expect((await runSweepTask(after!.task, { cache }))['away']).not.toBe(first['away']);
    await plugin(1);
    expect((await readSweep(file, '1')).runs[0]!.key).toBe(before!.key);
  });

  it('keeps what is done when it is interrupted, and goes on from there', async () => {
    const file = await sweepFile(
      'long.yaml',
      'scenarios: [./small.json]\nstrategies: [static]\nseeds: 40\nset: { duration: 10m }\n',
    );
    const out = join(dir, 'long');
    const { code } = await run(['sweep', file, '--out', out, '--cores', '1'], (child) => {
      child.stderr!.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('[2/40]')) child.kill('SIGINT');
      });
    });
    expect(code).toBe(130);
    const done = (await readFile(join(out, 'runs.jsonl'), 'utf8')).trim().split('\n').length;
    expect(done).toBeGreaterThanOrEqual(2);
    expect(done).toBeLessThan(40);
    const rest = await run(['sweep', file, '--out', out]);
    expect(rest.stderr).toContain(`${done} of 40 runs are in`);
    expect((await resultsIn(out)).runs).toHaveLength(40);
  });

  it('goes on past a run that fails, says which and why, and makes it again the next time', async () => {
    await writeFile(
      join(dir, 'fragile.mjs'),
      `export default { regionRouters: { fragile: () => ({ name: 'fragile', route: (q, r, now) => { if (now > ` +
        `60000 && q.requestId % 2 === 1) throw new Error('the router is broken'); return 0; } }) } };`,
    );
    const scenario = {
      ...smallUnmeasured(),
      name: 'fragile',
      duration: '5m',
      regionRouter: 'fragile',
      plugins: ['./fragile.mjs'],
    };
    await writeFile(join(dir, 'fragile.json'), JSON.stringify(scenario));
    const file = await sweepFile(
      'fragile.yaml',
      'scenarios: [./fragile.json, ./small.json]\nstrategies: [static]\nset: { duration: 5m }\n',
    );
    const out = join(dir, 'fragile-out');
    for (const known of [0, 1]) {
      const { code, stderr } = await run(['sweep', file, '--out', out]);
      expect(code).toBe(1);
      const message =
        `region router "fragile" of plugins[0] (${join(dir, 'fragile.mjs')}) threw in route(): ` +
        'the router is broken';
      expect(stderr).toContain(`fragile, static, seed 1 failed: ${message}`);
      expect(stderr).toContain('1 of 2 runs failed');
      expect(stderr.includes('1 of 2 runs are in')).toBe(known === 1);
      const results = await resultsIn(out);
      expect(results.runs).toHaveLength(1);
      expect(results.failed).toMatchObject([{ message, seed: 1 }]);
    }
  });

  it('refuses settings that hold too much together, before they are made', async () => {
    const big = {
      ...smallUnmeasured(),
      name: 'big',
      description: 'x'.repeat(9_900),
      models: preset('small').models.map((model) => ({ ...model, shape: Array(168).fill(0.123456789) })),
    };
    await writeFile(join(dir, 'big.json'), JSON.stringify(big));
    const values = Array.from({ length: 90_000 }, (_, i) => 1_000 + i);
    const file = await sweepFile(
      'big.yaml',
      `scenarios: [./big.json]\nstrategies: [static]\nset: { duration: 1m }\nparameters: { ` +
        `traffic.requestsPerDay: [${values.join(',')}] }\n`,
    );
    await expect(readSweep(file, '1')).rejects.toThrow(
      /scenarios: have [\d.]+ GB of text in all settings together; the most is 1 GB/,
    );
  });

  it('takes a file that is named in two ways for one', async () => {
    await writeFile(join(dir, 'same.json'), JSON.stringify({ ...smallUnmeasured(), name: 'same' }));
    const file = await sweepFile(
      'same.yaml',
      'scenarios: [./same.json, same.json]\nstrategies: [static]\nset: { duration: 1m }\n',
    );
    expect((await readSweep(file, '1')).runs).toHaveLength(1);
  });

  it('takes a table with nothing but a name for the name: a run is not counted as two', async () => {
    const file = await sweepFile(
      'twice.yaml',
      'scenarios: [./small.json]\nstrategies: [static, { name: static }]\nset: { duration: 1m }\n',
    );
    expect((await readSweep(file, '1')).runs.map(({ strategy }) => strategy)).toEqual(['static']);
  });

  it('says which line of its runs is no run, however long the file or the line', async () => {
    const file = await sweepFile(
      'lines.yaml',
      'scenarios: [./small.json]\nstrategies: [static]\nset: { duration: 1m }\n',
    );
    const out = join(dir, 'lines');
    expect((await run(['sweep', file, '--out', out, '--cores', '1'])).code).toBe(0);
    const whole = await readFile(join(out, 'runs.jsonl'), 'utf8');
    const results = await readFile(join(out, 'results.json'), 'utf8');
    // Rows of others, more than a read takes at once, and one that was being written.
    const others = `${JSON.stringify({ key: 'other', more: 'ü'.repeat(1_000) })}\n`.repeat(200);
    await writeFile(join(out, 'runs.jsonl'), `${others}${whole}{"key": "torn`);
    expect((await run(['sweep', file, '--out', out])).stderr).toContain('1 of 1 run are in');
    expect(await readFile(join(out, 'runs.jsonl'), 'utf8')).toBe(others + whole);
    expect(await readFile(join(out, 'results.json'), 'utf8')).toBe(results);
    await writeFile(join(out, 'runs.jsonl'), `${others}no run\n${whole}`);
    expect(await run(['sweep', file, '--out', out])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('runs.jsonl:201: is not JSON') as string,
    });
    await writeFile(join(out, 'runs.jsonl'), whole.replace(/"gpu-hours":[\d.]+/, '"gpu-hours":null'));
    expect(await run(['sweep', file, '--out', out])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('runs.jsonl:1: is not a run: measures.gpu-hours is missing or wrong') as string,
    });
    await writeFile(join(out, 'runs.jsonl'), whole + 'x'.repeat(17 << 20));
    expect(await run(['sweep', file, '--out', out])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('runs.jsonl:2: has more than 16 MB') as string,
    });
  });

  it('refuses what it can’t run before anything runs', async () => {
    await mkdir(join(dir, 'mine'));
    await writeFile(join(dir, 'mine', 'notes.txt'), 'keep');
    const wrong: readonly (readonly [string, string])[] = [
      ['scenarios: [./small.json]\nseedz: 3\n', 'wrong.yaml:2:8: seedz: is not a field of the sweep'],
      ['name: empty\n', 'needs scenarios, or runs'],
      ['scenarios: [huge]\n', '"huge" is no preset\nhint: Presets are small, paper-day'],
      ['scenarios: [./absent.yaml]\n', 'there is no such file'],
      ['scenarios: [./small.json]\nstrategies: [magic]\n', 'unknown strategy "magic"'],
      ['scenarios: [./small.json]\nparameters: { traffic.requestsPerDay: [-5] }\n', 'traffic.requestsPerDay: '],
      [
        'scenarios: [./small.json]\nparameters: { traffic.requests: [5] }\n',
        'traffic.requests: is not a field of the scenario',
      ],
      [
        'scenarios: [./small.json]\nparameters: { models.gpt.share: [5] }\n',
        'models.gpt.share: there is no "gpt"\nhint: There are ',
      ],
      [
        'scenarios: [./small.json]\nparameters: { reactve.scaleOutAbove: [0.5] }\n',
        '"reactve" is neither a field of the scenario nor a strategy of the sweep',
      ],
      [
        'scenarios: [./small.json]\nstrategies: [reactive]\nparameters: { reactive.scaleOutAbov: [0.5] }\n',
        'scaleOutAbov',
      ],
      [
        'scenarios: [./small.json]\nparameters: { duration: [1m] }\nconditions: { duration: [2m] }\n',
        'conditions.duration: stands under parameters too',
      ],
      ['scenarios: [./small.json]\nconditions: { reactive.cooldownMs: [1] }\n', 'it is a parameter'],
      [
        'scenarios: [./small.json]\nconditions: { skus.*.newVm: [1m] }\nparameters: { skus.0.newVm: [2m] }\n',
        'conditions.skus.*.newVm: sets what skus.0.newVm sets',
      ],
      [
        'scenarios: [./small.json]\nstrategies: [reactive]\nconditions: { reactive.cooldownMs: [1] }\n',
        'conditions.reactive.cooldownMs: is an option of a strategy',
      ],
      ['scenarios: [./small.json]\nparameters: { seed: [1, 2] }\n', 'seeds are listed under seeds'],
      ['scenarios: [./small.json]\nparameters: { __proto__.polluted: [1] }\n', '__proto__'],
      ['scenarios: [./small.json]\nparameters: { traffic.__proto__.polluted: [1] }\n', '__proto__'],
      ['scenarios: [./small.json]\nparameters: { models.constructor.prototype.polluted: [1] }\n', 'constructor'],
      ['scenarios: [./small.json]\nset: { traffic.constructor.prototype.polluted: 1 }\n', 'constructor'],
      ['scenarios: [./small.json]\nseeds: 100000000\n', 'seeds: '],
      [
        `scenarios: [./small.json]\nseeds: 1000\nparameters: { a: ` +
          `[${Array.from({ length: 999 }, (_, i) => i).join(', ')}] }\n`,
        'runs',
      ],
      ["scenarios: [./small.json]\nseeds: [1, '1']\n", 'must be different from one another'],
      ['scenarios: [./one.json, ./other.json]\n', './one.json and ./other.json are both called "scenario"'],
      [
        'scenarios: [./small.json]\nset: { traffic.trace: absent.csv }\nconditions: { traffic.requestsPerDay: [5] }\n',
        'traffic.requestsPerDay: is of generated traffic',
      ],
      ['scenarios: [./small.json]\nset: { traffic.trace: absent.csv }\n', `can't read ${join(dir, 'absent.csv')}`],
    ];
    const { name: _name, ...nameless } = preset('small');
    for (const name of ['one', 'other']) await writeFile(join(dir, `${name}.json`), JSON.stringify(nameless));
    for (const [text, message] of wrong) {
      const { code, stderr } = await run(['sweep', await sweepFile('wrong.yaml', text), '--out', join(dir, 'nothing')]);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
    expect(await readdir(dir)).not.toContain('nothing');
    const file = await sweepFile('fine.yaml', 'scenarios: [./small.json]\n');
    for (const [args, message] of [
      [['--cores', 'all'], '--cores: must be a whole number from 1 to 256, not "all"'],
      [['--out', join(dir, 'mine')], 'holds files that are not results, such as notes.txt'],
    ] as const) {
      const { code, stderr } = await run(['sweep', file, ...args]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  it('keeps a folder to itself while it runs, and takes over from a process that is gone', async () => {
    const file = await sweepFile(
      'locked.yaml',
      'scenarios: [./small.json]\nstrategies: [static]\nset: { duration: 1m }\n',
    );
    const out = join(dir, 'locked');
    await mkdir(out);
    const lock = join(out, '.lock');
    await writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
    const second = await run(['sweep', file, '--out', out]);
    expect([second.code, second.stderr]).toEqual([
      2,
      expect.stringContaining(`another sweep is at work in ${out}: process ${process.pid} on ${hostname()}`),
    ]);
    await writeFile(lock, JSON.stringify({ pid: process.pid, host: 'another-machine' }));
    expect((await run(['sweep', file, '--out', out])).code).toBe(2);
    const gone = spawnSync('true').pid;
    for (const left of [JSON.stringify({ pid: gone, host: hostname() }), '{"pid":']) {
      await writeFile(lock, left);
      const { code, stderr } = await run(['sweep', file, '--out', out]);
      expect([code, stderr.includes('error')]).toEqual([0, false]);
      expect(await readdir(out)).not.toContain('.lock');
    }
  });

  it('counts all runs of a sweep before it makes any, and each once', async () => {
    const many = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => 1.01 + i / 1e6));
    const runs = Array.from({ length: 21 }, () => '{ scenario: small, strategy: static }').join(', ');
    const tooMany = await sweepFile('too-many.yaml', `runs: [${runs}]\nseeds: 10000\n`);
    const { code, stderr } = await run(['sweep', tooMany, '--list']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('make 210,000 runs')]);
    const grid = (values: number, seeds: number) =>
      sweepFile(
        'grid.yaml',
        `scenarios: [./small.json]\nstrategies: [static, siloed, reactive, lt-ua]\nseeds: ${seeds}\nparameters: { ` +
          `lt-ua.passAbove: ${many(values)} }\n`,
      );
    expect((await run(['sweep', await grid(67, 3_000), '--list'])).stderr).toContain('make 210,000 runs');
    // 303 runs, of which 300 are of one strategy: not four times as many.
    const listed = await run(['sweep', await grid(300, 1), '--list']);
    expect((JSON.parse(listed.stdout) as unknown[]).length).toBe(303);
  });

  it('takes no offence at rows that it does not use, such as those of another version', async () => {
    const file = await sweepFile(
      'old-rows.yaml',
      'scenarios: [./small.json]\nstrategies: [static]\nset: { duration: 1m }\n',
    );
    const out = join(dir, 'old-rows');
    await mkdir(out);
    const old = JSON.stringify({ key: 'an-earlier-one', measures: { 'gpu-hours': 1 } });
    await writeFile(join(out, 'runs.jsonl'), `${old}\n`);
    const { code, stderr } = await run(['sweep', file, '--out', out]);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    expect((await readFile(join(out, 'runs.jsonl'), 'utf8')).split('\n')).toEqual([
      old,
      expect.stringContaining('"static"'),
      '',
    ]);
  });

  it('says which line of its results is none', async () => {
    const file = await sweepFile(
      'nulls.yaml',
      'scenarios: [./small.json]\nstrategies: [static]\nset: { duration: 1m }\n',
    );
    const out = join(dir, 'nulls');
    expect((await run(['sweep', file, '--out', out])).code).toBe(0);
    const line = JSON.parse((await readFile(join(out, 'runs.jsonl'), 'utf8')).trim()) as Record<string, unknown>;
    for (const odd of [
      null,
      { ...line, measures: null },
      { ...line, measures: {} },
      { ...line, measures: { ...(line['measures'] as object), 'gpu-hours': 1e308 } },
      { ...line, key: null },
      5,
    ]) {
      await writeFile(join(out, 'runs.jsonl'), `${JSON.stringify(odd)}\n`);
      const { code, stderr } = await run(['sweep', file, '--out', out]);
      expect(stderr).toMatch(/runs\.jsonl:1/);
      expect(stderr).not.toMatch(/\n +at /);
      expect(code).not.toBe(0);
    }
  });

  it.skipIf(browserPath === undefined)(
    'draws the Pareto front in a page that opens in a real browser (skipped without Chromium)',
    async () => {
      const chrome = await chromium.launch({ executablePath: browserPath!, args: BROWSER_ARGS });
      try {
        const page = await chrome.newPage();
        const problems: string[] = [];
        page.on('pageerror', (error) => problems.push(error.message));
        await page.goto(pathToFileURL(join(dir, 'one', 'report.html')).href);
        expect(await page.locator('figcaption').allTextContents()).toEqual([
          ...['200,000', '400,000'].flatMap((rate) => [
            `small · requestsPerDay ${rate}: GPU-hours against SLO attainment`,
            ...['strategy', 'reactive.scaleOutAbove'].flatMap((name) => [
              `small · requestsPerDay ${rate}: effect of ${name} on GPU-hours`,
              `small · requestsPerDay ${rate}: effect of ${name} on attainment`,
            ]),
          ]),
          'small: effect of traffic.requestsPerDay on GPU-hours',
          'small: effect of traffic.requestsPerDay on attainment',
        ]);
        const points = page.locator('g.point');
        expect(await points.count()).toBe(6);
        expect(await points.first().locator('title').textContent()).toMatch(
          /^reactive · scaleOutAbove 0.[58]: [\d.]+ GPU-hours at equal work, [\d.]+ % within the objective/,
        );
        await page.locator('figure').first().locator('summary').click();
        expect(await page.locator('figure').first().locator('details table tbody tr').count()).toBe(3);
        expect(problems).toEqual([]);
      } finally {
        await chrome.close();
      }
    },
  );
});

describe('withParameters', () => {
  const base = preset('paper-day');

  it('sets fields by name, position or for all, names with dots too, and leaves the rest', () => {
    const { scenario, choice } = withParameters(
      base,
      'sage',
      {
        'models.llama-3.1-8b.deployments.0.maxInstances': 5,
        'regions.*.share': 2,
        duration: '3h',
        'engine.maxBatchTokens': 2_048,
        'sage.drainHours': 6,
        'reactive.cooldownMs': 1,
      },
      ['reactive'],
    );
    expect(choice).toEqual({ name: 'sage', drainHours: 6 });
    expect(scenario.models.find(({ name }) => name === 'llama-3.1-8b')!.deployments[0]!.maxInstances).toBe(5);
    expect(scenario.models[0]).toEqual(base.models[0]);
    expect(scenario.regions.map(({ share }) => share)).toEqual([2, 2, 2]);
    expect([scenario.duration, scenario.engine]).toEqual(['3h', { maxBatchTokens: 2_048 }]);
    expect(base.duration).toBe('24h');
  });
});

describe('analyseSweep', () => {
  const finished = (n: number, gpuHours: number, slo: number, level: number, seed: number): FinishedRun => ({
    key: `${n}/${seed}`,
    scenario: 's',
    strategy: 'reactive',
    parameters: { level, n },
    seed,
    measures: {
      'gpu-hours': 1,
      'equal-gpu-hours': gpuHours,
      // What all models have together says nothing.
      'interactive-fast/slo': 1,
      'slo/a/interactive-fast': slo,
      'slo/b/interactive-fast': 1,
      'slo/a/interactive-normal': 1,
      'slo/a/non-interactive': 1,
    },
    busySeconds: 1,
  });
  const points = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 80, max: 100 }), fc.integer({ min: 0, max: 2 })),
    {
      minLength: 1,
      maxLength: 30,
    },
  );

  it('has on its front exactly the settings that no other beats, and the cheapest able one as the best', () => {
    fc.assert(
      fc.property(points, (all) => {
        const { settings, best } = analyseSweep(
          all.flatMap(([hours, slo, level], n) => [1, 2].map((seed) => finished(n, hours, slo / 100, level, seed))),
        );
        expect(settings).toHaveLength(all.length);
        for (const [n, [hours, slo]] of all.entries()) {
          const beaten = all.some(([h, s]) => h <= hours && s >= slo && (h < hours || s > slo));
          expect(settings[n]!.onFront).toBe(!beaten);
        }
        const able = all.filter(([, slo]) => slo >= 95);
        const chosen = best['s']!;
        expect(chosen.meetsObjectives).toBe(able.length > 0);
        if (able.length > 0) expect(chosen.gpuHours.mean).toBe(Math.min(...able.map(([hours]) => hours)));
        else expect(chosen.attainment.mean).toBeCloseTo(Math.max(...all.map(([, slo]) => slo)) / 100, 12);
      }),
    );
  });

  it('measures each setting against its own target, where that is varied', () => {
    const [strict, lax] = [finished(0, 10, 0.9, 1, 1), finished(1, 20, 0.9, 2, 1)];
    const { settings, best } = analyseSweep([strict, lax], {
      [strict.key]: { 'interactive-fast': 0.99 },
      [lax.key]: { 'interactive-fast': 0.5 },
    });
    expect(settings.map(({ meetsObjectives }) => meetsObjectives)).toEqual([false, true]);
    expect(best['s']!.gpuHours.mean).toBe(20);
  });

  it('finds what is best under each condition, and turns no knob across them', () => {
    const { settings, best, effects } = analyseSweep(
      [
        finished(0, 10, 0.9, 1, 1),
        finished(1, 20, 0.96, 1, 1),
        finished(1, 40, 0.97, 2, 1),
        finished(2, 50, 0.99, 2, 1),
      ],
      {},
      (path) => path === 'level',
    );
    expect(settings.map(({ group, condition, parameters }) => [group, condition, parameters])).toEqual([
      ['s · level 1', { level: 1 }, { n: 0 }],
      ['s · level 1', { level: 1 }, { n: 1 }],
      ['s · level 2', { level: 2 }, { n: 1 }],
      ['s · level 2', { level: 2 }, { n: 2 }],
    ]);
    // The dearer traffic has a front of its own.
    expect(settings.map(({ onFront }) => onFront)).toEqual([true, true, true, true]);
    expect(Object.entries(best).map(([group, { gpuHours }]) => [group, gpuHours.mean])).toEqual([
      ['s · level 1', 20],
      ['s · level 2', 40],
    ]);
    expect(
      effects.map(({ group, parameter, isCondition, levels }) => [group, parameter, isCondition, levels.length]),
    ).toEqual([
      ['s · level 1', 'n', false, 2],
      ['s · level 2', 'n', false, 2],
      ['s', 'level', true, 2],
    ]);
  });

  it('takes a condition for the same in whatever order it was given, and numbers that differ for two', () => {
    const under = (parameters: Record<string, number>): FinishedRun => ({ ...finished(0, 10, 0.96, 1, 1), parameters });
    const { best } = analyseSweep(
      [
        under({ a: 1, b: 2, n: 1 }),
        under({ b: 2, a: 1, n: 2 }),
        under({ a: 10_000.2, b: 2 }),
        under({ a: 10_000.4, b: 2 }),
      ],
      {},
      (path) => path !== 'n',
    );
    expect(Object.keys(best)).toEqual(['s · a 1, b 2', 's · a 10000.2, b 2', 's · a 10000.4, b 2']);
  });

  it('recommends nothing that sees the future, and of those that come as near the cheapest', () => {
    const seer = { ...finished(0, 5, 0.99, 1, 1), strategy: 'clairvoyant' };
    const foresees = (_: string, strategy: string): boolean => strategy === 'clairvoyant';
    const { settings, best } = analyseSweep([seer, finished(1, 20, 0.96, 2, 1)], {}, () => false, foresees);
    expect(best['s']!.gpuHours.mean).toBe(20);
    expect(settings.map(({ onFront, foresight }) => [onFront, foresight])).toEqual([
      [false, true],
      [true, false],
    ]);
    const all = analyseSweep([finished(0, 30, 0.5, 1, 1), finished(1, 20, 0.5, 2, 1), seer], {}, () => false, foresees);
    expect(all.best['s']!.gpuHours.mean).toBe(20);
    expect(analyseSweep([seer], {}, () => false, foresees).best['s']!.strategy).toBe('clairvoyant');
  });

  it('says what a level does by itself as a mean over the settings that have it', () => {
    const { effects } = analyseSweep([
      finished(0, 10, 0.9, 1, 1),
      finished(1, 20, 0.96, 1, 1),
      finished(2, 40, 0.98, 2, 1),
    ]);
    expect(effects.find(({ parameter }) => parameter === 'level')!.levels).toEqual([
      { value: 1, runs: 2, gpuHours: 15, attainment: expect.closeTo(0.93, 12) as number },
      { value: 2, runs: 1, gpuHours: 40, attainment: 0.98 },
    ]);
  });
});
