import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preset } from '@sageserve/scenario';
import { runCommand as run } from '../fixtures.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-plugins-'));
});
afterAll(() => rm(dir, { recursive: true }));

let made = 0;
/** A scenario of ten minutes with a plug-in whose catalogue is this text. */
async function scenarioWith(catalogue: string, fields: object): Promise<string> {
  const name = `mine-${made++}`;
  await writeFile(join(dir, `${name}.mjs`), `export default ${catalogue};\n`);
  const file = join(dir, `${name}.json`);
  await writeFile(
    file,
    JSON.stringify({
      ...preset('small'),
      duration: '10m',
      strategies: ['reactive'],
      // Where nothing goes by what instances carry it is not measured, which takes a second.
      regionRouter: 'utilization',
      release: 'utilization',
      plugins: [`./${name}.mjs`],
      ...fields,
    }),
  );
  return file;
}

const router = (answer: string) => `{ regionRouters: { mine: () => ({ name: 'mine', ${answer} }) } }`;
const strategy = (decide: string) =>
  `{ strategies: { mine: () => ({ scaling: { name: 'mine', decide: ${decide} } }) } }`;
const forFirst = (target: string) =>
  `(fleet) => [{ endpointId: fleet.endpoints[0].endpointId, targetInstances: ${target}, reason: 'x' }]`;
/** As few instances as the first endpoint may have, then as many, and so on. */
const outAndIn =
  '(() => { let asked = 0; return (fleet) => fleet.endpoints.slice(0, 1).map((one) => ({ endpointId: ' +
  "one.endpointId, targetInstances: asked++ % 2 === 0 ? one.minInstances : one.maxInstances, reason: 'x' })); })()";
/** SageServe’s own errors, as a plug-in has them. */
const CORE = JSON.stringify(new URL('../../../core/dist/index.js', import.meta.url).href);
const use = { regionRouter: { regionRouter: 'mine' }, strategy: { strategies: ['mine'] } };

