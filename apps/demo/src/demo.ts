/**
 * The full multi-timescale controller, put together from single packages: a week of traffic for two
 * models in two regions, once under reactive scaling and once under forecast, plan, scaling and
 * routing that work together. Everything below the line "one run" is what runs live too: only
 * telemetry and actuator come from the simulator here.
 *
 * node demo.js [days]
 */
import { createControlLoop, type JournalEntry, type PlanningInput } from '@sageserve/controller';
import {
  type CountedEndpoint,
  DEFAULT_ACQUISITION,
  isCounted,
  modelId,
  MS_PER_DAY,
  MS_PER_HOUR,
  PlacementGrid,
  type PlacementPlan,
  type PlacementProblem,
  regionId,
  createRng,
  type ScalingPolicy,
  skuId,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import { createAutoForecaster, createSeasonalNaiveForecaster } from '@sageserve/forecast';
import { DemandRecorder } from '@sageserve/metrics';
import { createPlacementOptimizer, demandWindows } from '@sageserve/optimize';
import { createMeasuredPerformanceModel } from '@sageserve/perf';
import {
  createHeadroomRelease,
  createLeastOutstandingTokensRouter,
  createNoOverflow,
  createPfScheduler,
  createPlannedRouter,
  createUtilizationRouter,
} from '@sageserve/routing';
import {
  createCheapestFirstAcquisition,
  createLeastWorkLostVictim,
  createReactiveScaling,
  createSageScaling,
  withRelativeUtilization,
} from '@sageserve/scaling';
import { simulate, type SimulationConfig, type SimulationResult } from '@sageserve/sim';
import { generateO365Trace, type O365TraceOptions } from '@sageserve/trace';

const days = Number(process.argv[2] ?? 7);
if (!(days > 0 && days <= 28)) {
  console.error(`usage: demo [days, up to 28], not ${process.argv[2]}`);
  process.exit(2);
}

// ── The fleet ────────────────────────────────────────────────────────────────────────────────────
const HISTORY_DAYS = 3;
const regions = ['eastus', 'westus'].map(regionId);
const sku = skuId('h100-80gb');
const USD_PER_GPU_HOUR = 12.29;
const performance = createMeasuredPerformanceModel();
/**
 * How full each model's instances may get before interactive requests wait: throughput and KV
 * memory at the knee, as a load test finds them.
 */
const models = [
  { id: modelId('bloom-176b'), gpus: 8, share: 0.5, knee: { throughput: 0.75, kv: 0.7 } },
  { id: modelId('llama-2-70b'), gpus: 4, share: 0.5, knee: { throughput: 0.8, kv: 0.3 } },
].map((model) => ({
  ...model,
  speed: performance.forDeployment({ modelId: model.id, skuId: sku, gpusPerInstance: model.gpus }),
}));
const modelOf = (id: string): (typeof models)[number] => models.find((model) => model.id === id)!;

const fleet: Omit<SimulationConfig, 'policies'> = {
  regions,
  models: models.map(({ id }) => id),
  skus: [{ skuId: sku, usdPerGpuHour: USD_PER_GPU_HOUR, ...DEFAULT_ACQUISITION }],
  endpoints: models.flatMap(({ id, gpus, speed }) =>
    regions.map((region) => ({
      region,
      model: id,
      sku,
      pool: 'shared',
      tiers: WORKLOAD_TIERS,
      gpusPerInstance: gpus,
      performance: speed,
      initialInstances: 4,
      initialSpotInstances: 6,
      minInstances: 2,
      maxInstances: 10,
    })),
  ),
  gpuCapacity: regions.map(() => [120]),
  networkRttMs: [
    [0, 60],
    [60, 0],
  ],
  durationMs: days * MS_PER_DAY,
};

// ── Traffic: the Azure 2024 week's shape, from Monday, and three days before it as history ───────
const traffic: O365TraceOptions = {
  seed: 1,
  durationMs: days * MS_PER_DAY,
  requestsPerDay: 2_000_000,
  regions: [
    { name: 'eastus', share: 0.65 },
    { name: 'westus', share: 0.35, phaseHours: 3 },
  ],
  models: models.map(({ id, share }) => ({ name: id, share })),
  // Tokens of Azure's 2023 conversation trace (CC-BY-4.0).
  promptTokens: [
    [0.05, 181],
    [0.25, 396],
    [0.5, 1020],
    [0.75, 1189],
    [0.95, 4083],
    [0.99, 4142],
  ],
  outputTokens: [
    [0.05, 41],
    [0.25, 85],
    [0.5, 129],
    [0.75, 395],
    [0.95, 451],
    [0.99, 601],
  ],
};

const recorders = models.flatMap(({ id }) =>
  regions.map((region) => new DemandRecorder({ modelId: id, regionId: region })),
);
const before = generateO365Trace({
  ...traffic,
  durationMs: HISTORY_DAYS * MS_PER_DAY,
  startHourOfWeek: 24 - 24 * HISTORY_DAYS,
});
let seenMs = 0;
for await (const batch of before.batches()) {
  for (let i = 0; i < batch.length; i++) {
    for (; seenMs <= batch.arrivedAtMs[i]!; seenMs += 60_000)
      for (const recorder of recorders) recorder.observedUntil(seenMs);
    if (WORKLOAD_TIERS[batch.tier[i]!] !== 'non-interactive')
      recorders[batch.model[i]! * regions.length + batch.originRegion[i]!]!.record(
        batch.arrivedAtMs[i]!,
        batch.promptTokens[i]!,
        batch.outputTokens[i]!,
      );
  }
}
for (const recorder of recorders) recorder.observedUntil(HISTORY_DAYS * MS_PER_DAY);
const history = recorders.map((recorder) => recorder.series(HISTORY_DAYS * MS_PER_DAY));

/** The hourly question to the integer program, from what the controller sees. */
function placementProblem({ fleet: seen, forecasts, mix, backlog }: PlanningInput): PlacementProblem {
  const [M, R] = [models.length, regions.length];
  const grid = (m: number, r: number, k: number, of: (m: number, r: number, k: number) => number): PlacementGrid => {
    const filled = new PlacementGrid(m, r, k);
    for (let a = 0; a < m; a++)
      for (let b = 0; b < r; b++) for (let c = 0; c < k; c++) filled.set(a, b, c, of(a, b, c));
    return filled;
  };
  const endpoint = (m: number, r: number): CountedEndpoint =>
    seen.endpoints.filter(isCounted).find((e) => e.modelId === models[m]!.id && e.regionId === regions[r])!;
  const speedOf = (m: number): number => {
    const shape = mix.get(models[m]!.id);
    return shape === undefined ? 0 : Math.floor(models[m]!.speed.maxTokensPerS(shape) * models[m]!.knee.throughput);
  };
  return {
    models: fleet.models,
    regions,
    skus: [sku],
    current: grid(M, R, 1, (m, r) => endpoint(m, r).readyInstances + endpoint(m, r).provisioningInstances),
    minInstances: grid(M, R, 1, (m, r) => endpoint(m, r).minInstances),
    maxInstances: grid(M, R, 1, (m, r) => endpoint(m, r).maxInstances),
    tokensPerSPerInstance: grid(M, 1, 1, speedOf),
    gpusPerInstance: grid(M, 1, 1, (m) => models[m]!.gpus),
    gpuCapacity: grid(1, R, 1, (_, r) => seen.capacity![r]!.gpuCapacity!),
    usdPerInstanceHour: grid(M, 1, 1, (m) => models[m]!.gpus * USD_PER_GPU_HOUR),
    startUsd: grid(M, 1, 1, (m) => models[m]!.gpus * USD_PER_GPU_HOUR * (DEFAULT_ACQUISITION.reclaimMs / MS_PER_HOUR)),
    localShare: 0.8,
    ...demandWindows(fleet.models, regions, forecasts, { demandQuantile: 0.5 }),
    flowUsdPerMillionTokens: grid(M, R, R, (_, from, to) => (from === to ? 0 : 0.006)),
    deferrable: backlog
      .filter((queue) => queue.requests > 0)
      .map(({ modelId: id, promptTokens }) => ({
        modelId: id,
        tokens: Math.round(1.1 * promptTokens),
        dueInMs: 4 * MS_PER_HOUR,
      })),
  };
}

// ── One run ──────────────────────────────────────────────────────────────────────────────────────
interface Run {
  readonly name: string;
  readonly result: SimulationResult;
  readonly journal: readonly JournalEntry[];
}

async function run(name: string, scalingPolicy: ScalingPolicy, planned: boolean): Promise<Run> {
  const journal: JournalEntry[] = [];
  let plan: PlacementPlan | undefined;
  const kvLimit =
    (factor: number) =>
    (id: string): number =>
      factor * modelOf(id).knee.kv;
  const utilizationRouter = createUtilizationRouter({ threshold: kvLimit(1.3) });
  const trace = generateO365Trace({ ...traffic, warmupMs: HISTORY_DAYS * MS_PER_DAY });
  const result = await simulate(
    {
      ...fleet,
      demandHistory: history,
      policies: {
        // Milliseconds: where each request goes, and when work that can wait is let in.
        regionRouter: planned
          ? createPlannedRouter({
              plan: () => plan,
              otherwise: utilizationRouter,
              threshold: kvLimit(1.3),
              rng: createRng('planned-router'),
            })
          : utilizationRouter,
        instanceRouter: createLeastOutstandingTokensRouter(),
        batchScheduler: createPfScheduler(),
        release: createHeadroomRelease({ kvUnder: kvLimit(1) }),
        overflow: createNoOverflow(),
        // Seconds to minutes: when an endpoint grows or shrinks.
        scaling: scalingPolicy,
        // And then which instance goes, or in which way one is had.
        victim: createLeastWorkLostVictim(),
        acquisition: createCheapestFirstAcquisition(),
      },
      control: (ports) =>
        createControlLoop({
          ...ports,
          scalingPolicy,
          journal: { append: (entry) => void journal.push(entry) },
          onPlan: (next) => (plan = next),
          // Every hour: what comes, and what to hold for it.
          ...(planned
            ? {
                planning: {
                  forecaster: createAutoForecaster(),
                  fallbackForecaster: createSeasonalNaiveForecaster(),
                  optimizer: createPlacementOptimizer({ solver: 'heuristic' }),
                  problem: placementProblem,
                  windows: 'each',
                  demandQuantile: 0.5,
                  epochMs: () => trace.startEpochMs ?? 0,
                },
              }
            : {}),
        }),
    },
    trace,
  );
  return { name, result, journal };
}

// ── The comparison and the journal's highlights ─────────────────────────────────────────────────
function line(label: string, of: (result: SimulationResult) => string, runs: readonly Run[]): void {
  console.log(`  ${label.padEnd(38)}${runs.map(({ result }) => of(result).padStart(12)).join('')}`);
}

function when(ms: number): string {
  const hours = Math.floor(ms / MS_PER_HOUR);
  return (
    `day ${1 + Math.floor(hours / 24)}, ` +
    `${String(hours % 24).padStart(2, '0')}:${String(Math.floor(ms / 60_000) % 60).padStart(2, '0')}`
  );
}

function highlights({ journal }: Run): void {
  const decisions = journal.filter((entry) => entry.kind === 'decision');
  // The first hour brings the fleet from what it starts with to what it needs.
  const largest = decisions
    .filter((d) => d.atMs >= MS_PER_HOUR)
    .toSorted((a, b) => change(b) - change(a))
    .slice(0, 5);
  console.log(
    `\nThe journal tells of ${journal.filter((entry) => entry.kind === 'plan').length} plans and ` +
      `${decisions.length} decisions. The largest:`,
  );
  for (const d of largest.toSorted((a, b) => a.atMs - b.atMs))
    console.log(`  ${when(d.atMs)}  ${d.endpointId}: ${held(d)} → ` + `${d.targetInstances}, ${d.reason}`);
  const plan = journal.filter((entry) => entry.kind === 'plan').at(-1);
  if (plan !== undefined) {
    const forecast = plan.forecasts[0]!;
    console.log(
      `Its last plan, ${when(plan.atMs)}: ${plan.status} by ${plan.solver}; ${forecast.modelId} in ` +
        `${forecast.regionId} by ${forecast.method}`,
    );
  }
  for (const entry of journal)
    if (entry.kind === 'degradation') console.log(`  ${when(entry.atMs)}  degraded: ${entry.what}`);
}

type Decision = Extract<JournalEntry, { kind: 'decision' }>;
/** A simulated fleet is always known. */
const held = ({ seen }: Decision): number => seen.readyInstances! + seen.provisioningInstances!;
const change = (d: Decision): number => Math.abs(d.targetInstances - held(d));

console.error(`simulating ${days} days of ${traffic.requestsPerDay.toLocaleString('en-US')} requests, twice …`);
// Thresholds by model, in the proportions that `bench -- tune` found best on the preset paper-day:
// one share of all memory for both models would serve one of them badly.
const reactiveScaling = withRelativeUtilization(
  createReactiveScaling({ scaleOutAbove: 0.6, scaleInBelow: 0.36, cooldownMs: 60_000 }),
  (id) => 2 * modelOf(id).knee.kv,
);
const runs = [
  await run('reactive', reactiveScaling, false),
  await run('sage', createSageScaling({ burstAbove: (id) => 1.3 * modelOf(id).knee.kv }), true),
];
const share = (x: number | undefined): string => (x === undefined ? '–' : `${(100 * x).toFixed(2)} %`);
const s = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1_000).toFixed(2)} s`);
console.log(`\n  ${''.padEnd(38)}${runs.map(({ name }) => name.padStart(12)).join('')}`);
line('requests', (r) => r.total.arrived.toLocaleString('en-US'), runs);
line('GPU-hours', (r) => r.capacity.gpuHours.toFixed(0), runs);
line('left to do at the end', (r) => r.inFlightAtDurationEnd.toLocaleString('en-US'), runs);
line('GPU-hours with what was left done too', (r) => r.atEqualWork.gpuHours.toFixed(0), runs);
line('wasted in provisioning', (r) => r.capacity.wastedGpuHours.toFixed(1), runs);
line('cost', (r) => `$${Math.round(r.capacity.costUsd).toLocaleString('en-US')}`, runs);
line('donated spot GPU-hours', (r) => r.spotGpuHours.toFixed(0), runs);
line('scaling actions', (r) => String(r.actions.scaleOut + r.actions.scaleIn), runs);
line('IW-F: TTFT within a second', (r) => share(r.byTier['interactive-fast']?.sloAttainment), runs);
for (const { id } of models)
  line(
    `  of ${id}`,
    (r) => share(r.byModel.find((m) => m.modelId === id && m.tier === 'interactive-fast')?.requests.sloAttainment),
    runs,
  );
line('IW-F: TTFT p95', (r) => s(r.byTier['interactive-fast']?.ttftMs.p95), runs);
line('IW-N: TTFT p95', (r) => s(r.byTier['interactive-normal']?.ttftMs.p95), runs);
line('NIW: deadlines missed', (r) => String(r.byTier['non-interactive']?.deadlineMisses ?? 0), runs);
const [reactive, sage] = runs.map(({ result }) => result.atEqualWork.gpuHours);
const fewer = 100 * (1 - sage! / reactive!);
console.log(
  `\n  at equal work sage takes ${Math.abs(fewer).toFixed(1)} % ${fewer < 0 ? 'more' : 'fewer'} GPU-hours than ` +
    'reactive scaling with thresholds by model; neither is tuned to this traffic',
);
highlights(runs[1]!);
