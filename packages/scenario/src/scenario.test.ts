import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simulate } from '@sageserve/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_CATALOGUE, parseDurationMs } from '@sageserve/fleet';
import { preset, PRESET_NAMES } from './presets/presets.js';
import { buildSimulation, buildTraffic } from './build.js';
import { parseScenario, readScenario } from './parse.js';
import { type ScenarioInput, scenarioJsonSchema } from './schema.js';

const minimal: ScenarioInput = {
  duration: '10m',
  traffic: { requestsPerDay: 100_000 },
  regions: [{ name: 'eastus', gpus: { 'a100-80gb': 8 } }],
  skus: [{ name: 'a100-80gb' }],
  models: [
    {
      name: 'llama-3.1-8b',
      deployments: [{ sku: 'a100-80gb', gpusPerInstance: 2, initialInstances: 2, maxInstances: 4 }],
    },
  ],
};

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-scenario-'));
});
afterAll(() => rm(dir, { recursive: true }));

describe('parseScenario', () => {
  it('fills in defaults', () => {
    expect(parseScenario(minimal)).toMatchObject({
      name: 'scenario',
      seed: 1,
      regionRouter: 'utilization',
      instanceRouter: 'least-outstanding-tokens',
      strategies: ['reactive'],
      models: [{ share: 1, deployments: [{ minInstances: 2 }] }],
    });
  });

  const wrong: readonly (readonly [string, object, string])[] = [
    ['a field that does not exist', { ...minimal, regoins: [] }, 'regoins: is not a field of the scenario'],
    [
      'what is said of traffic that a trace takes the place of',
      { ...minimal, traffic: { trace: 'a.csv', levels: [{ at: 0, factor: 2 }] } },
      'traffic.levels: is of generated traffic, and this replays a trace',
    ],
    [
      'a burst that begins too late to end',
      {
        ...minimal,
        traffic: { requestsPerDay: 1, burst: { every: '1m', offset: '50s', length: '20s', factor: 2 } },
      },
      'traffic.burst.offset: leaves a burst of 20s no room before the next, which comes every 1m',
    ],
    [
      'levels out of order',
      {
        ...minimal,
        traffic: {
          requestsPerDay: 1,
          levels: [
            { at: '2h', factor: 2 },
            { at: '90m', factor: 1 },
          ],
        },
      },
      'traffic.levels[1].at: must be after the level before it, at 2h',
    ],
    [
      'a nested one',
      { ...minimal, traffic: { requestsPerDay: 1, burst: { every: '1h', length: '1m', factor: 2, typo: 1 } } },
      'traffic.burst.typo: is not a field of the scenario',
    ],
    [
      'a wrong type',
      { ...minimal, regions: [{ name: 'eastus', gpus: { 'a100-80gb': 'many' } }] },
      'regions[0].gpus.a100-80gb: invalid input: expected number, received string',
    ],
    [
      'a duration that is none',
      { ...minimal, duration: 'long' },
      'duration: must be a duration such as 90s, 15m, 24h or 7d',
    ],
    ['no regions', { ...minimal, regions: [] }, 'regions: '],
  ];
  for (const [name, input, message] of wrong)
    it(`refuses ${name} with its path`, () => expect(() => parseScenario(input as ScenarioInput)).toThrow(message));
});