describe('a plug-in that breaks its contract', () => {
  it.each<readonly [string, string, object, string, string]>([
    [
      'a router that answers 99',
      router('route: () => 99'),
      use.regionRouter,
      'region router "mine"',
      'answered with 99 where there are',
    ],
    [
      'a router that answers NaN',
      router('route: () => NaN'),
      use.regionRouter,
      'region router "mine"',
      'answered with NaN',
    ],
    [
      'a router that answers half a region',
      router('route: () => 0.5'),
      use.regionRouter,
      'region router "mine"',
      'answered with 0.5',
    ],
    [
      'a router that answers text',
      router("route: () => '0'"),
      use.regionRouter,
      'region router "mine"',
      'answered with the text "0"',
    ],
    [
      'a router that answers a promise',
      router('route: async () => 0'),
      use.regionRouter,
      'region router "mine"',
      'a promise, and it must answer at once',
    ],
    [
      'a router that answers nothing',
      router('route() {}'),
      use.regionRouter,
      'region router "mine"',
      'answered with nothing',
    ],
    [
      'a router whose method is misspelt',
      router('rout: () => 0'),
      use.regionRouter,
      'region router "mine"',
      'has no method route()',
    ],
    [
      'a router that throws null',
      router('route() { throw null; }'),
      use.regionRouter,
      'region router "mine"',
      'threw in route(): null was thrown',
    ],
    [
      'a router that throws what can’t be read',
      router('route() { throw { toString() { throw 1; } }; }'),
      use.regionRouter,
      'region router "mine"',
      'threw in route()',
    ],
    [
      'a factory that makes nothing',
      '{ regionRouters: { mine: () => undefined } }',
      use.regionRouter,
      'region router "mine"',
      'is nothing',
    ],
    [
      'a strategy with an unknown id',
      strategy("() => [{ endpointId: 'nowhere', targetInstances: 3, reason: 'x' }]"),
      use.strategy,
      'strategy "mine"',
      'which is no endpoint of the fleet',
    ],
    [
      'a strategy that asks for NaN',
      strategy(forFirst('NaN')),
      use.strategy,
      'strategy "mine"',
      'wants NaN as the number of instances',
    ],
    [
      'a strategy that asks for 1000',
      strategy(forFirst('1000')),
      use.strategy,
      'strategy "mine"',
      'wants 1000 as the number of instances',
    ],
    ['a strategy that asks for less than none', strategy(forFirst('-1')), use.strategy, 'strategy "mine"', 'wants -1'],
    [
      'a strategy that decides nothing at all',
      strategy('() => undefined'),
      use.strategy,
      'strategy "mine"',
      'answered with nothing',
    ],
    [
      'a strategy without a policy',
      '{ strategies: { mine: () => ({}) } }',
      use.strategy,
      'strategy "mine"',
      'has no scaling',
    ],
    [
      'a router that throws when it is looked at',
      "{ regionRouters: { mine: () => ({ get name() { throw new Error('boo'); }, route: () => 0 }) } }",
      use.regionRouter,
      'region router "mine"',
      'boo',
    ],
    [
      'a strategy whose plans are none',
      "{ strategies: { mine: () => ({ scaling: { name: 'mine', decide: () => [] }, planning: { windows: 'peak', " +
        "deferrable: 'buffer', headroom: NaN } }) } }",
      use.strategy,
      'strategy "mine"',
      'has planning that is none',
    ],
    [
      'a strategy whose plans are texts',
      "{ strategies: { mine: () => ({ scaling: { name: 'mine', decide: () => [] }, planning: { windows: 'peak', " +
        "deferrable: 'buffer', headroom: '0.1' } }) } }",
      use.strategy,
      'strategy "mine"',
      'has planning that is none',
    ],
    [
      'a strategy that plans at texts',
      "{ strategies: { mine: () => ({ scaling: { name: 'mine', decide: () => [] }, planning: { windows: 'peak', " +
        "deferrable: 'buffer', headroom: 0.1, everyMs: '600000' } }) } }",
      use.strategy,
      'strategy "mine"',
      'has planning that is none',
    ],
    ...(
      [
        [
          'minInstances of NaN',
          "[{ pool: 'a', tiers: T, share: 1, minInstances: NaN }]",
          '"a" has NaN for minInstances',
        ],
        [
          'half a minInstances',
          "[{ pool: 'a', tiers: T, share: 1, minInstances: 1.5 }]",
          '"a" has 1.5 for minInstances',
        ],
        [
          'minInstances below 0',
          "[{ pool: 'a', tiers: T, share: 1, minInstances: -5 }]",
          '"a" has -5 for minInstances',
        ],
        [
          'one name for two',
          "[{ pool: 'a', tiers: T, share: 0.5 }, { pool: 'a', tiers: T, share: 0.5 }]",
          'two are called "a"',
        ],
        ['a tier without one', "[{ pool: 'a', tiers: [T[0], T[1]], share: 1 }]", 'none takes non-interactive'],
        ['a tier that is none', "[{ pool: 'a', tiers: [...T, 'vip'], share: 1 }]", '"a" has the text "vip" for a tier'],
        ['a share that is text', "[{ pool: 'a', tiers: T, share: '1' }]", '"a" has the text "1" for its share'],
        ['none', '[]', 'a list'],
      ] as const
    ).map(
      ([what, pools, broken]) =>
        [
          `a strategy whose pools have ${what}`,
          `{ strategies: { mine: () => { const T = ['interactive-fast', 'interactive-normal', ` +
            `'non-interactive']; return { scaling: { name: 'mine', decide: () => [] }, pools: ${pools} }; } } }`,
          use.strategy,
          'strategy "mine"',
          `has pools that are none: ${broken}`,
        ] as const,
    ),
    ...(
      [
        ['5e-324', '1'],
        ['1e308', '1'],
        ['1e4', '5e-324'],
        ['1e4', '1e308'],
      ] as const
    ).map(
      ([tokens, ms]) =>
        [
          `a model of ${tokens} tokens/s and ${ms} ms`,
          `{ performanceModels: { mine: () => ({ name: 'mine', forDeployment: () => ({ kvCapacityTokens: 1e6, ` +
            `maxTokensPerS: () => ${tokens}, iterationMs: () => ${ms} }) }) } }`,
          { performance: 'mine', strategies: ['sage'] },
          'performance model "mine"',
          'has ',
        ] as const,
    ),
    [
      'a strategy whose router is none',
      "{ strategies: { mine: () => ({ scaling: { name: 'mine', decide: () => [] }, regionRouter: { route: () => " +
        '0 } }) } }',
      use.strategy,
      'strategy "mine"',
      'has no method regionRouter()',
    ],
    ...[
      'ConfigError("mine", "bad")',
      'InvariantError("mine: bad")',
      'SageServeError("ERR_FORECAST_HISTORY", "mine: bad")',
    ].flatMap((thrown) => [
      [
        `a router that throws ${thrown}`,
        `await import(${CORE}).then((core) => (${router(`route() { throw new core.${thrown}; }`)}))`,
        use.regionRouter,
        'region router "mine"',
        'threw in route(): mine: bad',
      ] as const,
      [
        `a strategy that throws ${thrown}`,
        `await import(${CORE}).then((core) => (${strategy(`() => { throw new core.${thrown}; }`)}))`,
        use.strategy,
        'strategy "mine"',
        'threw in decide(): mine: bad',
      ] as const,
    ]),
    [
      'a strategy that throws what can’t be looked at',
      strategy("() => { throw new Proxy(new Error('e'), { get() { throw 1; } }); }"),
      use.strategy,
      'strategy "mine"',
      'threw in decide(): ',
    ],
    [
      'a strategy whose decisions throw when they are looked at',
      strategy('(fleet) => [{ get endpointId() { throw new Error("look"); } }]'),
      use.strategy,
      'strategy "mine"',
      'threw in decide(): look',
    ],
    ...(
      [
        ['victims', 'victim', 'victim policy'],
        ['acquisitions', 'acquisition', 'acquisition policy'],
      ] as const
    ).flatMap(([kind, field, noun]) =>
      (['NaN', '99', "'0'"] as const).map(
        (answer) =>
          [
            `${noun} that answers ${answer}`,
            `{ strategies: { mine: () => ({ scaling: { name: 'mine', decide: ${outAndIn} } }) }, ` +
              `${kind}: { mine: () => ({ name: 'mine', choose: () => ${answer} }) } }`,
            { ...use.strategy, [field]: 'mine' },
            `${noun} "mine" of plugins[0]`,
            'answered with ',
          ] as const,
      ),
    ),
    [
      'an overflow policy that answers 1',
      "{ overflows: { mine: () => ({ name: 'mine', overflows: () => 1 }) } }",
      { strategies: ['chiron-like'], overflow: 'mine' },
      'overflow policy "mine" of plugins[0]',
      'answered with 1 where ',
    ],
    [
      'a victim policy whose method is misspelt',
      "{ victims: { mine: () => ({ name: 'mine', chose: () => 0 }) } }",
      { victim: 'mine' },
      'victim policy "mine"',
      'has no method choose()',
    ],
    [
      'a strategy that throws',
      strategy('() => { throw new Error("oops"); }'),
      use.strategy,
      'strategy "mine"',
      'threw in decide(): oops',
    ],
  ])('is told with its file and the contract, as its own mistake: %s', async (_, catalogue, fields, policy, broken) => {
    const file = await scenarioWith(catalogue, fields);
    const { code, stderr } = await run(['simulate', file]);
    expect(stderr).toContain(policy);
    expect(stderr).toContain(`.mjs)`);
    expect(stderr).toContain(broken);
    expect(stderr).toContain('hint: ');
    expect(stderr).not.toMatch(/\n +at |defect in SageServe/);
    expect(code).not.toBe(0);
  });
});

