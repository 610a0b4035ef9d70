import {
  type AcquisitionPolicy,
  type BatchScheduler,
  ConfigError,
  createRng,
  DEFAULT_NETWORK_RTT_MS,
  DEFAULT_OBJECTIVES,
  type EndpointSpec,
  type FleetSpec,
  type Forecaster,
  type InstanceRouter,
  modelId,
  type OverflowPolicy,
  type PlacementOptimizer,
  regionId,
  type RegionRouter,
  type ReleasePolicy,
  type ScalingPolicy,
  skuId,
  type TierObjective,
  type VictimPolicy,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from '@sageserve/core';
import { createPlacementOptimizer } from '@sageserve/optimize';
import { type Catalogue, createPolicy, DEFAULT_CATALOGUE, type PolicyChoice, withPath } from './catalogue.js';
import type { FactoryContext, Strategy } from './factory.js';
import { parseDurationMs } from './duration.js';
import type { Fleet } from './fleet-schema.js';
import { splitIntoPools } from './split-into-pools.js';

/** For a fleet that nobody runs yet. */
const NOTHING_YET: Pick<FactoryContext, 'plan' | 'kvWithinObjectives'> = {
  plan: () => undefined,
  kvWithinObjectives: () => undefined,
};

/** The objects that decide in a fleet. One set serves one host, since policies may keep state. */
export interface FleetPolicies {
  readonly regionRouter: RegionRouter;
  readonly instanceRouter: InstanceRouter;
  readonly batchScheduler: BatchScheduler;
  readonly release: ReleasePolicy;
  readonly overflow: OverflowPolicy;
  readonly scaling: ScalingPolicy;
  readonly victim: VictimPolicy;
  readonly acquisition: AcquisitionPolicy;
}

/** A fleet with its policies. */
export interface BuiltFleet {
  readonly spec: FleetSpec;
  readonly policies: FleetPolicies;
  readonly objectives: Readonly<Record<WorkloadTier, TierObjective>>;
  /** The strategy itself, with what it asks of forecast and placement. */
  readonly strategy: Strategy;
  /** Whether any of its policies goes by what instances carry within the objectives. */
  readonly asksCapacity: boolean;
}

export interface BuildFleetOptions {
  readonly catalogue?: Catalogue;
  /** What policies may ask while the fleet is run. */
  readonly live?: Pick<FactoryContext, 'plan' | 'kvWithinObjectives'>;
  /** What the fleet is part of, for errors; the fleet itself unless given. */
  readonly what?: string;
}

/**
 * A fleet under one strategy, with policies of its own. Throws `ConfigError` with the field's path
 * for a fleet that cannot work, `UnknownPolicyError` for a name that nothing answers to.
 */
export function buildFleet(
  fleet: Fleet,
  strategyChoice: PolicyChoice,
  { catalogue = DEFAULT_CATALOGUE, live = NOTHING_YET, what = 'fleet' }: BuildFleetOptions = {},
): BuiltFleet {
  const names = fleet.regions.map((r) => r.name);
  requireUnique('regions', names);
  requireUnique(
    'models',
    fleet.models.map((m) => m.name),
  );
  requireUnique(
    'skus',
    fleet.skus.map((k) => k.name),
  );
  let asksCapacity = false;
  const context: FactoryContext = {
    rng: createRng(fleet.seed).fork('policies'),
    regions: names,
    models: fleet.models.map((m) => m.name),
    plan: live.plan,
    // It is measured for those that ask for it when they are made.
    get kvWithinObjectives() {
      asksCapacity = true;
      return live.kvWithinObjectives;
    },
  };
  const strategyName = typeof strategyChoice === 'string' ? strategyChoice : strategyChoice.name;
  const strategy = createPolicy(
    'strategy',
    `strategies.${strategyName}`,
    catalogue.strategies,
    strategyChoice,
    context,
  ) as Strategy | undefined;
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
    fleet.performance,
    context,
  );
  refuseTooMany(fleet);
  const endpoints: EndpointSpec[] = [];
  for (const [m, model] of fleet.models.entries()) {
    for (const host of model.regions ?? [])
      if (!names.includes(host))
        throw new ConfigError(`models[${m}].regions`, `"${host}" is not a region of the ${what}`, {
          hint: `It has ${names.join(', ')}.`,
        });
    for (const [d, deployment] of model.deployments.entries()) {
      const at = `models[${m}].deployments[${d}]`;
      if (!fleet.skus.some((k) => k.name === deployment.sku))
        throw new ConfigError(`${at}.sku`, `"${deployment.sku}" is not a SKU of the ${what}`, {
          hint: `It has ${fleet.skus.map((k) => k.name).join(', ')}.`,
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
      for (const region of fleet.regions) {
        if (model.regions !== undefined && !model.regions.includes(region.name)) continue;
        for (const pool of splitIntoPools(strategy, deployment, at)) {
          endpoints.push({
            region: regionId(region.name),
            model: modelId(model.name),
            sku: skuId(deployment.sku),
            gpusPerInstance: deployment.gpusPerInstance,
            performance: speed,
            ...(deployment.maxBatchTokens === undefined ? {} : { maxBatchTokens: deployment.maxBatchTokens }),
            ...pool,
          });
        }
      }
    }
  }
  const gpuCapacity = fleet.regions.map((region, r) => {
    for (const sku of Object.keys(region.gpus)) {
      if (!fleet.skus.some((k) => k.name === sku))
        throw new ConfigError(`regions[${r}].gpus.${sku}`, `is not a SKU of the ${what}`, {
          hint: `It has ${fleet.skus.map((k) => k.name).join(', ')}.`,
        });
    }
    return fleet.skus.map((sku) => region.gpus[sku.name] ?? 0);
  });
  for (const [r, region] of fleet.regions.entries()) {
    for (const [k, sku] of fleet.skus.entries()) {
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
  createForecaster(fleet, catalogue);
  const regionRouter = createPolicy(
    'region router',
    'regionRouter',
    catalogue.regionRouters,
    fleet.regionRouter,
    context,
  );
  const policies: FleetPolicies = {
    regionRouter: strategy.regionRouter?.(regionRouter) ?? regionRouter,
    instanceRouter: createPolicy(
      'instance router',
      'instanceRouter',
      catalogue.instanceRouters,
      fleet.instanceRouter,
      context,
    ),
    batchScheduler: createPolicy(
      'batch scheduler',
      'batchScheduler',
      catalogue.batchSchedulers,
      fleet.batchScheduler,
      context,
    ),
    release:
      strategy.release ?? createPolicy('release policy', 'release', catalogue.releasePolicies, fleet.release, context),
    overflow: createPolicy('overflow policy', 'overflow', catalogue.overflows, fleet.overflow, context),
    scaling: strategy.scaling,
    victim: createPolicy('victim policy', 'victim', catalogue.victims, fleet.victim, context),
    acquisition: createPolicy('acquisition policy', 'acquisition', catalogue.acquisitions, fleet.acquisition, context),
  };
  const spec: FleetSpec = {
    regions: names.map(regionId),
    models: fleet.models.map((m) => modelId(m.name)),
    skus: fleet.skus.map((sku) => ({
      skuId: skuId(sku.name),
      usdPerGpuHour: sku.usdPerGpuHour,
      ...(sku.usdPerSpotGpuHour === undefined ? {} : { usdPerSpotGpuHour: sku.usdPerSpotGpuHour }),
      reclaimMs: ms(sku.reclaim),
      redeployMs: ms(sku.redeploy),
      newVmMs: ms(sku.newVm),
    })),
    endpoints,
    gpuCapacity,
    networkRttMs:
      fleet.networkRttMs ?? names.map((_, i) => names.map((__, j) => (i === j ? 0 : DEFAULT_NETWORK_RTT_MS))),
  };
  return { spec, policies, objectives: objectivesOf(fleet), strategy, asksCapacity };
}

/**
 * What a fleet is made of, under the first of its strategies unless another is named: pools are a
 * strategy's. Throws as {@link buildFleet}.
 */
export function buildFleetSpec(
  fleet: Fleet,
  strategyChoice: PolicyChoice = fleet.strategies[0]!,
  options: BuildFleetOptions = {},
): FleetSpec {
  return buildFleet(fleet, strategyChoice, options).spec;
}

/** Endpoints of a fleet at most: each has its place in every snapshot. */
const MOST_ENDPOINTS = 20_000;
/**
 * An instance with its tables takes 10 µs and 5 kB to make, and all of a fleet are made, or lost in
 * an outage, at once.
 */
const MOST_INSTANCES = 50_000;

/** Counts before anything is made. Throws `ConfigError` for a fleet that is too large. */
function refuseTooMany({ models, regions }: Fleet): void {
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
 * The forecaster that a fleet names. Throws `UnknownPolicyError` with the known ones,
 * `ConfigError` for options that it does not take.
 */
export function createForecaster(fleet: Fleet, catalogue: Catalogue): Forecaster {
  const factories = catalogue.forecasters;
  const context: FactoryContext = {
    rng: createRng(fleet.seed),
    regions: fleet.regions.map(({ name }) => name),
    models: fleet.models.map(({ name }) => name),
    ...NOTHING_YET,
  };
  return createPolicy('forecaster', 'control.forecaster', factories, fleet.control.forecaster, context);
}

/** The optimiser that a fleet names. */
export function createOptimizer({ control, placement }: Pick<Fleet, 'control' | 'placement'>): PlacementOptimizer {
  return createPlacementOptimizer({ solver: control.solver, hysteresisUsd: placement.hysteresisUsd });
}

function objectivesOf(fleet: Fleet): Record<WorkloadTier, TierObjective> {
  return Object.fromEntries(
    WORKLOAD_TIERS.map((tier) => {
      const given = fleet.objectives[tier];
      const base = DEFAULT_OBJECTIVES[tier];
      return [
        tier,
        {
          ttftMs: given?.ttft === undefined ? base.ttftMs : ms(given.ttft),
          ...(given?.tbt === undefined ? {} : { tbtMs: ms(given.tbt) }),
          ...(given?.tbtP95 === undefined ? {} : { tbtP95Ms: ms(given.tbtP95) }),
          ...(given?.e2e === undefined ? {} : { e2eMs: ms(given.e2e) }),
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
