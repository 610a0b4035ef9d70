import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { estimate } from '@sageserve/experiments';
import { BROWSER_ARGS, browserPath as browser, interruptAfter, runCommand as run } from '../fixtures.js';

/**
 * What a test needs of the browser's canvas: the types of the DOM are not those of this package.
 */
interface Canvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: '2d'): {
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  };
}

interface Line {
  getAttribute(name: string): string | null;
}

interface Report {
  readonly strategies: readonly string[];
  readonly seeds: readonly (number | string)[];
  readonly rows: readonly {
    readonly key: string;
    readonly estimates: readonly {
      readonly mean: number;
      readonly halfWidth?: number;
      readonly values: readonly number[];
    }[];
  }[];
}
const rowOf = (report: Report, key: string) => report.rows.find((row) => row.key === key)!.estimates;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-compare-'));
});
afterAll(() => rm(dir, { recursive: true }));

describe('sageserve compare', () => {
  it('prints one table with confidence intervals over seeds and ratios to the bound and the best', async () => {
    const { code, stdout, stderr } = await run([
      'compare',
      '--duration',
      '30m',
      '--strategy',
      'reactive,sage,clairvoyant',
      '--seeds',
      '2',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +reactive +sage +clairvoyant$/m);
    expect(stdout).toMatch(
      /^3 strategies on small: [\d,]+ requests for 2 models in 3 regions, up to 36 instances, 2 seeds\.$/m,
    );
    expect(stdout).toMatch(/^(At equal work \w+ is the cheapest|None of them meets) .*\.$/m);
    expect(stdout).toMatch(/^Not shown: .*\.$/m);
    expect(stdout).toMatch(/÷ bound, which nothing can hold less than +[1-9]\.\d{3} ±\d\.\d{3} +[1-9]\.\d{3} ±/);
    expect(stdout).toMatch(/GPU-hours at equal work ÷ clairvoyant .*1\.000$/m);
    expect(stdout).toMatch(/forecast WAPE +– +[\d.]+ % ±[\d.]+ +[\d.]+ % ±[\d.]+/);
    expect(stdout).toContain('± is the 95 % confidence interval over 2 seeds');
    expect(stderr.split('\n').filter((line) => line !== '')).toHaveLength(6);
  });

  it('gives the same JSON for the same seeds, and the same traffic to every strategy', async () => {
    const json = async () =>
      (await run(['compare', '--duration', '20m', '--strategy', 'lt-ua,sage', '--seeds', '3,4', '--json'])).stdout;
    const first = await json();
    expect(await json()).toBe(first);
    const report = JSON.parse(first) as Report;
    expect(report.seeds).toEqual([3, 4]);
    const [a, b] = rowOf(report, 'arrived');
    expect(a!.values).toEqual(b!.values);
    expect(a!.values[0]).not.toBe(a!.values[1]);
    for (const { values } of rowOf(report, 'unfinished')) expect(values).toEqual([0, 0]);
  });

  it('gives the same on one core as on two, and journals too', async () => {
    const on = async (cores: string) => {
      const out = join(dir, `cores-${cores}`);
      const args = ['compare', '--duration', '20m', '--strategy', 'lt-ua,sage', '--seeds', '2', '--json', '-o', out];
      const { code, stdout } = await run([...args, '--cores', cores]);
      expect(code).toBe(0);
      const files = (await readdir(join(out, 'small'))).sort();
      const journals = files.filter((name) => name.endsWith('.jsonl'));
      expect(journals).toHaveLength(4);
      return [stdout, ...(await Promise.all(journals.map((name) => readFile(join(out, 'small', name), 'utf8'))))];
    };
    expect(await on('1')).toEqual(await on('2'));
  });

  it('says nothing but how far it is, however many runs wait for a core', async () => {
    const { code, stderr } = await run(['compare', '--duration', '1m', '--strategy', 'static,siloed', '--seeds', '12']);
    expect(code).toBe(0);
    expect(stderr.split('\n').filter((line) => line !== '' && !/^\[\d+\/24\] small, seed \d+/.test(line))).toEqual([]);
  });

  it('draws what each strategy takes for the same attainment, by the knobs that are turned', async () => {
    const args = ['compare', '--duration', '15m', '--strategy', 'static,sage,reactive', '--pareto'];
    const { code, stdout, stderr } = await run([...args, '--knob', 'reactive.cooldownMs=1e3,1e5', '--json']);
    expect(code).toBe(0);
    // Three as they are, sage at seven levels and reactive at two.
    expect(stderr).toContain('[12/12]');
    const { pareto } = JSON.parse(stdout) as {
      pareto: { strategy: string; option?: string; points: unknown[]; at: { level: number; gpuHours?: number }[] }[];
    };
    expect(pareto.map(({ strategy, option, points }) => [strategy, option, points.length])).toEqual([
      ['static', undefined, 1],
      ['sage', 'headroom', 8],
      ['reactive', 'cooldownMs', 3],
    ]);
    for (const { at } of pareto) {
      expect(at.map(({ level }) => level)).toEqual([0.95, 0.97, 0.99]);
      expect(at[0]!.gpuHours).toBeGreaterThan(0);
    }
  });

  it('runs every strategy through outages and evictions with no request unaccounted for', async () => {
    const scenario = {
      name: 'trouble',
      duration: '90m',
      history: '6h',
      traffic: { requestsPerDay: 400_000 },
      regions: ['eastus', 'westus'].map((name) => ({ name, gpus: { 'a100-80gb': 8 } })),
      skus: [{ name: 'a100-80gb', newVm: '10m' }],
      models: [
        {
          name: 'llama-3.1-8b',
          deployments: [
            {
              sku: 'a100-80gb',
              gpusPerInstance: 1,
              minInstances: 1,
              initialInstances: 4,
              initialSpotInstances: 4,
              maxInstances: 8,
            },
          ],
        },
      ],
      incidents: [
        { kind: 'telemetry-outage', at: '10m', duration: '15m' },
        { kind: 'region-outage', at: '30m', duration: '20m', region: 'westus' },
        { kind: 'eviction', at: '60m', region: 'eastus', sku: 'a100-80gb', instances: 1 },
        { kind: 'eviction', at: '61m', region: 'eastus', sku: 'a100-80gb', instances: 2, target: 'spot' },
      ],
      strategies: ['siloed', 'reactive', 'lt-i', 'lt-u', 'lt-ua', 'chiron-like', 'oracle', 'sage', 'static'],
    };
    const file = join(dir, 'trouble.json');
    await writeFile(file, JSON.stringify(scenario));
    const { code, stdout, stderr } = await run(['compare', file, '--json']);
    expect(stderr).not.toContain('error');
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as Report & {
      runs: {
        result: {
          total: { arrived: number; completed: number; rejected: number; unfinished: number };
          rerouted: number;
          actions: { lost: number };
        };
      }[];
    };
    expect(report.strategies).toHaveLength(9);
    for (const { result } of report.runs) {
      expect(result.total.completed + result.total.rejected).toBe(result.total.arrived);
      expect(result.total.unfinished).toBe(0);
      expect(result.actions.lost).toBeGreaterThan(0);
    }
    expect(report.runs.some(({ result }) => result.rerouted > 0)).toBe(true);
    // Every strategy but static holds while telemetry is stale; all of them run through the same
    // loop.
    for (const { mean } of rowOf(report, 'degradations')) expect(mean).toBeGreaterThan(0);
  });

  it('refuses what it can’t compare before anything runs', async () => {
    const wrong: readonly (readonly [string[], string])[] = [
      [['--strategy', 'magic'], 'unknown strategy "magic"'],
      [['--seeds', '0'], '--seeds: must be a whole number from 1 to 1000, not "0"'],
      [['--seeds', '1,,2'], '--seeds: must be a count such as 5, or seeds with commas between'],
      [['--preset', 'small,small'], 'scenarios: two are called small'],
      [['--preset', 'huge'], 'unknown preset "huge"'],
      [['--strategy', 'sage,sage'], 'strategies: "sage" stands twice'],
      [['--trace', 'x.csv', '--requests-per-day', '5'], '--requests-per-day: is for generated traffic'],
      [['--gap-thresholds', '0.5'], '--gap-thresholds: must be numbers of 1 or more'],
      [['--knob', 'sage.headroom=0,1'], '--knob: goes with --pareto'],
      [
        ['--pareto', '--knob', 'reactive.scaleOutAbove=0.5,0.6', '--knob', 'reactive.cooldownMs=1,2'],
        '--knob: is given twice for reactive',
      ],
      [['--pareto', '--knob', 'sage.headroom=0'], '--knob: must be a strategy’s option with two numbers or more'],
      [['--pareto', '--knob', 'magic.x=0,1'], '--knob: "magic" is none of the strategies that are compared'],
      [
        ['--strategy', 'sage', '--pareto', '--knob', 'sage.magic=0,1'],
        'strategies.sage.magic: is not an option of this policy',
      ],
      [['--cores', '0'], '--cores: must be a whole number from 1 to 256'],
      [['--requests-per-day', '-1'], '--requests-per-day: must be a number above 0'],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr, stdout } = await run(['compare', ...args]);
      expect(stderr).toContain(message);
      expect(stdout).toBe('');
      expect(code).toBe(2);
    }
  });

  it('refuses plug-ins that are none, with their path', async () => {
    const minimal = {
      duration: '10m',
      traffic: { requestsPerDay: 1_000 },
      regions: [{ name: 'eastus', gpus: { 'a100-80gb': 8 } }],
      skus: [{ name: 'a100-80gb' }],
      models: [
        {
          name: 'llama-3.1-8b',
          deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, initialInstances: 2, maxInstances: 4 }],
        },
      ],
    };
    await writeFile(join(dir, 'empty.mjs'), 'export const x = 1;\n');
    await writeFile(join(dir, 'kind.mjs'), 'export default { routers: {} };\n');
    await writeFile(join(dir, 'taken.mjs'), 'export default { strategies: { reactive: () => ({}) } };\n');
    await writeFile(join(dir, 'value.mjs'), 'export default { strategies: { mine: 7 } };\n');
    for (const [plugin, message] of [
      ['./absent.mjs', "plugins[0] (./absent.mjs) can't be loaded"],
      ['./empty.mjs', 'plugins[0] (./empty.mjs) has no default export of a catalogue'],
      ['./kind.mjs', 'plugins[0] (./kind.mjs) exports "routers", which is not a kind of policy'],
      ['./taken.mjs', 'plugins[0] (./taken.mjs): strategies.reactive is taken already'],
      ['./value.mjs', 'plugins[0] (./value.mjs): strategies.mine is not a function'],
    ] as const) {
      const file = join(dir, 'plugged.json');
      await writeFile(file, JSON.stringify({ ...minimal, plugins: [plugin] }));
      const { code, stderr } = await run(['compare', file]);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
  });

  it('refuses incidents after the end, history that is no whole number of buckets, and forecasters that are none', async () => {
    const base = {
      duration: '30m',
      traffic: { requestsPerDay: 1_000 },
      regions: [{ name: 'eastus', gpus: { 'a100-80gb': 8 } }],
      skus: [{ name: 'a100-80gb' }],
      models: [
        {
          name: 'llama-3.1-8b',
          deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, initialInstances: 2, maxInstances: 4 }],
        },
      ],
      strategies: ['sage'],
    };
    for (const [change, message] of [
      [
        { incidents: [{ kind: 'telemetry-outage', at: '5h', duration: '1m' }] },
        'incidents[0].at: 5h is not within the run, which is 30m long',
      ],
      [{ history: '25m' }, 'history: must be a multiple of 10 minutes, not 25m'],
      [{ control: { forecaster: 'nope' } }, 'unknown forecaster "nope"'],
      [
        { control: { forecaster: { name: 'arima', wat: 1 } } },
        'control.forecaster.wat: is not an option of this policy',
      ],
    ] as const) {
      const file = join(dir, 'odd.json');
      await writeFile(file, JSON.stringify({ ...base, ...change }));
      const { code, stderr } = await run(['compare', file]);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
  });

  it('does not write over what is not its own', async () => {
    const out = join(dir, 'mine');
    await mkdir(join(out, 'small'), { recursive: true });
    await writeFile(join(out, 'small', 'precious.txt'), 'keep');
    const { code, stderr } = await run(['compare', '--duration', '1m', '--strategy', 'static', '--out', out]);
    expect(stderr).toContain('small holds files that are not results, such as precious.txt');
    expect(code).toBe(2);
    expect(await readFile(join(out, 'small', 'precious.txt'), 'utf8')).toBe('keep');
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const out = join(dir, 'interrupted');
    const { code, stderr } = await run(
      ['compare', '--preset', 'paper-day', '--strategy', 'reactive', '--out', out],
      (child) => {
        interruptAfter(1_500, child);
      },
    );
    expect(stderr).toContain('interrupted');
    expect(code).toBe(130);
    expect((await readdir(dir)).filter((name) => name.includes('interrupted'))).toEqual([]);
  });
});

