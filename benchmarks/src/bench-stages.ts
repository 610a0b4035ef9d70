import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';
import { buildSimulation, demandAround, measureCapacity, prepareRun, preset, simulate } from 'sageserve';
import { cpuSeconds, type Figure } from './measure.js';

const STRATEGIES = ['reactive', 'sage'] as const;
const DURATION = '12h';
const SEED = 101;
const SAMPLING_US = 250;

const STAGES = [
  'traffic',
  'arrival',
  'region routing',
  'instance routing',
  'held work',
  'batching',
  'event loop',
  'metrics',
  'control: forecasts and plans',
  'control: telemetry and scaling',
  'garbage collection',
  'other',
] as const;
type Stage = (typeof STAGES)[number];

/** What part of the work a source file does; undefined where that depends on who called. */
const STAGE_OF_FILE: readonly (readonly [RegExp, Stage | undefined])[] = [
  [/^trace\//, 'traffic'],
  [/^routing\/src\/region\//, 'region routing'],
  [/^routing\/src\/instance\//, 'instance routing'],
  [/^routing\/src\/release\//, 'held work'],
  [/^routing\/src\/batch\//, 'batching'],
  [/^sim\/src\/held-/, 'held work'],
  [/^sim\/src\/(instance-engine|batch|running-set|slot-heap)/, 'batching'],
  [/^sim\/src\/demand-telemetry/, 'metrics'],
  [/^sim\/src\/(fleet|audit|count|spot|incidents)/, 'control: telemetry and scaling'],
  [/^sim\/src\/(views|request-table|trace-names|topology)/, undefined],
  [/^perf\//, 'batching'],
  [/^metrics\//, 'metrics'],
  [/^core\/src\/indexed-heap/, 'event loop'],
  [/^(forecast|optimize)\//, 'control: forecasts and plans'],
  [/^(controller|scaling)\//, 'control: telemetry and scaling'],
];

/** The simulator's own functions. */
const STAGE_OF_FUNCTION: Readonly<Record<string, Stage>> = {
  '#arrive': 'arrival',
  '#viewOf': 'arrival',
  '#routeRegion': 'region routing',
  '#dispatch': 'instance routing',
  '#reachPool': 'instance routing',
  '#drainPoolQueue': 'instance routing',
  '#poolOfRequest': 'instance routing',
  '#withOverflow': 'instance routing',
  '#hold': 'held work',
  '#releaseTo': 'held work',
  '#servesHeld': 'held work',
  '#step': 'event loop',
  '#runBefore': 'event loop',
  consume: 'event loop',
  simulate: 'event loop',
  onSettled: 'event loop',
  onComplete: 'metrics',
  '#sample': 'metrics',
  '#scale': 'control: telemetry and scaling',
  control: 'control: telemetry and scaling',
};

/** Which source file each line of a bundle is of: the bundler says so in comments. */
const sourcesByBundle = new Map<string, readonly string[]>();
function sourceOf(url: string, line: number): string | undefined {
  const bundle = /packages\/([^/]+)\/dist\/[^/]+\.js$/.exec(url);
  if (bundle === null) return undefined;
  let sources = sourcesByBundle.get(url);
  if (sources === undefined) {
    let current = '';
    sources = readFileSync(fileURLToPath(url), 'utf8')
      .split('\n')
      .map((text) => (current = /^\/\/ (src\/\S+\.ts)$/.exec(text)?.[1] ?? current));
    sourcesByBundle.set(url, sources);
  }
  return `${bundle[1]}/${sources[line] ?? ''}`;
}

/** The stage of a frame by itself; undefined where its caller decides. */
function stageOf({ functionName, url, lineNumber }: Profiler.ProfileNode['callFrame']): Stage | undefined {
  if (functionName === '(garbage collector)') return 'garbage collection';
  const source = sourceOf(url, lineNumber);
  if (source === undefined) return undefined;
  if (source.startsWith('sim/src/simulation')) return STAGE_OF_FUNCTION[functionName];
  return STAGE_OF_FILE.find(([pattern]) => pattern.test(source))?.[1];
}

interface Costs {
  readonly requests: number;
  readonly cpuSeconds: number;
  readonly shares: Readonly<Record<Stage, number>>;
}

/**
 * One profiled run in this process: what the child processes of {@link benchStages} do. Prints
 * JSON.
 */
export async function runProfiled(strategy: string): Promise<void> {
  const scenario = { ...preset('paper-day'), seed: SEED, duration: DURATION };
  const capacity = await measureCapacity(scenario, buildSimulation(scenario, 'static'));
  const { config, trace } = await prepareRun(scenario, strategy, {
    capacity,
    demand: await demandAround(scenario, false),
  });
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  await session.post('Profiler.start');
  const start = cpuSeconds();
  const { total } = await simulate(config, trace);
  const seconds = cpuSeconds() - start;
  const { profile } = await session.post('Profiler.stop');
  console.log(
    JSON.stringify({ requests: total.arrived, cpuSeconds: seconds, shares: sharesOf(profile) } satisfies Costs),
  );
}

function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Record<Stage, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const stageById = new Map<number, Stage>();
  const resolved = (id: number): Stage => {
    const known = stageById.get(id);
    if (known !== undefined) return known;
    const own = stageOf(byId.get(id)!.callFrame);
    const parent = parentOf.get(id);
    const stage = own ?? (parent === undefined ? 'other' : resolved(parent));
    stageById.set(id, stage);
    return stage;
  };
  const micros = Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<Stage, number>;
  let total = 0;
  for (const [i, id] of samples.entries()) {
    const delta = timeDeltas[i] ?? 0;
    total += delta;
    micros[resolved(id)] += delta;
  }
  return Object.fromEntries(STAGES.map((stage) => [stage, micros[stage] / total])) as Record<Stage, number>;
}

/**
 * What each stage of the simulator's hot path costs, from a sampling profile: shares of processor
 * time, and the time of a request without the profiler's own.
 */
export function benchStages(): Figure[] {
  return STRATEGIES.flatMap((strategy): Figure[] => {
    const child = spawnSync(
      process.execPath,
      [fileURLToPath(new URL('bench.js', import.meta.url)), '--run-profiled', strategy],
      { encoding: 'utf8' },
    );
    if (child.status !== 0) throw new Error(child.stderr);
    const { requests, cpuSeconds: seconds, shares } = JSON.parse(child.stdout) as Costs;
    return [
      { name: `${strategy}: a request, with the profiler`, value: (1e6 * seconds) / requests, unit: 'CPU-µs' },
      ...STAGES.map((stage): Figure => ({
        name: `  ${strategy}, ${stage}`,
        value: 100 * shares[stage],
        unit: `% = ${Math.round((1e9 * seconds * shares[stage]) / requests)} ns`,
      })),
    ];
  });
}
