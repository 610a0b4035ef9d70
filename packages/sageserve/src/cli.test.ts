import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSimulation, parseScenario, preset, runTraffic } from '@sageserve/scenario';
import { simulate } from '@sageserve/sim';
import { runCommand as run, smallUnmeasured } from './fixtures.js';

const azure = fileURLToPath(new URL('../../../../shared/data/traces/azure2023_code.csv.gz', import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-cli-'));
});
afterAll(() => rm(dir, { recursive: true }));

describe('sageserve simulate', () => {
  it('prints strategies side by side with ratios, quietly in a pipe', async () => {
    const { code, stdout, stderr } = await run([
      'simulate',
      '--duration',
      '30m',
      '--strategy',
      'siloed,reactive',
      '--audit',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/GPU-hours +[\d.,]+ +[\d.,]+ \(0\.\d\d×\)/);
    expect(stdout).toMatch(/IW-F interactive-fast\n +SLO attainment +[\d.]+ % +[\d.]+ %/);
    expect(stdout).toContain('ratios in brackets are to siloed');
    expect(stderr.split('\n').filter((line) => line !== '')).toHaveLength(2);

    expect(stdout + stderr).not.toMatch(/\x1b\[/);
  });

  it('prints the same JSON for the same seed and another for another', async () => {
    const json = async (seed: string) =>
      (await run(['simulate', '--duration', '20m', '--strategy', 'reactive', '--seed', seed, '--json'])).stdout;
    const first = await json('7');
    expect(JSON.parse(first)).toMatchObject({
      scenario: 'small',
      seed: 7,
      strategies: [{ strategy: 'reactive', total: { unfinished: 0 } }],
    });
    expect(await json('7')).toBe(first);
    expect(await json('8')).not.toBe(first);
  });

  it('gives the same where there is so much traffic that a second thread makes it', async () => {
    const much = parseScenario({
      ...smallUnmeasured(),
      duration: '3h',
      traffic: {
        ...preset('small').traffic,
        requestsPerDay: 24_000_000,
        promptTokens: [[0.5, 20]],
        outputTokens: [[0.5, 1]],
      },
    });
    const here = await simulate(buildSimulation(much, 'static'), await runTraffic(much));
    expect(here.total.arrived).toBeGreaterThan(2_000_000);
    await writeFile(join(dir, 'much.json'), JSON.stringify(much));
    const { code, stdout } = await run(['simulate', join(dir, 'much.json'), '--strategy', 'static', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ strategies: [JSON.parse(JSON.stringify(here))] });
  });

  it('writes a summary, a time series and every request to a folder', async () => {
    const out = join(dir, 'results');
    const { code, stdout } = await run([
      'simulate',
      '--duration',
      '10m',
      '--strategy',
      'static,reactive',
      '--out',
      out,
      '--requests',
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain(`results in ${out}`);
    expect((await readdir(out)).sort()).toEqual(['comparison.json', 'reactive', 'static']);
    const summary = JSON.parse(await readFile(join(out, 'reactive', 'summary.json'), 'utf8')) as {
      total: { arrived: number };
    };
    const requests = (await readFile(join(out, 'reactive', 'requests.csv'), 'utf8')).trim().split('\n');
    expect(requests).toHaveLength(1 + summary.total.arrived);
    expect(requests[1]!.split(',')).toHaveLength(requests[0]!.split(',').length);
    // Ten minutes for each of six endpoints, which saw every arrival.
    const series = (await readFile(join(out, 'static', 'timeseries.csv'), 'utf8')).trim().split('\n');
    expect(series.length - 1).toBe(10 * 6);
    expect(series.slice(1).reduce((sum, row) => sum + Number(row.split(',')[9]), 0)).toBe(summary.total.arrived);
  });

  it('refuses a folder of somebody else’s files, a place where none can be, and options that would do nothing', async () => {
    const out = join(dir, 'mine');
    await mkdir(join(out, 'static'), { recursive: true });
    await writeFile(join(out, 'static', 'notes.txt'), 'keep');
    const wrong: readonly (readonly [string[], string])[] = [
      [['--strategy', 'static', '--out', out], 'static holds files that are not results, such as notes.txt'],
      [['--out', join(dir, 'mine', 'static', 'notes.txt')], "can't make the folder"],
      [['--out', ''], '--out: needs the name of a folder'],
      [['--skip-bad-rows'], '--skip-bad-rows: is about a trace'],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await run(['simulate', '--duration', '1m', ...args]);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
    expect(await readFile(join(out, 'static', 'notes.txt'), 'utf8')).toBe('keep');
    expect(await readdir(out)).toEqual(['static']);
  });

  it('cuts a trace at --duration', async () => {
    await writeFile(join(dir, 'long.csv'), 'arrived_at_s,prompt_tokens,output_tokens\n1,10,2\n59,10,2\n61,10,2\n');
    const { stdout } = await run([
      'simulate',
      '--trace',
      join(dir, 'long.csv'),
      '--duration',
      '1m',
      '--strategy',
      'static',
      '--json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      strategies: [{ durationMs: 60_000, total: { arrived: 2, completed: 2 } }],
    });
  });

  it('reads a scenario file and replays a trace that it names', async () => {
    await writeFile(join(dir, 'trace.csv'), 'arrived_at_s,prompt_tokens,output_tokens\n0.5,100,20\n1.5,200,30\n');
    await writeFile(
      join(dir, 'scenario.yaml'),
      'name: mine\ntraffic: { trace: trace.csv }\nregions: [{ name: here, gpus: { a100-80gb: 4 } }]\nskus: [{ ' +
        'name: a100-80gb }]\nmodels:\n  - name: llama-3.1-8b\n    deployments: [{ sku: a100-80gb, gpusPerInstance: ' +
        '2, initialInstances: 2, maxInstances: 2 }]\n',
    );
    const { code, stdout } = await run(['simulate', join(dir, 'scenario.yaml'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      scenario: 'mine',
      strategies: [{ total: { arrived: 2, completed: 2, promptTokens: 300, outputTokens: 50 } }],
    });
  });

  it.skipIf(!existsSync(azure))('replays real traffic (skipped without ../shared)', async () => {
    const { code, stdout } = await run([
      'simulate',
      '--trace',
      azure,
      '--json',
      '--strategy',
      'static,reactive',
      '--audit',
    ]);
    expect(code).toBe(0);
    const { strategies } = JSON.parse(stdout) as { strategies: { total: { arrived: number; completed: number } }[] };
    for (const { total } of strategies) expect(total).toMatchObject({ arrived: 8_819, completed: 8_819 });
  });

  it('ends with 2 and says what is known for wrong use, with 1 for a bad trace', async () => {
    const wrong: readonly (readonly [string[], string])[] = [
      [
        ['simulate', '--strategy', 'magic'],
        'unknown strategy "magic"\nhint: known: static, reactive, reactive-h, hpa, keda-queue, siloed',
      ],
      [['simulate', '--preset', 'huge'], 'unknown preset "huge"\nhint: known: small, paper-day'],
      [['simulate', '--trace', join(dir, 'absent.csv')], 'there is no such file'],
      [['simulate', '--requests'], '--requests: is about files and needs --out DIR'],
      [['simulate', '--parquet'], '--parquet: is about files and needs --out DIR'],
      [['simulate', '--duration', 'soon'], '"soon" is not a duration'],
      [['simulate', '--bogus'], "unknown option '--bogus'"],
      [['trace', 'head', join(dir, 'trace.csv'), '--rows', 'x'], '--rows: must be a whole number, not "x"'],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await run(args);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
    await writeFile(join(dir, 'bad.csv'), 'arrived_at_s,prompt_tokens,output_tokens\n0.5,100,20\n1.5,many,30\n');
    const bad = await run(['simulate', '--trace', join(dir, 'bad.csv')]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain('bad.csv:3, column prompt_tokens: is not a whole number of tokens of 1 or more');
    const skipped = await run(['simulate', '--trace', join(dir, 'bad.csv'), '--skip-bad-rows']);
    expect(skipped.code).toBe(0);
    expect(skipped.stderr).toContain('left out 1 bad row, of which the first:');
    // Whoever plans has read the trace before: what comes before the run, and, for an oracle, what
    // comes after.
    const rows = Array.from({ length: 240 }, (_, minute) => `${minute * 60},100,20`);
    for (const at of [7, 200]) rows[at] = `${at * 60},many,20`;
    await writeFile(join(dir, 'bad-hours.csv'), `arrived_at_s,prompt_tokens,output_tokens\n${rows.join('\n')}\n`);
    const { duration: _, ...small } = preset('small');
    await writeFile(
      join(dir, 'bad-hours.json'),
      JSON.stringify({ ...small, history: '2h', traffic: { trace: './bad-hours.csv' } }),
    );
    const refused = await run(['simulate', join(dir, 'bad-hours.json'), '--strategy', 'lt-u']);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('bad-hours.csv:9, column prompt_tokens'),
    ]);
    const planned = await run([
      'simulate',
      join(dir, 'bad-hours.json'),
      '--strategy',
      'lt-u,oracle',
      '--skip-bad-rows',
      '--json',
    ]);
    expect(planned.stderr.match(/left out 2 bad rows/g)).toHaveLength(2);
    expect(
      (JSON.parse(planned.stdout) as { strategies: { total: { arrived: number } }[] }).strategies.map(
        ({ total }) => total.arrived,
      ),
    ).toEqual([119, 119]);
  });

  it('leaves nothing incomplete behind when it is interrupted', async () => {
    const out = join(dir, 'interrupted');
    const { code, stderr } = await run(
      ['simulate', '--preset', 'paper-week', '--strategy', 'static', '--out', out, '--requests'],
      (child) => {
        // Once its folder is there, the run is under way.
        const poll = setInterval(() => {
          if (!existsSync(out) || !readdirSync(out).some((name) => existsSync(join(out, name, 'requests.csv')))) return;
          clearInterval(poll);
          child.kill('SIGINT');
        }, 20);
      },
    );
    expect(code).toBe(130);
    expect(stderr).toContain('interrupted: nothing incomplete was left behind');
    expect(existsSync(out)).toBe(false);
  });
});

describe('sageserve forecast', () => {
  /** Six days of a wave in ten-minute buckets, with a gap. */
  const counts = async (): Promise<string> => {
    const file = join(dir, 'counts.csv');
    const rows = Array.from({ length: 864 }, (_, t) => [
      new Date(Date.UTC(2024, 4, 13) + t * 600_000).toISOString(),
      t === 500 ? '' : (100 + 60 * Math.sin((2 * Math.PI * t) / 144) + (t % 7)).toFixed(3),
    ]);
    await writeFile(file, `time,requests\n${rows.map((row) => row.join(',')).join('\n')}\n`);
    return file;
  };

  it('prints what comes next from a file of counts, with quantiles and the method', async () => {
    const { code, stdout } = await run(['forecast', 'run', '--counts', await counts(), '--horizon', '1h']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/demand: 864 buckets seen\nauto: .+WAPE \d+\.\d %/);
    expect(stdout).toMatch(/from \(UTC\) +mean +q0\.1 +q0\.5 +q0\.8 +q0\.9 +q0\.95\n2024-05-19 00:00 +1\d\d/);
    const json = JSON.parse(
      (
        await run([
          'forecast',
          'run',
          '--counts',
          await counts(),
          '--method',
          'holt-winters',
          '--levels',
          '0.2,0.7',
          '--json',
        ])
      ).stdout,
    ) as {
      forecasts: { mean: number[]; quantiles: Record<string, number[]>; promptTokensPerS: { mean: number[] } }[];
    };
    expect(json.forecasts[0]!.mean).toHaveLength(6);
    expect(Object.keys(json.forecasts[0]!.quantiles)).toEqual(['0.2', '0.7']);
    for (const [h, mean] of json.forecasts[0]!.mean.entries())
      expect(Math.abs(mean - (103 + 60 * Math.sin((2 * Math.PI * h) / 144)))).toBeLessThan(8);
  });

  it('forecasts every model and region of generated traffic, prompt and output tokens apart', async () => {
    const args = [
      'forecast',
      'run',
      '--preset',
      'small',
      '--duration',
      '3h',
      '--requests-per-day',
      '100000',
      '--model',
      'llama-3.1-8b',
      '--json',
    ];
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    const { forecasts } = JSON.parse(stdout) as {
      forecasts: {
        region: string;
        mean: number[];
        promptTokensPerS: { mean: number[] };
        outputTokensPerS: { mean: number[] };
      }[];
    };
    expect(forecasts.map(({ region }) => region)).toEqual(['eastus', 'centralus', 'westus']);
    for (const f of forecasts)
      for (const [h, mean] of f.mean.entries())
        expect(mean).toBeCloseTo(f.promptTokensPerS.mean[h]! + f.outputTokensPerS.mean[h]!, 6);
  });

  it('backtests methods side by side and draws them', async () => {
    const out = join(dir, 'backtest');
    const { code, stdout } = await run([
      'forecast',
      'backtest',
      '--counts',
      await counts(),
      '--methods',
      'auto,seasonal-naive-day',
      '--out',
      out,
      '--target',
      'peak',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/WAPE +MASE +pinball q0\.9 +under q0\.9 +in 80 % +in 90 % +time\nauto +buckets +\d/);
    expect((await readdir(out)).sort()).toEqual(['forecasts.csv', 'report.html', 'summary.json']);
    const page = await readFile(join(out, 'report.html'), 'utf8');
    expect(page).toContain('uPlot');
    expect(page).not.toMatch(/src="http|href="http/);
    const rows = (await readFile(join(out, 'forecasts.csv'), 'utf8')).trim().split('\n');
    expect(rows[0]).toBe('model,region,method,made_at,time,actual,mean,q0.05,q0.1,q0.5,q0.8,q0.9,q0.95');
    expect(rows).toHaveLength(1 + 2 * 96 * 6);
    const summary = JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')) as {
      total: { method: string; buckets: { wape: number } }[];
    };
    expect(summary.total.map(({ method }) => method)).toEqual(['auto', 'seasonal-naive-day']);
    expect(summary.total[0]!.buckets.wape).toBeLessThan(0.1);
  });

  it('reads the demand that a simulation wrote', async () => {
    const out = join(dir, 'simulated');
    await run(['simulate', '--duration', '2h', '--strategy', 'static', '--out', out]);
    const { code, stdout } = await run([
      'forecast',
      'run',
      '--counts',
      join(out, 'static', 'demand.csv'),
      '--region',
      'westus',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/in westus: 12 buckets seen/);
    expect(stdout).toMatch(/q0\.95 +prompt +output/);
  });

  it.each([
    [['forecast', 'run'], /--trace: give one of --trace FILE, --counts FILE and --preset NAME/],
    [['forecast', 'run', '--counts', 'none.csv'], /--counts: can't read none\.csv/],
    [
      ['forecast', 'backtest', '--preset', 'small', '--methods', 'auto,magic'],
      /unknown forecaster "magic"[^]*hint: known: auto, /,
    ],
    [
      ['forecast', 'backtest', '--preset', 'small', '--duration', '20m'],
      /--horizon: llama-2-70b in eastus has 1 bucket: too few for a forecast of 6 after 0/,
    ],
    [['forecast', 'run', '--preset', 'small', '--target', 'mean'], /--target: must be bucket or peak, not "mean"/],
  ])('refuses %s', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
  });
});

describe('sageserve plan', () => {
  const traffic = ['--preset', 'paper-day', '--duration', '26h', '--requests-per-day', '2000000', '--at', '15h'];

  it('prints what each region should hold beside what it holds, and in words why', async () => {
    const held = join(dir, 'held.csv');
    await writeFile(
      held,
      'model,region,sku,instances\nllama-2-70b,eastus,h100-80gb,1\nllama-3.1-8b,westus,a100-80gb,9\n',
    );
    const { code, stdout } = await run(['plan', ...traffic, '--current', held]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^generated traffic of paper-day: plan for 2024-05-13T15:00:00.000Z, 6 windows of 10.0 min$/m,
    );
    expect(stdout).toMatch(/flows: optimal by auto: [\w-]+ in [\d.]+ m?s, proven/);
    expect(stdout).toMatch(/llama-2-70b +eastus +h100-80gb +1 +→ \d+ +\+\d+ /);
    expect(stdout).toMatch(/llama-3.1-8b +westus +a100-80gb +9 +→ \d+ +−\d+ /);
    const words = await run(['plan', ...traffic, '--current', held, '--explain']);
    expect(words.stdout).toMatch(/^\+1 llama-2-70b on h100-80gb in eastus: the minimum is 2, 1 is held$/m);
    expect(words.stdout).toMatch(
      /^−\d+ llama-3.1-8b on a100-80gb in westus: local peak [\d,k ]+ tokens\/s needs \d+, 9 are held/m,
    );
  });

  it('gives the same plan as JSON, whoever solves it, and the program for any other solver', async () => {
    const lp = join(dir, 'plan.lp');
    const answers = [];
    for (const solver of ['auto', 'highs', 'heuristic']) {
      const { code, stdout } = await run([
        'plan',
        ...traffic,
        '--variant',
        'paper',
        '--solver',
        solver,
        '--json',
        '--lp',
        lp,
      ]);
      expect(code).toBe(0);
      answers.push(
        JSON.parse(stdout) as {
          status: string;
          objectiveUsd: number;
          plan: { model: string; target: number }[];
          windows: number;
        },
      );
    }
    expect(answers[0]!.status).toBe('optimal');
    expect(answers[0]!.windows).toBe(6);
    expect(answers[1]!.objectiveUsd).toBeCloseTo(answers[0]!.objectiveUsd, 6);
    expect(answers[0]!.plan.every(({ target }) => Number.isInteger(target) && target >= 2)).toBe(true);
    const text = await readFile(lp, 'utf8');
    expect(text).toMatch(/^Minimize$/m);
    expect(text.trim().endsWith('End')).toBe(true);
  });

  it('plans from the demand that a simulation wrote, and says what cannot be met', async () => {
    const out = join(dir, 'simulated-demand');
    expect((await run(['simulate', '--duration', '6h', '--strategy', 'static', '--out', out])).code).toBe(0);
    const demand = join(out, 'static', 'demand.csv');
    const met = await run(['plan', '--demand', demand, '--mix', '1000,200', '--json']);
    expect(JSON.parse(met.stdout)).toMatchObject({ status: 'optimal', shortfall: [] });
    const scenario = join(dir, 'small.yaml');
    await writeFile(
      scenario,
      `name: tight
duration: 6h
traffic: { requestsPerDay: 3000000 }
regions: [{ name: eastus, gpus: { h100-80gb: 8 } }, { name: centralus, gpus: { h100-80gb: 8 } }, { name: westus, gpus: { h100-80gb: 8 } }]
skus: [{ name: h100-80gb, usdPerGpuHour: 12 }]
models:
  - { name: llama-2-70b, deployments: [{ sku: h100-80gb, gpusPerInstance: 4, initialInstances: 1, minInstances: 1 }] }
placement: { residency: { eastus: [eastus, centralus] } }
`,
    );
    const { code, stdout } = await run(['plan', scenario, '--requests-per-day', '6000000']);
    expect(code).toBe(0);
    expect(stdout).toContain('flows: infeasible');
    expect(stdout).toMatch(/short of\nkind +model +region +when +tokens\/s +since of\n/);
    expect(stdout).toMatch(/GPUs of h100-80gb in \w+/);
  });

  it('ends with 2 and says what is wrong, where', async () => {
    const held = join(dir, 'wrong.csv');
    await writeFile(held, 'model,region,sku,instances\nllama-2-70b,mars,h100-80gb,1\n');
    const stray = join(dir, 'stray.csv');
    await writeFile(stray, 'model,region,sku,instances\nllama-2-70b,eastus,a100-80gb,7\n');
    const twice = join(dir, 'twice.csv');
    await writeFile(
      twice,
      'model,region,sku,instances\nllama-2-70b,eastus,h100-80gb,3\nllama-2-70b,eastus,h100-80gb,3\n',
    );
    for (const [args, message] of [
      [['--solver', 'oracle'], /--solver: must be one of auto, highs/],
      [['--at', 'yesterday'], /--at: must be a time within the demand.*\n.*It goes from 2024/],
      [['--at', '5s'], /--at: must be a time within the demand, a bucket of which has passed/],
      [
        ['--current', stray],
        /current: holds 7 llama-2-70b on a100-80gb in eastus, which the fleet does not deploy there/,
      ],
      [['--current', twice], /twice\.csv:3: llama-2-70b on h100-80gb in eastus stands twice/],
      [['--skip-bad-rows'], /--skip-bad-rows: is for a trace, and there is none/],
      [['--hysteresis', 'Infinity'], /--hysteresis: must be a number from 0/],
      [['--current', held], /wrong\.csv:2: "mars" is not a region of the fleet\nhint: It has eastus/],
      [['--gap', 'x'], /--gap: must be a number from 0/],
      [['--trace', 'any.csv'], /--requests-per-day: is for generated traffic/],
    ] as const) {
      const { code, stderr } = await run(['plan', '--duration', '12h', '--requests-per-day', '100000', ...args]);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toMatch(message);
    }
    expect(await run(['plan', '--trace', 'nowhere.csv'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nowhere.csv') as string,
    });
  });
});

describe('sageserve trace', () => {
  it('generates, converts, inspects and shows a trace', async () => {
    const parquet = join(dir, 'week.parquet');
    const csv = join(dir, 'week.csv.gz');
    expect(
      (await run(['trace', 'generate', parquet, '--duration', '2d', '--requests-per-day', '20000', '--seed', '3']))
        .stdout,
    ).toMatch(/^[\d,]+ requests in .*week\.parquet\n$/);
    expect((await run(['trace', 'convert', parquet, csv])).code).toBe(0);
    const { stdout } = await run(['trace', 'inspect', csv]);
    expect(stdout).toMatch(/requests over 48\.0 h/);
    expect(stdout).toMatch(/tier non-interactive +\d\d\.\d %/);
    expect(stdout).toMatch(/region eastus .*[▁▂▃▄▅▆▇█]{20}/);
    const json = JSON.parse((await run(['trace', 'inspect', parquet, '--json'])).stdout) as {
      total: { requests: number; dailyAutocorrelation: number };
    };
    expect(json.total.requests).toBeGreaterThan(35_000);
    expect(json.total.dailyAutocorrelation).toBeGreaterThan(0);
    const head = (await run(['trace', 'head', csv, '-n', '3', '--json'])).stdout.trim().split('\n');
    expect(head.map((line) => Object.keys(JSON.parse(line) as object))).toEqual(
      Array(3).fill(expect.arrayContaining(['arrived_at_s', 'prompt_tokens', 'tier'])),
    );
  });

  it('never writes over its own input, nor over what is read-only', async () => {
    const path = join(dir, 'precious.csv');
    await writeFile(path, 'arrived_at_s,prompt_tokens,output_tokens\n5,1,1\n');
    expect(await run(['trace', 'convert', path, path])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is the file that is read'),
    });
    await chmod(path, 0o444);
    expect(await run(['trace', 'generate', path, '--limit', '1'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('it is read-only'),
    });
    expect(await readFile(path, 'utf8')).toContain('5,1,1');
    expect(await run(['trace', 'convert', path, join(dir, 'absent', 'x.csv')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("can't write"),
    });
  });

  it('puts an unordered trace in order', async () => {
    await writeFile(join(dir, 'unordered.csv'), 'arrived_at_s,prompt_tokens,output_tokens\n5,1,1\n2,1,1\n');
    expect((await run(['trace', 'inspect', join(dir, 'unordered.csv')])).stderr).toContain(
      'sageserve trace convert --sort',
    );
    expect((await run(['trace', 'convert', '--sort', join(dir, 'unordered.csv'), join(dir, 'ordered.csv')])).code).toBe(
      0,
    );
    expect((await run(['trace', 'inspect', join(dir, 'ordered.csv')])).stdout).toContain('2 requests over 5.00 s');
  });
});

describe('sageserve profiles and schema', () => {
  it('says what is measured and what is modelled', async () => {
    const { stdout } = await run(['profiles', '--model', 'llama-2-70b']);
    expect(stdout).toMatch(/llama-2-70b +h100-80gb +8 +measured/);
    expect(stdout).toMatch(/llama-2-70b +b200-180gb +8 +modelled/);
    const json = JSON.parse((await run(['profiles', '--json'])).stdout) as { basis: string }[];
    expect(json.filter((p) => p.basis === 'measured')).toHaveLength(12);
    expect((await run(['profiles', '--model', 'gpt-9'])).code).toBe(2);
  });

  it('prints the JSON Schema of scenarios', async () => {
    expect(JSON.parse((await run(['schema'])).stdout)).toMatchObject({ title: 'SageServe scenario', type: 'object' });
  });
});