describe('a plug-in of classes', () => {
  it('keeps what its objects have from them, and their this', async () => {
    const classes = `{ strategies: { mine: () => new (class {
      #away = 0;
      get pools() { return [{ pool: 'quick', tiers: ['interactive-fast', 'interactive-normal', 'non-interactive'], share: 1 }]; }
      get scaling() { return new (class { name = 'mine'; #calls = 0; decide() { this.#calls++; return []; } })(); }
      regionRouter(otherwise) { this.#away++; return new (class { name = 'mine'; #inner = otherwise; route(...given) { return this.#inner.route(...given); } })(); }
    })() } }`;
    const { code, stdout, stderr } = await run(['simulate', await scenarioWith(classes, use.strategy), '--detail']);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    expect(stdout).toContain('quick');
  });
});

describe('a plug-in that leaves something behind', () => {
  it.each([
    ['a promise', "Promise.reject(new Error('left'))"],
    ['a timer', "setTimeout(() => { throw new Error('left'); }, 0)"],
  ])('is told when that fails: %s', async (_, leave) => {
    const { code, stderr } = await run([
      'simulate',
      await scenarioWith(router(`route() { ${leave}; return 0; }`), use.regionRouter),
    ]);
    expect(stderr).toMatch(/error: plugins\[0\] \(.*\.mjs\) left something behind that failed: left/);
    expect(stderr).not.toMatch(/\n +at |defect in SageServe/);
    expect(code).toBe(2);
  });
});

