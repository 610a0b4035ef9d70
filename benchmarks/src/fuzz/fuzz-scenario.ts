import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSimulation, buildTraffic, DEFAULT_CATALOGUE, readScenario, type Rng, simulate } from 'sageserve';
import { chance, mutateBytes, ODD_NUMBERS, ODD_TEXT, pick, whole } from './mutate.js';

/** Requests that a scenario may have and still be simulated here. */
const MOST_REQUESTS = 3_000;
const STRATEGIES = ['static', 'reactive', 'siloed', 'chiron-like'];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A scenario that runs, with choices of its own. */
function soundScenario(rng: Rng): { [key: string]: Json } {
  return {
    name: 'fuzz',
    seed: whole(rng, 1e6),
    duration: pick(rng, ['2m', '10m', 300]),
    traffic: {
      requestsPerDay: pick(rng, [1_000, 50_000, 200_000]),
      tiers: pick(rng, [
        { 'interactive-fast': 1 },
        { 'non-interactive': 1 },
        { 'interactive-fast': 1, 'interactive-normal': 1, 'non-interactive': 1 },
      ]),
      ...(chance(rng, 0.2) ? { burst: { every: '1h', length: '1m', factor: 4 } } : {}),
      ...(chance(rng, 0.3)
        ? {
            promptTokens: [
              [0, 1],
              [0.9, 2_000],
              [1, 20_000],
            ],
            outputTokens: [
              [0, 1],
              [1, 300],
            ],
          }
        : {}),
    },
    regions: [
      { name: 'r0', share: 1, phaseHours: 0, gpus: { 'h100-80gb': 32, 'a100-80gb': 8 } },
      { name: 'r1', share: pick(rng, [0, 2]), gpus: { 'h100-80gb': 16, 'a100-80gb': 8 } },
    ],
    skus: [
      { name: 'h100-80gb', usdPerGpuHour: 1, reclaim: '1s', redeploy: '10s', newVm: '30s' },
      { name: 'a100-80gb', usdPerGpuHour: 4, reclaim: '0s', redeploy: '10s', newVm: '1m' },
    ],
    models: [
      {
        name: 'llama-2-70b',
        share: 3,
        deployments: [
          { sku: 'h100-80gb', gpusPerInstance: 4, initialInstances: 2, minInstances: whole(rng, 2), maxInstances: 4 },
        ],
      },
      {
        name: 'llama-3.1-8b',
        share: 1,
        deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, initialInstances: 1, minInstances: 0, maxInstances: 6 }],
      },
    ],
    incidents: pick(rng, [
      [],
      [{ kind: 'region-outage', at: '1m', duration: '30s', region: 'r0' }],
      [{ kind: 'telemetry-outage', at: '10s', duration: '1m' }],
      [{ kind: 'eviction', at: '20s', region: 'r0', sku: 'h100-80gb', instances: 1 }],
    ]),
    strategies: [pick(rng, STRATEGIES)],
    regionRouter: pick(rng, ['utilization', 'least-utilized', 'origin-only']),
    batchScheduler: pick(rng, ['fcfs', 'edf', 'pf', 'dpa']),
    engine: pick(rng, [
      {},
      { maxBatchTokens: 512, maxBatchRequests: 64 },
      { like: 'paper' },
      { like: 'artifact' },
      { chunkMs: 20 },
      { kvAllocation: 'reserve' },
    ]),
  };
}

/** Something odd in the place of a field, or a field more. */
function spoil(rng: Rng, value: { [key: string]: Json }): void {
  let at: Json[] | { [key: string]: Json } = value;
  for (;;) {
    const keys: (string | number)[] = Array.isArray(at) ? at.map((_, i) => i) : Object.keys(at);
    if (keys.length === 0) return;
    const key = pick(rng, keys);
    const inner: Json = (at as never)[key];
    if (typeof inner === 'object' && inner !== null && chance(rng, 0.8)) {
      at = inner;
      continue;
    }
    const odd = pick<Json>(rng, [
      pick(rng, ODD_NUMBERS.filter(Number.isFinite)),
      pick(rng, ODD_TEXT),
      pick(rng, ['1e9d', '0s', '99999999999w', '5ms', '1h']),
      null,
      true,
      [],
      {},
      [[]],
      -1,
      1e9,
    ]);
    if (chance(rng, 0.1) && !Array.isArray(at)) at[pick(rng, ODD_TEXT) || 'x'] = odd;
    else if (chance(rng, 0.1) && Array.isArray(at)) at.splice(0, at.length);
    else (at as never as Record<string | number, Json>)[key] = odd;
    return;
  }
}

/** Nodes, names and aliases of YAML that are right one by one, and many together. */
function manyNodes(rng: Rng): string {
  const n = pick(rng, [1_000, 10_000, 100_000]);
  const list = (item: (i: number) => string): string => `[${Array.from({ length: n }, (_, i) => item(i)).join(', ')}]`;
  return pick(rng, [
    () => list(() => 'a'),
    () => list((i) => (i === 0 ? '&a 1' : '*a')),
    () => list((i) => (i % 2 === 0 ? `&a${i} 1` : `*a${i - 1}`)),
    () => list(() => '{}'),
  ])();
}

/**
 * A scenario file with odd fields: read, built, and where it is small enough simulated with every
 * invariant checked.
 */
export async function fuzzScenario(rng: Rng, folder: string): Promise<unknown> {
  const scenario = soundScenario(rng);
  const oddities = pick(rng, [0, 1, 1, 1, 2, 4]);
  for (let n = 0; n < oddities; n++) spoil(rng, scenario);
  let text = JSON.stringify(scenario, null, 1);
  if (chance(rng, 0.1)) text = new TextDecoder().decode(mutateBytes(rng, Buffer.from(text)));
  if (chance(rng, 0.05))
    text = text.replace(
      /\d+/,
      pick(rng, ['.inf', '.nan', '-.inf', '*x', '&a [*a]', '!!binary x', '!!float 1e400', '0o17', '2024-01-01']),
    );
  if (chance(rng, 0.004)) text = `${JSON.stringify(scenario)}\n`.replace(/\}\n$/, `, "more": ${manyNodes(rng)} }`);
  const path = join(folder, 'in.yaml');
  await writeFile(path, text);
  const read = await readScenario(path);
  const choice = read.strategies[0]!;
  const name = typeof choice === 'string' ? choice : choice.name;
  const config = buildSimulation(read, choice, DEFAULT_CATALOGUE);
  // A strategy that plans runs in a loop of its own, which the tests of the command drive; and long
  // runs are not for here.
  const requests = ((read.traffic.requestsPerDay ?? 0) * (config.durationMs ?? 0)) / 86_400_000;
  if (
    !STRATEGIES.includes(name) ||
    read.traffic.trace !== undefined ||
    requests > MOST_REQUESTS ||
    (config.durationMs ?? 0) / (config.scalingIntervalMs ?? 1_000) > 20_000
  )
    return undefined;
  return simulate(config, await buildTraffic(read), { audit: true });
}
