import {
  createAutoPerformanceModel,
  createChironLikeScaling,
  createDpaScheduler,
  createHeadroomRelease,
  createLtImmediateScaling,
  createLtUtilizationAwareScaling,
  createLtUtilizationScaling,
  createOracleScaling,
  createPlacementOptimizer,
  createReactiveScaling,
  createSageScaling,
  createStaticScaling,
  createUtilizationRelease,
  createUtilizationRouter,
  DEFAULT_CATALOGUE,
  type DemandSeries,
  endpointId,
  type EndpointSnapshot,
  type FleetSnapshot,
  generateO365Trace,
  modelId,
  PlacementGrid,
  type PlacementPlan,
  type PlacementProblem,
  regionId,
  type Rng,
  SageServeError,
  scalingBreach,
  type ScalingPolicy,
  skuId,
} from 'sageserve';
import { chance, ODD_NUMBERS, pick, whole } from './mutate.js';

const MODELS = [modelId('m0'), modelId('m1')];
const REGIONS = [regionId('r0'), regionId('r1')];
const SKUS = [skuId('k0'), skuId('k1')];

/** Mostly a number that makes sense, now and then one that does not. */
const number = (rng: Rng, usual: number): number =>
  chance(rng, 0.12) ? pick(rng, ODD_NUMBERS) : usual * (0.2 + 2 * rng.next());
const count = (rng: Rng, most: number): number => (chance(rng, 0.05) ? pick(rng, ODD_NUMBERS) : whole(rng, most + 1));

/** Options of which some are odd. */
function options(rng: Rng, names: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, usual]) => (chance(rng, 0.5) ? [[name, number(rng, usual)]] : [])),
  );
}

const SAGE = {
  everyMs: 15_000,
  marginMs: 90_000,
  assumedDelayMs: 120_000,
  holdDelays: 6,
  settleMs: 600_000,
  drainHours: 12,
  arrivalShare: 0.5,
  slackMs: 7_200_000,
  burstAbove: 0.9,
  burstQueueS: 2,
  maxOvershoot: 0.3,
  burstLastsMs: 60_000,
  burstHoldMs: 300_000,
};
const UTILIZATION = { scaleOutAbove: 0.5, scaleInBelow: 0.1, cooldownMs: 15_000 };
const POLICIES: readonly ((rng: Rng) => ScalingPolicy)[] = [
  () => createStaticScaling(),
  (rng) => createReactiveScaling(options(rng, UTILIZATION)),
  () => createLtImmediateScaling(),
  (rng) => createLtUtilizationScaling(options(rng, { ...UTILIZATION, passAbove: 0.9 })),
  (rng) =>
    createLtUtilizationAwareScaling(
      options(rng, { ...UTILIZATION, growFrom: 5, shrinkFrom: 0.4, doubtAfterMs: 2_400_000 }),
    ),
  (rng) => createOracleScaling(options(rng, { leadMs: 120_000 })),
  (rng) => createSageScaling(options(rng, SAGE)),
  (rng) =>
    createChironLikeScaling(
      options(rng, { busyAbove: 0.6, idleBelow: 0.2, batchTokensPerS: 3_000, deadlineShare: 0.4, cooldownMs: 60_000 }),
    ),
];

function fleet(rng: Rng, nowMs: number): FleetSnapshot {
  const unknown = (usual: number): number | undefined => (chance(rng, 0.2) ? undefined : usual * rng.next());
  return {
    takenAtMs: nowMs,
    endpoints: REGIONS.flatMap((region) =>
      MODELS.map((model): EndpointSnapshot => {
        const minInstances = whole(rng, 3);
        const maxInstances = minInstances + whole(rng, 9);
        return {
          endpointId: endpointId(region, model, SKUS[0]!, 'shared'),
          modelId: model,
          regionId: region,
          skuId: SKUS[0]!,
          pool: 'shared',
          tiers: ['interactive-fast', 'interactive-normal', 'non-interactive'],
          gpusPerInstance: 1,
          minInstances,
          maxInstances,
          readyInstances: whole(rng, maxInstances + 1),
          provisioningInstances: whole(rng, 3),
          drainingInstances: whole(rng, 3),
          kvCacheUtilization: unknown(1),
          queuedTokens: unknown(1e6),
          queuedRequests: unknown(50) === undefined ? undefined : whole(rng, 50),
          runningRequests: whole(rng, 50),
          demandTokensPerS: unknown(1e5),
          provisioningDelayMs: chance(rng, 0.5) ? undefined : whole(rng, 3_000_000),
          ...(chance(rng, 0.1) ? { readyInstances: undefined } : {}),
        };
      }),
    ),
    capacity: [],
    demand: REGIONS.flatMap((region) =>
      MODELS.map((model) => ({ modelId: model, regionId: region, interactiveTokensPerS: unknown(1e5) })),
    ),
    backlog: MODELS.map((model) => ({
      modelId: model,
      requests: whole(rng, 100),
      promptTokens: whole(rng, 1e6),
      earliestDeadlineAtMs: nowMs + whole(rng, 1e8),
      due: [{ atMs: nowMs + whole(rng, 1e8), requests: whole(rng, 100) }],
      arrivedTokensPerS: unknown(1e4),
    })),
  };
}