describe('what compare writes', () => {
  let out: string;
  beforeAll(async () => {
    out = join(dir, 'out');
    const { code, stderr } = await run([
      'compare',
      '--duration',
      '2h',
      '--strategy',
      'reactive,lt-ua,sage',
      '--seeds',
      '2',
      '--gap-thresholds',
      '2,5',
      '--out',
      out,
    ]);
    expect(stderr).toContain('report.html');
    expect(code).toBe(0);
  });

  it('is a folder for each scenario: report, JSON, and a journal for each run', async () => {
    expect(await readdir(out)).toEqual(['small']);
    expect((await readdir(join(out, 'small'))).sort()).toEqual([
      'comparison.json',
      'journal-lt-ua-1.jsonl',
      'journal-lt-ua-2.jsonl',
      'journal-reactive-1.jsonl',
      'journal-reactive-2.jsonl',
      'journal-sage-1.jsonl',
      'journal-sage-2.jsonl',
      'report.html',
    ]);
    const report = JSON.parse(await readFile(join(out, 'small', 'comparison.json'), 'utf8')) as Report & {
      gapThresholds: { threshold: number }[];
    };
    expect(report.gapThresholds.map(({ threshold }) => threshold)).toEqual([2, 5]);
    const lines = (await readFile(join(out, 'small', 'journal-sage-1.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({
      kind: 'run',
      scenario: 'small',
      strategy: 'sage',
      seed: 1,
      startEpochMs: Date.UTC(2024, 4, 13, 10),
    });
    expect(lines.filter((line) => line['kind'] === 'plan').map((line) => line['atMs'])).toEqual(
      expect.arrayContaining([0, 3_600_000]),
    );
  });

  it('explains an endpoint at a time', async () => {
    const journal = join(out, 'small', 'journal-sage-1.jsonl');
    const { code, stdout } = await run(['explain', journal, '--endpoint', 'eastus/llama-2-70b', '--at', '90m']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^eastus\/llama-2-70b\/h100-80gb at 01:30:00 \(small, sage, seed 1\)$/m);
    expect(stdout).toMatch(/\d → \d.*: \d are needed within \d min/);
    expect(stdout).toMatch(/plan of 01:00:00 \(\w+, by heuristic\): \d held then, \d planned/);
    expect(stdout).toMatch(/01:00:00 +[\d,]+ tokens\/s, from [\d,]+ to [\d,]+ in four cases of five/);
    const json = JSON.parse(
      (await run(['explain', journal, '--endpoint', 'eastus/llama-2-70b', '--at', '90m', '--json'])).stdout,
    ) as {
      plan: { atMs: number };
    };
    expect(json.plan.atMs).toBe(3_600_000);
    for (const [args, message] of [
      [['--endpoint', 'mars'], '"mars" is none of which the journal tells'],
      [['--endpoint', 'eastus'], '"eastus" stands for several'],
      [[], '--endpoint: is needed'],
      [['--endpoint', 'eastus/llama-2-70b', '--at', 'noon'], '--at: must be a duration from the start such as 14h'],
    ] as const) {
      const wrong = await run(['explain', journal, ...args]);
      expect(wrong.stderr).toContain(message);
      expect(wrong.code).toBe(2);
    }
    for (const [text, message] of [
      ['{"kind":"run","scenario":"x","strategy":"y"}\n{"kind":"plan"\n', ':2: is no JSON'],
      ['{"kind":"decision","atMs":5,"endpointId":"a/b/c"}\n', ':1: is no entry of a journal: seen is missing or wrong'],
      ['null\n', ':1: is no entry of a journal'],
    ] as const) {
      await writeFile(join(dir, 'broken.jsonl'), text);
      const wrong = await run(['explain', join(dir, 'broken.jsonl'), '--endpoint', 'x']);
      expect(wrong.stderr).toContain(`broken.jsonl${message}`);
      expect(wrong.code).toBe(2);
    }
    // Generated traffic has a date: 13 May 2024 is the Monday that it stands for.
    const dated = await run(['explain', journal, '--endpoint', 'eastus/llama-2-70b', '--at', '2024-05-13T11:30:00Z']);
    expect(dated.stdout).toContain('at 01:30:00');
  });

  it.skipIf(browser === undefined)(
    'opens in a real browser: figures are drawn, answer, and have their data a click away (skipped without Chromium)',
    async () => {
      const chrome = await chromium.launch({
        executablePath: browser!,
        args: BROWSER_ARGS,
      });
      try {
        const page = await chrome.newPage();
        const problems: string[] = [];
        page.on('pageerror', (error) => problems.push(error.message));
        page.on('requestfailed', (request) => problems.push(request.url()));
        await page.goto(pathToFileURL(join(out, 'small', 'report.html')).href);
        const titles = await page.locator('figcaption').allTextContents();
        expect(titles).toEqual([
          'Load by tier',
          'Instances over time',
          'TTFT over time',
          'E2E over time',
          'Utilisation over time',
          'Instance-hours by region',
          'TTFT as a distribution',
          'TBT as a distribution',
          'E2E as a distribution',
          'Burst response',
          'GPU-hours at equal work',
          'Scaling waste by way of acquisition',
          'Cost at equal work',
          'Sensitivity to the gap threshold: GPU-hours',
          'Sensitivity to the gap threshold: TTFT',
        ]);
        // Something is drawn: a canvas of one colour has one.
        const drawn = await page.locator('canvas').evaluateAll((canvases) =>
          canvases.map((element) => {
            const canvas = element as unknown as Canvas;
            const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return new Set(new Uint32Array(pixels.buffer)).size > 20;
          }),
        );
        expect(drawn).toEqual(Array(9).fill(true));
        expect(await page.locator('svg rect[fill^="url"]').count()).toBeGreaterThan(9);
        // Choosing another view draws it, and its data follows.
        const instances = page.locator('figure').nth(1);
        await instances.locator('select').selectOption({ label: 'westus' });
        await instances.locator('summary').click();
        await instances.locator('details table th').first().waitFor();
        expect(await instances.locator('details table th').allTextContents()).toEqual([
          'day of the week and time',
          'reactive (instances)',
          'lt-ua (instances)',
          'sage (instances)',
        ]);
        expect(await instances.locator('details table tbody td').first().textContent()).toBe('Mon 10:10');
        expect(await instances.locator('details table tbody tr').count()).toBe(12);
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          instances.locator('a', { hasText: 'as CSV' }).click(),
        ]);
        const csv = await readFile(await download.path(), 'utf8');
        expect(csv.split('\n')[0]).toBe(
          'day of the week and time,reactive (instances),lt-ua (instances),sage (instances)',
        );
        expect(csv.split('\n')).toHaveLength(13);
        // Lines are told apart without colour.
        const dashes = await instances
          .locator('.key line')
          .evaluateAll((lines) => lines.map((line) => (line as unknown as Line).getAttribute('stroke-dasharray')));
        expect(new Set(dashes).size).toBe(3);
        // Each strategy has one colour in all figures, and ours the widest line.
        const keysOf = (figure: string, shape: string, attribute: string) =>
          page
            .locator('figure', { hasText: figure })
            .first()
            .locator(`.key ${shape}`)
            .evaluateAll((all, name) => all.map((one) => (one as unknown as Line).getAttribute(name)), attribute);
        const colours = await keysOf('Instances over time', 'line', 'stroke');
        expect(new Set(colours).size).toBe(3);
        expect(await keysOf('TTFT over time', 'line', 'stroke')).toEqual(colours);
        expect(
          (await keysOf('Instance-hours by region', 'rect', 'fill')).map((fill) => /-(\w+)\)$/.exec(fill!)![1]),
        ).toEqual(colours.map((colour) => colour!.slice(1)));
        const widths = (await keysOf('TTFT over time', 'line', 'stroke-width')).map(Number);
        expect(widths[2]).toBeGreaterThan(Math.max(widths[0]!, widths[1]!));
        // Bars have their intervals, and money its sign.
        const barsOf = (title: string) => page.locator(`svg[aria-label="${title}"]`);
        expect(await barsOf('GPU-hours at equal work').locator('g.interval').count()).toBeGreaterThan(0);
        expect(await barsOf('Cost at equal work').textContent()).toMatch(/\$0\$[\d,]+.*US dollars.*\$[\d,.]+ ±\$/);
        // Objectives are where the page is told that they are.
        const levels = await page.evaluate(() => {
          const text = (
            globalThis as unknown as { document: { getElementById(id: string): { textContent: string } } }
          ).document.getElementById('data').textContent;
          return (JSON.parse(text) as { title: string; views?: { level?: { value: number } }[] }[]).flatMap((figure) =>
            figure.title === 'TTFT over time' ? figure.views!.map(({ level }) => level?.value) : [],
          );
        });
        expect(levels).toEqual([1_000, 60_000, undefined]);
        expect(problems).toEqual([]);
      } finally {
        await chrome.close();
      }
    },
  );
});

describe('estimate', () => {
  it('is Student’s interval around the mean of what is known', () => {
    expect(estimate([1, 2, 3, undefined])).toMatchObject({ mean: 2, values: [1, 2, 3] });
    expect(estimate([1, 2, 3])!.halfWidth).toBeCloseTo(4.303 / Math.sqrt(3), 9);
    expect(estimate([5])).toEqual({ mean: 5, halfWidth: undefined, values: [5] });
    expect(estimate([undefined])).toBeUndefined();
  });
});