describe('buildSimulation', () => {
  const build = (change: Partial<ScenarioInput>, strategy = 'reactive') =>
    buildSimulation(parseScenario({ ...minimal, ...change }), strategy);
  const deployment = { sku: 'a100-80gb', gpusPerInstance: 2, initialInstances: 2, maxInstances: 4 };

  it('refuses an impossible scenario before the run, with the field’s path', () => {
    expect(() =>
      build({ models: [{ name: 'bloom-176b', deployments: [{ ...deployment, gpusPerInstance: 2 }] }] }),
    ).toThrow('models[0].deployments[0].gpusPerInstance: bloom-176b does not fit 2 × a100-80gb');
    expect(() =>
      build({ models: [{ name: 'llama-3.1-8b', deployments: [{ ...deployment, minInstances: 9 }] }] }),
    ).toThrow('models[0].deployments[0].minInstances: 9 is above maxInstances (4)');
    expect(() =>
      build({ models: [{ name: 'llama-3.1-8b', deployments: [{ ...deployment, initialInstances: 9 }] }] }),
    ).toThrow('models[0].deployments[0].initialInstances: 9 is not from minInstances to maxInstances (2–4)');
    expect(() => build({ engine: { maxBatchTokens: 10, unlimitedBatchTokens: true } })).toThrow(
      'engine.maxBatchTokens: contradicts unlimitedBatchTokens',
    );
    expect(() => build({ regions: [{ name: 'eastus', gpus: {} }] })).toThrow(
      'regions[0].gpus.a100-80gb: eastus has 0 GPUs of a100-80gb; the initial instances need 4',
    );
    expect(() => build({ models: [{ name: 'llama-3.1-8b', deployments: [{ ...deployment, sku: 'tpu' }] }] })).toThrow(
      'models[0].deployments[0].sku: "tpu" is not a SKU of the scenario',
    );
    expect(() => build({ models: [{ name: 'gpt-9', deployments: [deployment] }] })).toThrow(
      'models[0].deployments[0]: unknown model "gpt-9"',
    );
    expect(() => build({ models: [{ name: 'llama-3.1-8b', regions: ['mars'], deployments: [deployment] }] })).toThrow(
      'models[0].regions: "mars" is not a region of the scenario',
    );
    expect(() => build({ regions: [minimal.regions[0]!, minimal.regions[0]!] })).toThrow(
      'regions[1].name: "eastus" stands twice',
    );
  });

  it('refuses what no machine could hold before anything is allocated, with the field’s path', () => {
    const many = (fields: object) =>
      build({ models: [{ name: 'llama-3.1-8b', deployments: [{ ...deployment, ...fields }] }] });
    expect(() => many({ maxInstances: 100_000_000 })).toThrow('models[0].deployments[0].maxInstances');
    const hosts = { regions: ['eastus', 'westus'].map((name) => ({ name, gpus: { 'a100-80gb': 1e6 } })) };
    const wide = {
      ...hosts,
      models: [{ name: 'llama-3.1-8b', deployments: [{ ...deployment, maxInstances: 25_001 }] }],
    };
    // As many as there are GPUs for: the largest number may stand for no limit.
    const few = { ...wide, regions: ['eastus', 'westus'].map((name) => ({ name, gpus: { 'a100-80gb': 40 } })) };
    expect(() => build(few)).not.toThrow();
    expect(() => build(wide)).toThrow(
      'models[0].deployments[0].maxInstances: makes up to 50002 instances in all; the most is 50000',
    );
    expect(() => many({ initialSpotInstances: 100_000_000 })).toThrow('models[0].deployments[0].initialSpotInstances');
    expect(() => build({ duration: '1e9d' })).toThrow('duration');
    expect(() => build({ duration: '300y' })).toThrow('duration');
    expect(() => build({ traffic: { requestsPerDay: 1e15 } })).toThrow('traffic.requestsPerDay');
    expect(() => build({ traffic: { requestsPerDay: Infinity } })).toThrow('traffic.requestsPerDay');
    expect(() => build({ regions: [{ name: 'eastus', gpus: { 'a100-80gb': 1e300 } }] })).toThrow(
      'regions[0].gpus.a100-80gb',
    );
  });

  it('lists the known policies for an unknown one, and the options of a known one', () => {
    expect(() => build({}, 'magic')).toThrow('unknown strategy "magic"');
    expect(() => buildSimulation(parseScenario(minimal), { name: 'hpa', typo: 1 })).toThrow(
      'strategies.hpa.typo: is not an option of this policy',
    );
    expect(() => build({ regionRouter: 'nearest' })).toThrow('unknown region router "nearest"');
    expect(() => build({ regionRouter: { name: 'utilization', treshold: 0.5 } })).toThrow(
      'regionRouter.treshold: is not an option of this policy',
    );
    expect(() => build({ regionRouter: { name: 'utilization', threshold: 'high' } })).toThrow(
      'regionRouter.threshold: must be a number, not "high"',
    );
    expect(() => build({ regionRouter: { name: 'utilization', threshold: 7 } })).toThrow(
      'regionRouter.threshold: must be above 0 and at most 1, not 7',
    );
    expect(() => build({ regionRouter: { name: 'weighted', weights: { eastus: { mars: 1 } } } })).toThrow(
      'regionRouter.weights.eastus.mars: is not a region of the fleet',
    );
    expect(() => build({ regionRouter: { name: 'weighted', weights: { eastus: { eastus: 0 } } } })).toThrow(
      'regionRouter.weights.eastus: needs at least one weight above 0',
    );
  });

  it('splits a siloed fleet sixteen to four and keeps its total', () => {
    const config = buildSimulation(preset('paper-day'), 'siloed');
    expect(config.endpoints).toHaveLength(24);
    for (const pool of ['interactive', 'batch'])
      expect(new Set(config.endpoints.filter((e) => e.pool === pool).map((e) => e.maxInstances))).toEqual(
        new Set([pool === 'interactive' ? 16 : 4]),
      );
    const total = (strategy: string) =>
      buildSimulation(preset('paper-day'), strategy).endpoints.reduce(
        (sum, e) => sum + e.initialInstances + (e.initialSpotInstances ?? 0),
        0,
      );
    for (const strategy of ['siloed', 'chiron-like']) expect(total(strategy)).toBe(total('reactive'));
  });

  it('builds every preset under every strategy that fits it', () => {
    for (const name of PRESET_NAMES)
      for (const strategy of Object.keys(DEFAULT_CATALOGUE.strategies))
        expect(buildSimulation(preset(name), strategy).endpoints.length).toBeGreaterThan(0);
  });

  it('takes policies that a user adds to the catalogue', async () => {
    let asked = 0;
    const catalogue = {
      ...DEFAULT_CATALOGUE,
      regionRouters: {
        ...DEFAULT_CATALOGUE.regionRouters,
        first: () => ({ name: 'first', route: () => (asked++, 0) }),
      },
    };
    const scenario = parseScenario({ ...minimal, regionRouter: 'first' });
    const result = await simulate(buildSimulation(scenario, 'static', catalogue), await buildTraffic(scenario), {
      audit: true,
    });
    expect(asked).toBe(result.total.arrived);
  });
});

