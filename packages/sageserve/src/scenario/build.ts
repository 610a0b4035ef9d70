import {
  ConfigError,
  createRng,
  DEFAULT_NETWORK_RTT_MS,
  DEFAULT_OBJECTIVES,
  type Forecaster,
  maxOf,
  modelId,
  regionId,
  skuId,
  type TierObjective,
  UnknownPolicyError,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from '@sageserve/core';
import type { EndpointSpec, EngineOptions, Incident, SimulationConfig } from '@sageserve/sim';
import {
  cutTrace,
  generateO365Trace,
  openTrace,
  type Quantiles,
  type SkippedRows,
  TRACE_FORMATS,
  type TraceFormat,
  type TraceStream,
} from '@sageserve/trace';
import {
  type Catalogue,
  createPolicy,
  DEFAULT_CATALOGUE,
  withPath,
  type FactoryContext,
  type PolicyChoice,
  type Strategy,
} from '../catalogue.js';
import { parseDurationMs, type Scenario } from './schema.js';

/** Throws `ConfigError` for an incident that comes after the end of the run, and so never. */
function withinRun(incident: Incident, i: number, { duration, incidents }: Scenario): Incident {
  if (duration !== undefined && incident.atMs >= ms(duration))
    throw new ConfigError(`incidents[${i}].at`, `${incidents[i]!.at} is not within the run, which is ${duration} long`);
  return incident;
}

/** For a fleet that nobody runs yet. */
const NOTHING_YET: Pick<FactoryContext, 'plan' | 'kvWithinObjectives'> = {
  plan: () => undefined,
  kvWithinObjectives: () => undefined,
};

const FLAT_WEEK: readonly number[] = Array.from({ length: 168 }, () => 1);

/**
 * The simulator's configuration for one strategy of a scenario, with policies of its own. Throws
 * `ConfigError` with the field's path for a scenario that cannot run, `UnknownPolicyError` for a
 * name that nothing answers to.
 */
export function buildSimulation(
  scenario: Scenario,
  strategyChoice: PolicyChoice,
  catalogue: Catalogue = DEFAULT_CATALOGUE,
): SimulationConfig {
  return buildFleet(scenario, strategyChoice, catalogue).config;
}

/** The same with the strategy itself, whose policies may follow the plan in force. */
export function buildFleet(
  scenario: Scenario,
  strategyChoice: PolicyChoice,
  catalogue: Catalogue,
  live: Pick<FactoryContext, 'plan' | 'kvWithinObjectives'> = NOTHING_YET,
): { readonly config: SimulationConfig; readonly strategy: Strategy } {
  const names = scenario.regions.map((r) => r.name);
  requireUnique('regions', names);
  requireUnique(
    'models',
    scenario.models.map((m) => m.name),
  );
  requireUnique(
    'skus',
    scenario.skus.map((k) => k.name),
  );
  const context: FactoryContext = { rng: createRng(scenario.seed).fork('policies'), regions: names, ...live };
  const strategy = createPolicy('strategy', 'strategies', catalogue.strategies, strategyChoice, context) as
    Strategy | undefined;
  if (typeof strategy?.scaling?.decide !== 'function')
    throw new ConfigError(
      'strategies',
      `"${typeof strategyChoice === 'string' ? strategyChoice : strategyChoice.name}" is no strategy`,
      {
        hint: 'Its factory must return { scaling }, a policy with decide(), and what else it brings.',
      },
    );
  const performance = createPolicy(
    'performance model',
    'performance',
    catalogue.performanceModels,
    scenario.performance,
    context,
  );
  refuseTooMany(scenario);
  const endpoints: EndpointSpec[] = [];
  for (const [m, model] of scenario.models.entries()) {
    for (const host of model.regions ?? [])
      if (!names.includes(host))
        throw new ConfigError(`models[${m}].regions`, `"${host}" is not a region of the scenario`, {
          hint: `It has ${names.join(', ')}.`,
        });
    for (const [d, deployment] of model.deployments.entries()) {
      const at = `models[${m}].deployments[${d}]`;
      if (!scenario.skus.some((k) => k.name === deployment.sku))
        throw new ConfigError(`${at}.sku`, `"${deployment.sku}" is not a SKU of the scenario`, {
          hint: `It has ${scenario.skus.map((k) => k.name).join(', ')}.`,
        });
      if (deployment.minInstances > deployment.maxInstances)
        throw new ConfigError(
          `${at}.minInstances`,
          `${deployment.minInstances} is above maxInstances (${deployment.maxInstances})`,
        );
      const speed = withPath(at, () =>
        performance.forDeployment({
          modelId: modelId(model.name),
          skuId: skuId(deployment.sku),
          gpusPerInstance: deployment.gpusPerInstance,
        }),
      );
      for (const region of scenario.regions) {
        if (model.regions !== undefined && !model.regions.includes(region.name)) continue;
        for (const pool of splitIntoPools(strategy, deployment, at)) {
          endpoints.push({
            region: regionId(region.name),
            model: modelId(model.name),
            sku: skuId(deployment.sku),
            gpusPerInstance: deployment.gpusPerInstance,
            performance: speed,
            ...pool,
          });
        }
      }
    }
  }
  const gpuCapacity = scenario.regions.map((region, r) => {
    for (const sku of Object.keys(region.gpus)) {
      if (!scenario.skus.some((k) => k.name === sku))
        throw new ConfigError(`regions[${r}].gpus.${sku}`, 'is not a SKU of the scenario', {
          hint: `It has ${scenario.skus.map((k) => k.name).join(', ')}.`,
        });
    }
    return scenario.skus.map((sku) => region.gpus[sku.name] ?? 0);
  });
  for (const [r, region] of scenario.regions.entries()) {
    for (const [k, sku] of scenario.skus.entries()) {
      const needed = endpoints
        .filter((e) => e.region === region.name && e.sku === sku.name)
        .reduce((sum, e) => sum + (e.initialInstances + (e.initialSpotInstances ?? 0)) * e.gpusPerInstance, 0);
      if (needed > gpuCapacity[r]![k]!) {
        throw new ConfigError(
          `regions[${r}].gpus.${sku.name}`,
          `${region.name} has ${gpuCapacity[r]![k]} GPUs of ${sku.name}; the initial instances need ${needed}`,
          { hint: 'Give the region more GPUs, or start with fewer instances.' },
        );
      }
    }
  }
  createForecaster(scenario, catalogue);
  const { unlimitedBatchTokens, ...engine } = scenario.engine;
  if (unlimitedBatchTokens === true && engine.maxBatchTokens !== undefined)
    throw new ConfigError('engine.maxBatchTokens', 'contradicts unlimitedBatchTokens: give one of the two');
  const regionRouter = createPolicy(
    'region router',
    'regionRouter',
    catalogue.regionRouters,
    scenario.regionRouter,
    context,
  );
  const config: SimulationConfig = {
    regions: names.map(regionId),
    models: scenario.models.map((m) => modelId(m.name)),
    skus: scenario.skus.map((sku) => ({
      skuId: skuId(sku.name),
      usdPerGpuHour: sku.usdPerGpuHour,
      reclaimMs: ms(sku.reclaim),
      redeployMs: ms(sku.redeploy),
      newVmMs: ms(sku.newVm),
    })),
    endpoints,
    gpuCapacity,
    networkRttMs:
      scenario.networkRttMs ?? names.map((_, i) => names.map((__, j) => (i === j ? 0 : DEFAULT_NETWORK_RTT_MS))),
    endpointDelayMs: ms(scenario.endpointDelay),
    engine: {
      ...(engine as Partial<EngineOptions>),
      ...(unlimitedBatchTokens === true ? { maxBatchTokens: Infinity } : {}),
    },
    policies: {
      regionRouter: strategy.regionRouter?.(regionRouter) ?? regionRouter,
      instanceRouter: createPolicy(
        'instance router',
        'instanceRouter',
        catalogue.instanceRouters,
        scenario.instanceRouter,
        context,
      ),
      batchScheduler: createPolicy(
        'batch scheduler',
        'batchScheduler',
        catalogue.batchSchedulers,
        scenario.batchScheduler,
        context,
      ),
      release:
        strategy.release ??
        createPolicy('release policy', 'release', catalogue.releasePolicies, scenario.release, context),
      scaling: strategy.scaling,
    },
    objectives: objectivesOf(scenario),
    scalingIntervalMs: ms(scenario.scalingInterval),
    maxOutputTokens: scenario.maxOutputTokens,
    ...(scenario.duration !== undefined ? { durationMs: ms(scenario.duration) } : {}),
    incidents: scenario.incidents.map((incident, i) => withinRun(incidentOf(incident), i, scenario)),
  };
  return { config, strategy };
}

/** Endpoints of a fleet at most: each has its place in every snapshot. */
const MOST_ENDPOINTS = 20_000;
/**
 * An instance with its tables takes 10 µs and 5 kB to make, and all of a fleet are made, or lost in
 * an outage, at once.
 */
const MOST_INSTANCES = 50_000;

/** Counts before anything is made. Throws `ConfigError` for a fleet that is too large. */
function refuseTooMany({ models, regions }: Scenario): void {
  const gpusOf = new Map(regions.map(({ name, gpus }) => [name, gpus]));
  let endpoints = 0;
  let instances = 0;
  for (const [m, model] of models.entries()) {
    for (const [d, { maxInstances, gpusPerInstance, sku }] of model.deployments.entries()) {
      const hosts = model.regions ?? regions.map(({ name }) => name);
      endpoints += hosts.length;
      // No more than there are GPUs for: the largest number may stand for no limit.
      for (const host of hosts)
        instances += Math.min(maxInstances, Math.floor((gpusOf.get(host)?.[sku] ?? 0) / gpusPerInstance));
      if (endpoints > MOST_ENDPOINTS)
        throw new ConfigError(`models[${m}].deployments[${d}]`, `makes more than ${MOST_ENDPOINTS} endpoints`);
      if (instances > MOST_INSTANCES)
        throw new ConfigError(
          `models[${m}].deployments[${d}].maxInstances`,
          `makes up to ${instances} instances in all; the most is ${MOST_INSTANCES}`,
        );
    }
  }
}

/**
 * The forecaster that a scenario names. Throws `UnknownPolicyError` with the known ones,
 * `ConfigError` for options that it does not take.
 */
export function createForecaster(scenario: Scenario, catalogue: Catalogue): Forecaster {
  const factories = catalogue.forecasters;
  const context: FactoryContext = {
    rng: createRng(scenario.seed),
    regions: scenario.regions.map(({ name }) => name),
    ...NOTHING_YET,
  };
  return createPolicy('forecaster', 'control.forecaster', factories, scenario.control.forecaster, context);
}

function incidentOf(incident: Scenario['incidents'][number]): Incident {
  const atMs = ms(incident.at);
  switch (incident.kind) {
    case 'region-outage':
      return { kind: incident.kind, atMs, durationMs: ms(incident.duration), region: regionId(incident.region) };
    case 'telemetry-outage':
      return { kind: incident.kind, atMs, durationMs: ms(incident.duration) };
    case 'eviction':
      return {
        kind: incident.kind,
        atMs,
        noticeMs: ms(incident.notice),
        region: regionId(incident.region),
        sku: skuId(incident.sku),
        instances: incident.instances,
        target: incident.target,
      };
  }
}

/**
 * The scenario's traffic: generated, or its trace, up to the scenario's duration where it has one,
 * with what it lacks filled in by the scenario's shares.
 */
export async function buildTraffic(
  scenario: Scenario,
  skippedRows?: SkippedRows,
  signal?: AbortSignal,
): Promise<TraceStream> {
  const { traffic } = scenario;
  const shares = (items: readonly { name: string; share: number }[]): Record<string, number> =>
    Object.fromEntries(items.map((item) => [item.name, item.share]));
  if (traffic.trace !== undefined) {
    if (traffic.format !== undefined && !(TRACE_FORMATS as readonly string[]).includes(traffic.format))
      throw new UnknownPolicyError('trace format', traffic.format, TRACE_FORMATS);
    const trace = await openTrace(traffic.trace, {
      ...(traffic.format === undefined ? {} : { format: traffic.format as TraceFormat }),
      ...(skippedRows === undefined ? {} : { skippedRows }),
      signal,
      mapping: {
        seed: typeof scenario.seed === 'number' ? scenario.seed : hashSeed(scenario.seed),
        fill: { region: shares(scenario.regions), model: shares(scenario.models), tier: dropUndefined(traffic.tiers) },
        ...(traffic.rename === undefined ? {} : { rename: dropUndefined(traffic.rename) }),
      },
    });
    return scenario.duration === undefined ? trace : cutTrace(trace, ms(scenario.duration));
  }
  if (traffic.requestsPerDay === undefined) throw new ConfigError('traffic', 'needs either requestsPerDay or trace');
  if (scenario.duration === undefined) throw new ConfigError('duration', 'is needed for generated traffic');
  const { burst } = traffic;
  return generateO365Trace({
    seed: typeof scenario.seed === 'number' ? scenario.seed : hashSeed(scenario.seed),
    durationMs: ms(scenario.duration),
    requestsPerDay: traffic.requestsPerDay,
    regions: scenario.regions,
    models: scenario.models.map((m) => ({
      name: m.name,
      share: m.share,
      ...(m.shape === undefined ? {} : { shape: m.shape }),
      ...optionalQuantiles(m),
    })),
    tiers: dropUndefined(traffic.tiers),
    startHourOfWeek: traffic.startHourOfWeek,
    warmupMs: ms(traffic.warmup),
    ...(traffic.shape === 'azure-2024' ? {} : { shape: traffic.shape === 'flat' ? FLAT_WEEK : traffic.shape }),
    ...optionalQuantiles(traffic),
    ...(traffic.rateNoise === undefined ? {} : { rateNoise: traffic.rateNoise }),
    ...(burst === undefined
      ? {}
      : { burst: { everyMs: ms(burst.every), lengthMs: ms(burst.length), factor: burst.factor } }),
  });
}

function optionalQuantiles(source: { promptTokens?: Quantiles | undefined; outputTokens?: Quantiles | undefined }): {
  promptTokens?: Quantiles;
  outputTokens?: Quantiles;
} {
  return {
    ...(source.promptTokens === undefined ? {} : { promptTokens: source.promptTokens }),
    ...(source.outputTokens === undefined ? {} : { outputTokens: source.outputTokens }),
  };
}

/** A seed in words becomes the number that the stream of its name starts with. */
function hashSeed(seed: string): number {
  return Math.floor(createRng(seed).next() * 2 ** 32);
}

interface Sizes {
  readonly initialInstances?: number | undefined;
  readonly initialSpotInstances?: number | undefined;
  readonly minInstances: number;
  readonly maxInstances: number;
}

interface PoolSizes extends Sizes {
  readonly pool: string;
  readonly tiers: readonly WorkloadTier[];
  readonly initialInstances: number;
  readonly initialSpotInstances: number;
}

function splitIntoPools(strategy: Strategy, sizes: Sizes, at: string): PoolSizes[] {
  const { minInstances, maxInstances } = sizes;
  const initial = sizes.initialInstances ?? maxInstances;
  if (initial < minInstances || initial > maxInstances)
    throw new ConfigError(
      `${at}.initialInstances`,
      `${initial} is not from minInstances to maxInstances (${minInstances}–${maxInstances})`,
    );
  const spot = sizes.initialSpotInstances ?? 0;
  if (strategy.pools === undefined)
    return [
      {
        pool: 'shared',
        tiers: WORKLOAD_TIERS,
        initialInstances: initial,
        initialSpotInstances: spot,
        minInstances,
        maxInstances,
      },
    ];
  const pools = strategy.pools;
  if (maxInstances < pools.length)
    throw new ConfigError(
      `${at}.maxInstances`,
      `${maxInstances} is too few for the strategy's ${pools.length} pools: each needs an instance`,
    );
  const split = (total: number, least: number): number[] => {
    const parts = pools.map((pool) => Math.max(least, Math.round(total * pool.share)));
    // Rounding must not change the total: the largest pool takes up the difference.
    const largest = parts.indexOf(maxOf(parts));
    parts[largest] = Math.max(least, parts[largest]! + total - parts.reduce((a, b) => a + b, 0));
    return parts;
  };
  const maxima = split(maxInstances, 1);
  const initials = split(Math.max(initial, pools.length), 1);
  let spotLeft = spot + initial;
  return pools.map((pool, i) => {
    const max = maxima[i]!;
    const min = Math.min(max, pool.minInstances ?? minInstances);
    const initialInstances = Math.min(max, Math.max(min, initials[i]!));
    spotLeft -= initialInstances;
    // What the pools do not hold between them is spot; it is counted with the last.
    const initialSpotInstances = i === pools.length - 1 ? Math.max(0, spotLeft) : 0;
    return {
      pool: pool.pool,
      tiers: pool.tiers,
      initialInstances,
      initialSpotInstances,
      minInstances: min,
      maxInstances: max,
    };
  });
}

function objectivesOf(scenario: Scenario): Record<WorkloadTier, TierObjective> {
  return Object.fromEntries(
    WORKLOAD_TIERS.map((tier) => {
      const given = scenario.objectives[tier];
      const base = DEFAULT_OBJECTIVES[tier];
      return [
        tier,
        {
          ttftMs: given?.ttft === undefined ? base.ttftMs : ms(given.ttft),
          attainmentTarget: given?.attainmentTarget ?? base.attainmentTarget,
          defaultDeadlineMs:
            given?.deadline !== undefined
              ? ms(given.deadline)
              : given?.ttft !== undefined
                ? ms(given.ttft)
                : base.defaultDeadlineMs,
        },
      ];
    }),
  ) as Record<WorkloadTier, TierObjective>;
}

function requireUnique(path: string, names: readonly string[]): void {
  const twice = names.findIndex((name, i) => names.indexOf(name) !== i);
  if (twice !== -1) throw new ConfigError(`${path}[${twice}].name`, `"${names[twice]}" stands twice`);
}

function ms(duration: string | number): number {
  return parseDurationMs(duration)!;
}

function dropUndefined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