function plan(rng: Rng, nowMs: number): PlacementPlan | undefined {
  if (chance(rng, 0.2)) return undefined;
  const grid = (value: () => number, skus = 1): PlacementGrid =>
    new PlacementGrid(2, 2, skus, Float64Array.from({ length: 4 * skus }, value));
  const windows = 1 + whole(rng, 12);
  const demand = Array.from({ length: windows }, () => grid(() => (chance(rng, 0.1) ? NaN : rng.next() * 1e5)));
  return {
    models: MODELS,
    regions: REGIONS,
    skus: SKUS,
    target: grid(() => whole(rng, 12), 2),
    validFromMs: nowMs - whole(rng, 3_600_000),
    validUntilMs: nowMs + 3_600_000,
    ...(chance(rng, 0.6) ? { schedule: demand.map(() => grid(() => whole(rng, 12), 2)) } : {}),
    demand: {
      startMs: nowMs - whole(rng, 3_600_000),
      stepMs: 600_000,
      expectedTokensPerS: demand,
      upperTokensPerS: demand,
      mix: [undefined, { promptTokens: 1_000, outputTokens: 100 }],
    },
    ...(chance(rng, 0.7)
      ? {
          tokensPerSPerInstance: new PlacementGrid(
            2,
            1,
            2,
            Float64Array.from({ length: 4 }, () => pick(rng, [0, 500, 3_000])),
          ),
        }
      : {}),
  };
}

/**
 * A scaling policy with odd options, asked over and over about odd fleets and plans: its decisions
 * keep the contract.
 */
async function fuzzScaling(rng: Rng): Promise<unknown> {
  const policy = pick(rng, POLICIES)(rng);
  for (let turn = 0; turn < 12; turn++) {
    const nowMs = turn * 20_000;
    const seen = fleet(rng, nowMs);
    const decisions = policy.decide(seen, plan(rng, nowMs), nowMs);
    const breach = scalingBreach(decisions, seen);
    if (breach !== undefined) throw new Error(`${policy.name} ${breach}`);
    const shrunk = decisions.find(({ endpointId: id, targetInstances }) => {
      const endpoint = seen.endpoints.find((one) => one.endpointId === id)!;
      const { readyInstances = Infinity, provisioningInstances = Infinity, kvCacheUtilization } = endpoint;
      const isUnknown = kvCacheUtilization === undefined || readyInstances + provisioningInstances === Infinity;
      return readyInstances > 0 && isUnknown && targetInstances < readyInstances + provisioningInstances;
    });
    if (shrunk !== undefined)
      throw new Error(`${policy.name} scales in ${shrunk.endpointId}, of which nothing is known`);
  }
  return undefined;
}

/** A forecaster on a series of odd values: finite and not below 0, or an error that says why. */
async function fuzzForecast(rng: Rng): Promise<unknown> {
  const names = Object.keys(DEFAULT_CATALOGUE.forecasters).filter(
    (name) => !['neural', 'auto-arima', 'sarima', 'auto', 'mstl'].includes(name),
  );
  const forecaster = DEFAULT_CATALOGUE.forecasters[pick(rng, names)]!(
    options(rng, { stepMs: 600_000, ...(chance(rng, 0.1) ? { window: 12, season: 6, penalty: 1 } : {}) }),
  );
  const length = whole(rng, 400);
  const column = (): Float64Array =>
    Float64Array.from({ length }, () => (chance(rng, 0.03) ? pick(rng, ODD_NUMBERS) : rng.next() * 1_000));
  const series: DemandSeries = {
    key: { modelId: MODELS[0]!, regionId: REGIONS[0]! },
    startMs: number(rng, 1e12),
    stepMs: 600_000,
    promptTokensPerS: column(),
    outputTokensPerS: column(),
    requestsPerS: column(),
  };
  const { mean, quantiles } = await forecaster.forecast(series, count(rng, 12));
  return { mean, quantiles };
}