describe('a forecaster that breaks its contract', () => {
  const of = (
    fields: string,
    before = '',
  ) => `{ forecasters: { mine: () => ({ name: 'mine', minHistorySteps: 1, forecast(history, steps, { quantileLevels }) {
    ${before}
    const column = (x) => ({ mean: new Float64Array(steps).fill(x), quantiles: quantileLevels.map((level) => ({ level, values: new Float64Array(steps).fill(x + level) })) });
    const right = { ...column(2), startMs: history.startMs + history.promptTokensPerS.length * history.stepMs, stepMs: history.stepMs, method: 'mine', promptTokensPerS: column(1), outputTokensPerS: column(1) };
    return { ...right, ${fields} };
  } }) } }`;
  const forecast = async (catalogue: string) => {
    await writeFile(join(dir, `f-${made}.mjs`), `export default ${catalogue};\n`);
    return run([
      'forecast',
      'run',
      '--preset',
      'small',
      '--plugins',
      join(dir, `f-${made++}.mjs`),
      '-m',
      'mine',
      '--json',
      '--levels',
      '0.9,0.5',
    ]);
  };

  it('is not found in one that keeps it, and that writes into what it is given', async () => {
    const { code, stdout } = await forecast(of('', 'history.promptTokensPerS.fill(1e9); history.key.modelId = "x";'));
    expect(code).toBe(0);
    const [first] = (JSON.parse(stdout) as { forecasts: { model: string; method: string; quantiles: object }[] })
      .forecasts;
    expect(first).toMatchObject({ model: 'llama-2-70b', method: expect.stringMatching(/^mine/) as string });
    expect(Object.keys(first!.quantiles)).toEqual(['0.5', '0.9']);
  });

  it.each([
    ['stepMs: Infinity', 'answered with Infinity for stepMs, where the history has 600000'],
    ['startMs: 1e308', 'answered with 1e+308 for startMs, where the history ends at'],
    ['startMs: 0', 'answered with 0 for startMs'],
    ['quantiles: []', 'answered without quantile 0.5'],
    ['quantiles: right.quantiles.toReversed()', 'answered without quantile 0.5, or not in the order'],
    [
      'quantiles: right.quantiles.map((q, k) => ({ ...q, values: new Float64Array(steps).fill(9 - k) }))',
      'answered with a quantile 0.9 below quantile 0.5 in step 0',
    ],
    ['promptTokensPerS: column(1e308)', 'answered with 1e+308 in promptTokensPerS.mean'],
    ['quantiles: [...right.quantiles, null]', 'threw in forecast()'],
    ['get mean() { throw new Error("look"); }', 'threw in forecast(): look'],
    ['mean: new Float64Array(1)', 'answered with 1 steps in mean'],
  ])('is told, and covered up by nothing: %s', async (fields, broken) => {
    const { code, stderr } = await forecast(of(fields));
    expect(stderr).toContain('forecaster "mine" of --plugins[0]');
    expect(stderr).toContain(broken);
    expect(code).toBe(2);
  });
});

describe('a plug-in in the runs of a sweep', () => {
  const swept = async (catalogue: string, seeds: number): Promise<Awaited<ReturnType<typeof run>>> => {
    const file = await scenarioWith(catalogue, { ...use.regionRouter, strategies: ['static'], duration: '2m' });
    await writeFile(file.replace('.json', '.yaml'), `scenarios: [${JSON.stringify(file)}]\nseeds: ${seeds}\n`);
    return run(['sweep', file.replace('.json', '.yaml'), '--out', file.replace('.json', ''), '--cores', '1']);
  };

  it.each(["Promise.reject(new Error('soon'))", 'Promise.reject(undefined)', 'setTimeout(() => { throw null; }, 0)'])(
    'fails the run that leaves behind what fails at once, and is told once: %s',
    async (leave) => {
      const { code, stderr } = await swept(router(`route() { ${leave}; return 0; }`), 2);
      expect(code).toBe(1);
      expect(stderr).toContain('error: 2 of 2 runs failed, the first with: plugins[0] (');
      expect(stderr.split('\n').length).toBeLessThan(20);
    },
  );

  it('loses no results to what making its policies left behind, and says how a run ended its thread', async () => {
    const made = await swept(
      "{ regionRouters: { mine: () => { setTimeout(() => { throw new Error('late'); }, 150); return { name: " +
        "'mine', route: () => 0 }; } } }",
      3,
    );
    expect(made.stderr).toContain('results in ');
    const ended = await swept(router('route() { process.exit(0); }'), 1);
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringContaining('something ended its thread with process.exit(): a plug-in does not'),
    ]);
  });

  it('fails no run but the one that left something behind', async () => {
    // It fails once another run is under way.
    const leave =
      'const look = setInterval(() => { if (globalThis.atWork !== this) { clearInterval(look); throw new ' +
      'Error("late"); } }, 1)';
    const { code, stderr } = await swept(
      router(`route() { if (!this.left) { this.left = true; ${leave}; } globalThis.atWork = this; return 0; }`),
      30,
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining('after a run had ended, plugins[0] (')]);
    expect(stderr).toContain('30 runs, ');
  });

  it.each([
    ['a symbol', "throw Symbol('odd')", 'Symbol(odd) was thrown'],
    ['a function', 'throw () => 1', 'was thrown'],
    ['an object', 'throw { toString: () => "odd" }', 'odd was thrown'],
    ['an error with a function within', 'throw Object.assign(new Error("odd"), { f() {} })', 'odd'],
    ['an error that is its own cause', 'const e = new Error("odd"); e.cause = e; throw e', 'odd'],
  ])('is blamed for %s that it throws', async (_, thrown, message) => {
    const { code, stderr } = await swept(router(`route() { ${thrown}; }`), 1);
    expect(stderr).toMatch(
      /error: 1 of 1 run failed, the first with: region router "mine" of plugins\[0\] \(.*\.mjs\) threw in route\(\): /,
    );
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('defect');
    expect(code).toBe(1);
  });
});