describe('readScenario', () => {
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, text);
    return path;
  };

  it('reads YAML and JSON alike, a trace relative to the file', async () => {
    const yaml =
      `regions:\n  - name: eastus\n    gpus: { a100-80gb: 8 }\nskus: [{ name: a100-80gb }]\nmodels:\n  - name: ` +
      `llama-3.1-8b\n    deployments: [{ sku: a100-80gb, gpusPerInstance: 2 }]\ntraffic: { trace: traces/mine.csv ` +
      `}\n`;
    const scenario = await readScenario(await write('s.yaml', yaml));
    expect(scenario.traffic.trace).toBe(join(dir, 'traces/mine.csv'));
    expect(await readScenario(await write('s.json', JSON.stringify(minimal)))).toEqual(parseScenario(minimal));
  });

  it('names line and column of a syntax error', async () => {
    await expect(readScenario(await write('broken.yaml', 'regions:\n  - name: [eastus\n'))).rejects.toThrow(
      /broken\.yaml:\d+:\d+: /,
    );
    await expect(
      readScenario(
        await write(
          'field.yaml',
          'name: x\nregions:\n  - { name: eastus, gpus: { a100-80gb: 8 }, sharre: 2 }\nskus: [{ name: a100-80gb ' +
            '}]\nmodels: []\n',
        ),
      ),
    ).rejects.toThrow(/field\.yaml:3:\d+: regions\[0\]\.sharre: is not a field/);
    await expect(readScenario(join(dir, 'absent.yaml'))).rejects.toThrow('there is no such file');
  });
});

describe('schema', () => {
  it('describes what a scenario may hold, for editors', () => {
    const schema = scenarioJsonSchema() as { properties: Record<string, unknown>; required: string[] };
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining(['regions', 'models', 'skus', 'traffic', 'strategies']),
    );
    expect(schema.required).toEqual(['regions', 'skus', 'models']);
  });

  it('reads durations', () => {
    expect(['250ms', '90s', '15m', '24h', '7d', '2w', 30, '1.5 h'].map(parseDurationMs)).toEqual([
      250, 90_000, 900_000, 86_400_000, 604_800_000, 1_209_600_000, 30_000, 5_400_000,
    ]);
    expect(['', '5', 'h', -1, '1y'].map(parseDurationMs)).toEqual(Array(5).fill(undefined));
  });
});