async function fuzzPlacement(rng: Rng): Promise<unknown> {
  const grid = (m: number, r: number, k: number, usual: number): PlacementGrid =>
    new PlacementGrid(
      m,
      r,
      k,
      Float64Array.from({ length: m * r * k }, () => Math.round(number(rng, usual))),
    );
  const problem: PlacementProblem = {
    models: MODELS,
    regions: REGIONS,
    skus: SKUS,
    current: grid(2, 2, 2, 3),
    minInstances: grid(2, 2, 2, 0),
    maxInstances: grid(2, 2, 2, 20),
    gpuCapacity: grid(1, 2, 2, 40),
    gpusPerInstance: new PlacementGrid(2, 1, 2, Float64Array.of(4, 4, 1, 1)),
    tokensPerSPerInstance: grid(2, 1, 2, 3_000),
    usdPerInstanceHour: grid(2, 1, 2, 10),
    startUsd: grid(2, 1, 2, 1),
    demandTokensPerS: [grid(2, 2, 1, 5_000)],
    localShare: number(rng, 0.4),
  };
  const {
    status: _,
    target: __,
    ...rest
  } = await createPlacementOptimizer({ solver: 'heuristic' }).solve(problem, { timeLimitMs: 200 });
  return { objectiveUsd: rest.objectiveUsd, cost: rest.cost, shortfall: rest.shortfall };
}

async function fuzzGenerator(rng: Rng): Promise<unknown> {
  const trace = generateO365Trace({
    seed: whole(rng, 1e6),
    durationMs: number(rng, 600_000),
    requestsPerDay: number(rng, 50_000),
    regions: [{ name: 'r0', share: number(rng, 1), phaseHours: number(rng, 3) }],
    models: [{ name: 'm0', share: number(rng, 1) }],
    startHourOfWeek: number(rng, 24),
    nonInteractiveShape: number(rng, 0.4),
    rateNoise: number(rng, 0.2),
    warmupMs: chance(rng, 0.8) ? 0 : number(rng, 600_000),
  });
  let seen = 0;
  const times: number[] = [];
  let turns = 0;
  for await (const batch of trace.batches()) {
    // Decades in which nothing comes take their time, and let others have their turn.
    if (batch.length === 0 && ++turns > MOST_TURNS) break;
    times.push(...batch.arrivedAtMs.slice(0, Math.min(batch.length, 50)));
    if ((seen += Math.max(1, batch.length)) > 5_000) break;
  }
  return times;
}

const MOST_TURNS = 20;

/** Factories with odd options. */
async function fuzzFactories(rng: Rng): Promise<unknown> {
  createUtilizationRouter(options(rng, { threshold: 0.5 }));
  createDpaScheduler(options(rng, { promotionShare: 0.4 }));
  createUtilizationRelease(options(rng, { oneUnder: 0.6, twoUnder: 0.2, slackMs: 3_600_000 }));
  createHeadroomRelease(
    options(rng, { kvUnder: 0.5, queuedTokensUnder: 1_000, atOncePerInstance: 0.2, slackMs: 3_600_000 }),
  );
  const speed = createAutoPerformanceModel().forDeployment({
    modelId: modelId(pick(rng, ['llama-3.1-8b', 'llama-2-70b', '__proto__', 'constructor', ''])),
    skuId: skuId(pick(rng, ['a100-80gb', 'h100-80gb', 'toString'])),
    gpusPerInstance: count(rng, 8),
  });
  return [speed.kvCapacityTokens, speed.iterationMs(whole(rng, 9_000), whole(rng, 300), whole(rng, 1e6), 0, 1)];
}

const KINDS = [fuzzScaling, fuzzScaling, fuzzForecast, fuzzPlacement, fuzzGenerator, fuzzFactories];

/** One call of the library with odd arguments. */
export async function fuzzApi(rng: Rng): Promise<unknown> {
  try {
    return await pick(rng, KINDS)(rng);
  } catch (error) {
    // PlacementSolverError blames a solver: here that is our own.
    if (error instanceof SageServeError && error.code === 'ERR_PLACEMENT_SOLVER')
      throw new Error(error.message, { cause: error });
    throw error;
  }
}
