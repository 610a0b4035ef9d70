import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, DEFAULT_ACQUISITION, DEFAULT_NETWORK_RTT_MS, type SageServeError } from '@sageserve/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildFleet, buildFleetSpec } from './build-fleet.js';
import { DEFAULT_CATALOGUE } from './catalogue.js';
import { type FleetInput, fleetJsonSchema } from './fleet-schema.js';
import { loadPlugins } from './plugins.js';
import { parseFleet, readFleet } from './read-fleet.js';

const FLEET = `
name: two-regions
regions:
  - { name: eastus, gpus: { h100-80gb: 32, a100-80gb: 16 } }
  - { name: westus, gpus: { h100-80gb: 24 } }
skus:
  - { name: h100-80gb, usdPerGpuHour: 12.29 }
  - { name: a100-80gb, usdPerGpuHour: 4, newVm: 30m }
models:
  - name: llama-3.1-8b
    deployments: [{ sku: a100-80gb, gpusPerInstance: 1, initialInstances: 2, maxInstances: 8 }]
    regions: [eastus]
  - name: llama-2-70b
    deployments: [{ sku: h100-80gb, gpusPerInstance: 4, initialInstances: 3, minInstances: 1, maxInstances: 6 }]
strategies: [sage]
`;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-fleet-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function written(text: string): Promise<string> {
  const file = join(dir, 'fleet.yaml');
  await writeFile(file, text);
  return file;
}

async function failure(text: string): Promise<SageServeError> {
  const file = await written(text);
  return readFleet(file).then(
    () => {
      throw new Error('was read without an error');
    },
    (error: unknown) => error as SageServeError,
  );
}

describe('a fleet file', () => {
  it('describes regions, models and SKUs, with defaults filled in', async () => {
    const spec = buildFleetSpec(await readFleet(await written(FLEET)));
    expect(spec.regions).toEqual(['eastus', 'westus']);
    expect(spec.models).toEqual(['llama-3.1-8b', 'llama-2-70b']);
    expect(spec.skus).toEqual([
      { skuId: 'h100-80gb', usdPerGpuHour: 12.29, ...DEFAULT_ACQUISITION },
      { skuId: 'a100-80gb', usdPerGpuHour: 4, ...DEFAULT_ACQUISITION, newVmMs: 1_800_000 },
    ]);
    expect(spec.gpuCapacity).toEqual([
      [32, 16],
      [24, 0],
    ]);
    expect(spec.networkRttMs).toEqual([
      [0, DEFAULT_NETWORK_RTT_MS],
      [DEFAULT_NETWORK_RTT_MS, 0],
    ]);
    expect(spec.endpoints.map((e) => [e.region, e.model, e.sku, e.pool, e.gpusPerInstance])).toEqual([
      ['eastus', 'llama-3.1-8b', 'a100-80gb', 'shared', 1],
      ['eastus', 'llama-2-70b', 'h100-80gb', 'shared', 4],
      ['westus', 'llama-2-70b', 'h100-80gb', 'shared', 4],
    ]);
    const [small, large] = spec.endpoints;
    expect(small).toMatchObject({ initialInstances: 2, initialSpotInstances: 0, minInstances: 2, maxInstances: 8 });
    expect(large).toMatchObject({ initialInstances: 3, minInstances: 1, maxInstances: 6 });
    expect(small!.performance.kvCapacityTokens).toBeGreaterThan(0);
  });

  it('lays endpoints out in the pools of a strategy, and makes the policies that it names', async () => {
    const fleet = await readFleet(await written(FLEET));
    const { spec, policies, objectives, strategy } = buildFleet(fleet, 'siloed');
    expect(new Set(spec.endpoints.map(({ pool }) => pool)).size).toBe(2);
    expect(policies.scaling).toBe(strategy.scaling);
    expect(policies.regionRouter.name).toBe('utilization');
    expect(objectives['interactive-fast'].ttftMs).toBeGreaterThan(0);
    expect(buildFleet(fleet, fleet.strategies[0]!).strategy.planning).toBeDefined();
  });

  it.each([
    ['colour: red\n', 'fleet.yaml:15:9: colour: is not a field of the fleet', undefined],
    ['traffic: { requestsPerDay: 1000 }\n', 'fleet.yaml:15:10: traffic: is not a field of the fleet', 'a scenario'],
    ['duration: 24h\n', 'fleet.yaml:15:11: duration: is not a field of the fleet', 'no traffic'],
  ])('is refused with %s', async (more, message, hint) => {
    const error = await failure(`${FLEET.trim()}\n${more}`);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(message);
    if (hint === undefined) expect(error.hint).toBeUndefined();
    else expect(error.hint).toContain(hint);
  });

  it('is refused where a region says what traffic comes from it', async () => {
    const error = await failure(FLEET.replace('name: eastus,', 'name: eastus, share: 2,'));
    expect(error.message).toContain('regions[0].share: is not a field of the fleet');
    expect(error.hint).toContain('a scenario');
  });

  it('is refused where it names what it does not have', () => {
    const fleet = (change: Partial<FleetInput>) =>
      parseFleet({
        regions: [{ name: 'a', gpus: { 'h100-80gb': 80 } }],
        skus: [{ name: 'h100-80gb' }],
        models: [{ name: 'llama-2-70b', deployments: [{ sku: 'h100-80gb', gpusPerInstance: 4 }] }],
        ...change,
      });
    expect(() =>
      buildFleetSpec(fleet({ models: [{ name: 'llama-2-70b', deployments: [{ sku: 'z', gpusPerInstance: 4 }] }] })),
    ).toThrow('models[0].deployments[0].sku: "z" is not a SKU of the fleet');
    expect(() => buildFleetSpec(fleet({ regionRouter: 'nobody' }))).toThrow('unknown region router "nobody"');
    expect(() => buildFleetSpec(fleet({}), 'nobody')).toThrow('unknown strategy "nobody"');
  });

  it('finds its plug-ins beside it', async () => {
    await mkdir(join(dir, 'plugins'), { recursive: true });
    await writeFile(
      join(dir, 'plugins', 'mine.mjs'),
      "export default { regionRouters: { mine: () => ({ name: 'mine', route: () => -1 }) } };",
    );
    const fleet = await readFleet(await written(`${FLEET}plugins: [./plugins/mine.mjs]\nregionRouter: mine\n`));
    const catalogue = await loadPlugins(fleet, undefined, DEFAULT_CATALOGUE);
    expect(buildFleet(fleet, 'static', { catalogue }).policies.regionRouter.name).toBe('mine');
  });

  it('that is not there, or is a folder, is an error that says so', async () => {
    for (const [file, reason] of [
      [join(dir, 'nothing.yaml'), 'there is no such file'],
      [dir, 'it is a folder'],
    ] as const)
      await expect(readFleet(file)).rejects.toMatchObject({
        code: 'ERR_FLEET_FILE',
        message: `can't read the fleet ${file}: ${reason}`,
      });
  });

  it('has a schema for editors, without traffic', () => {
    const { properties, required } = fleetJsonSchema() as { properties: object; required: string[] };
    expect(required.toSorted()).toEqual(['models', 'regions', 'skus']);
    expect(properties).not.toHaveProperty('traffic');
  });
});