describe('an error of SageServe’s own kinds, made by a plug-in', () => {
  it.each([
    ["new core.ConfigError('scaling', 'is wrong', { hint: 5 })", 'error: strategies.mine.scaling: is wrong'],
    ['new core.ConfigError({}, Symbol.iterator)', ''],
  ])('is told whatever it is made of: %s', async (made) => {
    const { code, stderr } = await run([
      'simulate',
      await scenarioWith(
        `await import(${CORE}).then((core) => ({ strategies: { mine: () => { throw ${made}; } } }))`,
        use.strategy,
      ),
    ]);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toMatch(/defect|is not a function/);
    expect(code).toBe(2);
  });

  it('is the plug-in’s where it was left behind', async () => {
    const catalogue =
      `await import(${CORE}).then((core) => ` +
      `(${router("route() { Promise.reject(new core.SageServeError('ERR_OUTPUT', 'disk is full')); return 0; }")}))`;
    const { code, stderr } = await run(['simulate', await scenarioWith(catalogue, use.regionRouter)]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/error: plugins\[0\] \(.*\) left something behind that failed: disk is full/),
    ]);
  });
});

describe('a plug-in that can’t be loaded', () => {
  it.each([
    ['throws when its tables are looked at', '{ get strategies() { throw null; } }', 'null was thrown'],
    ['never finishes loading', '{ strategies: await new Promise(() => {}) }', 'what is waited for never comes'],
  ])('is told: one that %s', async (_, catalogue, message) => {
    const { code, stderr } = await run(['simulate', await scenarioWith(catalogue, {})]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('defect');
    expect(code).toBe(2);
  });
});

describe('plan and forecast', () => {
  const forecaster = (
    values: string,
  ) => `{ forecasters: { mine: () => ({ name: 'mine', minHistorySteps: 1, forecast(history, steps, options) {
    const column = () => { const mean = new Float64Array(steps).fill(${values}); return { mean, quantiles: (options?.quantileLevels ?? [0.5]).map((level) => ({ level, values: mean })) }; };
    const answer = { ...column(), startMs: history.startMs + history.promptTokensPerS.length * history.stepMs, stepMs: history.stepMs, promptTokensPerS: column(), outputTokensPerS: column(), method: 'mine' };
    return { then: (resolve) => resolve(answer) };
  } }) } }`;

  it('load plug-ins like the rest, and wait for whatever can be waited for', async () => {
    const file = await scenarioWith(forecaster('4321'), {});
    const planned = await run(['plan', file, '--method', 'mine', '--json']);
    expect([planned.stderr.includes('error'), planned.code]).toEqual([false, 0]);
    const plugin = file.replace('.json', '.mjs');
    const counts = join(dir, 'counts.csv');
    await writeFile(
      counts,
      `time_s,value\n${Array.from({ length: 300 }, (_, i) => `${i * 600},${100 + (i % 7)}`).join('\n')}\n`,
    );
    const predicted = await run([
      'forecast',
      'run',
      '--counts',
      counts,
      '--plugins',
      plugin,
      '--method',
      'mine',
      '--json',
    ]);
    expect([predicted.code, predicted.stdout]).toEqual([0, expect.stringContaining('4321')]);
    const unknown = await run(['forecast', 'run', '--counts', counts, '--method', 'mine']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('"mine"')]);
  });

  it('blame a forecaster that answers with what is no number', async () => {
    const file = await scenarioWith(forecaster('NaN'), {});
    const { code, stderr } = await run(['plan', file, '--method', 'mine']);
    expect(stderr).toMatch(/forecaster "mine" of .*\.mjs\) answered with NaN in mean/);
    expect(code).not.toBe(0);
  });
});
