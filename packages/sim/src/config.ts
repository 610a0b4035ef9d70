import {
  type AcquisitionPolicy,
  type Actuator,
  type BatchScheduler,
  ConfigError,
  type ControlLoop,
  type DemandSeries,
  DEFAULT_OBJECTIVES,
  type FleetSpec,
  type InstanceRouter,
  type OverflowPolicy,
  PolicyContractError,
  type RegionRouter,
  type ReleasePolicy,
  type ScalingPolicy,
  type TelemetrySource,
  type TierObjective,
  type VictimPolicy,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from '@sageserve/core';
import { type Incident, incidentSteps } from './incidents.js';
import { requireLag, type TelemetryLag } from './telemetry-lag.js';
import {
  type EngineChoice,
  type EngineOptions,
  maxBatchTokensOf,
  requireTokens,
  resolveEngine,
} from './engine-options.js';

/** The objects that decide. One set serves one run, since policies may keep state. */
export interface SimulationPolicies {
  readonly regionRouter: RegionRouter;
  readonly instanceRouter: InstanceRouter;
  readonly batchScheduler: BatchScheduler;
  readonly release: ReleasePolicy;
  /** Asked whether a request goes to its region's second pool for its tier, where there is one. */
  readonly overflow: OverflowPolicy;
  /** Asked at every scaling interval, unless the configuration has a control loop. */
  readonly scaling: ScalingPolicy;
  /** Asked which instance goes when an endpoint is scaled in. */
  readonly victim: VictimPolicy;
  /** Asked in which way an endpoint has one more instance when it is scaled out. */
  readonly acquisition: AcquisitionPolicy;
}

/** What the simulated fleet offers a control loop: the same interfaces as a live one. */
export interface ControlPorts {
  readonly telemetry: TelemetrySource;
  readonly actuator: Actuator;
}

/** A fleet, what decides in it, and how it is run. */
export interface SimulationConfig extends FleetSpec {
  /** Time from the region's front door to the instance's queue (ms). */
  readonly endpointDelayMs?: number;
  /** How instances batch: an engine by name, vLLM V1 unless given, and what differs from it. */
  readonly engine?: EngineChoice;
  readonly policies: SimulationPolicies;
  /**
   * Makes the control loop that decides in place of `policies.scaling`. It is driven by the
   * simulator's events, and each tick is awaited.
   */
  readonly control?: (ports: ControlPorts) => ControlLoop;
  /**
   * Interactive demand from before the run by model × region, which ends when the run begins: what
   * a controller would have recorded.
   */
  readonly demandHistory?: readonly DemandSeries[];
  readonly incidents?: readonly Incident[];
  readonly objectives?: Readonly<Record<WorkloadTier, TierObjective>>;
  /** How often the scaling policy is asked (ms, default 1 s). */
  readonly scalingIntervalMs?: number;
  /** How late and how little is seen of the fleet; everything, at once, unless given. */
  readonly telemetry?: TelemetryLag;
  /**
   * Output limit shown to policies for requests that bring none; the true length is never shown.
   */
  readonly maxOutputTokens?: number;
  /**
   * Length of the run. Capacity is counted up to it, or up to the last arrival where it is not
   * given; requests in flight are then run to their end.
   */
  readonly durationMs?: number;
}

/** The same with every default filled in. */
export type ResolvedConfig = Required<Omit<SimulationConfig, 'durationMs' | 'engine' | 'control' | 'telemetry'>> & {
  /** Tokens that an iteration may take, by endpoint. */
  readonly maxBatchTokens: readonly number[];
  readonly telemetry: TelemetryLag | undefined;
  readonly engine: EngineOptions;
  readonly durationMs: number | undefined;
  readonly control: SimulationConfig['control'] | undefined;
};

/** Fills in defaults. Throws `ConfigError` with the field's path for a fleet that cannot work. */
export function resolveConfig(config: SimulationConfig): ResolvedConfig {
  const { regions, models, skus } = config;
  if (regions.length === 0) throw new ConfigError('regions', 'at least one region is needed');
  if (models.length === 0) throw new ConfigError('models', 'at least one model is needed');
  if (config.endpoints.length === 0) throw new ConfigError('endpoints', 'at least one endpoint is needed');
  requireMatrix('gpuCapacity', config.gpuCapacity, regions.length, skus.length);
  requireMatrix('networkRttMs', config.networkRttMs, regions.length, regions.length);
  requirePolicies(config.policies);
  const engine = resolveEngine(config.engine);
  const used = regions.map(() => skus.map(() => 0));
  for (const [e, spec] of config.endpoints.entries()) {
    const at = `endpoints[${e}]`;
    const r = regions.indexOf(spec.region);
    const k = skus.findIndex((sku) => sku.skuId === spec.sku);
    if (r === -1)
      throw new ConfigError(`${at}.region`, `unknown region "${spec.region}"`, {
        hint: `known: ${regions.join(', ')}`,
      });
    if (!models.includes(spec.model))
      throw new ConfigError(`${at}.model`, `unknown model "${spec.model}"`, { hint: `known: ${models.join(', ')}` });
    if (k === -1)
      throw new ConfigError(`${at}.sku`, `unknown SKU "${spec.sku}"`, {
        hint: `known: ${skus.map((sku) => sku.skuId).join(', ')}`,
      });
    if (!(Number.isInteger(spec.gpusPerInstance) && spec.gpusPerInstance >= 1))
      throw new ConfigError(
        `${at}.gpusPerInstance`,
        `must be a whole number of 1 or more, not ${spec.gpusPerInstance}`,
      );
    if (!(Number.isInteger(spec.minInstances) && spec.minInstances >= 0))
      throw new ConfigError(`${at}.minInstances`, `must be a whole number of 0 or more, not ${spec.minInstances}`);
    if (!(Number.isInteger(spec.maxInstances) && spec.maxInstances >= spec.minInstances)) {
      throw new ConfigError(
        `${at}.maxInstances`,
        `must be a whole number of at least minInstances (${spec.minInstances}), not ${spec.maxInstances}`,
      );
    }
    if (!(
      Number.isInteger(spec.initialInstances) &&
      spec.initialInstances >= spec.minInstances &&
      spec.initialInstances <= spec.maxInstances
    )) {
      throw new ConfigError(
        `${at}.initialInstances`,
        `must be a whole number from minInstances to maxInstances (${spec.minInstances}–${spec.maxInstances}), ` +
          `not ${spec.initialInstances}`,
      );
    }
    if (spec.maxBatchTokens !== undefined) requireTokens(`${at}.maxBatchTokens`, spec.maxBatchTokens, engine);
    if (!(spec.performance.kvCapacityTokens > 0))
      throw new ConfigError(`${at}.performance`, 'leaves no memory for the KV cache');
    const spot = spec.initialSpotInstances ?? 0;
    if (!(Number.isInteger(spot) && spot >= 0))
      throw new ConfigError(`${at}.initialSpotInstances`, `must be a whole number of 0 or more, not ${spot}`);
    used[r][k] += (spec.initialInstances + spot) * spec.gpusPerInstance;
    if (used[r][k] > config.gpuCapacity[r][k]) {
      throw new ConfigError(
        `gpuCapacity[${r}][${k}]`,
        `${regions[r]} has ${config.gpuCapacity[r][k]} GPUs of ${spec.sku}, too few for the initial instances ` +
          `(${used[r][k]} needed so far)`,
        {
          hint: 'Raise the capacity or lower initialInstances.',
        },
      );
    }
  }
  const slots = instanceSlots({ endpoints: config.endpoints, incidents: config.incidents ?? [] });
  if (slots > MOST_INSTANCES)
    throw new ConfigError('endpoints', `may have ${slots} instances at once; the most is ${MOST_INSTANCES}`, {
      hint: 'Lower maxInstances.',
    });
  for (const model of models) {
    for (const tier of WORKLOAD_TIERS) {
      for (const region of regions) {
        const pools = new Set(
          config.endpoints
            .filter((e) => e.region === region && e.model === model && e.tiers.includes(tier))
            .map((e) => e.pool),
        );
        if (pools.size > 2)
          throw new ConfigError(
            'endpoints',
            `${region}/${model} serves ${tier} in more than two pools: ${[...pools].join(', ')}`,
          );
      }
    }
  }
  for (const [k, sku] of skus.entries()) {
    for (const field of ['usdPerGpuHour', 'reclaimMs', 'redeployMs', 'newVmMs'] as const)
      requireTime(`skus[${k}].${field}`, sku[field]);
  }
  if (config.telemetry !== undefined) requireLag(config.telemetry);
  requireTime('endpointDelayMs', config.endpointDelayMs ?? 0);
  if (config.durationMs !== undefined) requireTime('durationMs', config.durationMs);
  for (const [e, spec] of config.endpoints.entries()) {
    const other = config.endpoints.findIndex(
      (o) =>
        o.region === spec.region &&
        o.model === spec.model &&
        o.pool === spec.pool &&
        [...o.tiers].sort().join() !== [...spec.tiers].sort().join(),
    );
    if (other !== -1)
      throw new ConfigError(
        `endpoints[${e}].tiers`,
        `differ from those of endpoints[${other}] in the same pool "${spec.pool}"`,
      );
  }
  const interval = config.scalingIntervalMs ?? 1_000;
  if (!(interval > 0 && interval < Infinity))
    throw new ConfigError('scalingIntervalMs', `must be above 0, not ${interval}`);
  incidentSteps(
    config.incidents ?? [],
    regions,
    skus.map((sku) => sku.skuId),
  );
  return {
    ...config,
    engine,
    maxBatchTokens: config.endpoints.map((endpoint) => maxBatchTokensOf(endpoint, engine)),
    control: config.control,
    telemetry: config.telemetry,
    demandHistory: config.demandHistory ?? [],
    incidents: config.incidents ?? [],
    endpointDelayMs: config.endpointDelayMs ?? 0,
    objectives: config.objectives ?? DEFAULT_OBJECTIVES,
    scalingIntervalMs: interval,
    maxOutputTokens: config.maxOutputTokens ?? 4_096,
    durationMs: config.durationMs,
  };
}

/** Every instance has a place in tables that are made before a run: about 100 bytes. */
const MOST_INSTANCES = 1_000_000;

/**
 * Most instances that a configuration can have at once: an endpoint puts its draining instances
 * back before it gets new ones.
 */
export function instanceSlots({ endpoints, incidents }: Pick<ResolvedConfig, 'endpoints' | 'incidents'>): number {
  const instancesOf = (some: ResolvedConfig['endpoints']): number =>
    some.reduce((sum, endpoint) => sum + endpoint.maxInstances, 0);
  let slots = instancesOf(endpoints);
  // An instance on notice drains beside the one that takes its place.
  for (const incident of incidents)
    if (incident.kind === 'eviction' && incident.target === 'on-demand')
      slots += Math.min(
        incident.instances,
        instancesOf(endpoints.filter((e) => e.region === incident.region && e.sku === incident.sku)),
      );
  return slots;
}

/** Throws `PolicyContractError` for a policy without the method that its interface has. */
function requirePolicies(policies: SimulationPolicies): void {
  for (const [kind, policy, method] of [
    ['region router', policies.regionRouter, 'route'],
    ['instance router', policies.instanceRouter, 'route'],
    ['batch scheduler', policies.batchScheduler, 'priority'],
    ['release policy', policies.release, 'release'],
    ['overflow policy', policies.overflow, 'overflows'],
    ['scaling policy', policies.scaling, 'decide'],
    ['victim policy', policies.victim, 'choose'],
    ['acquisition policy', policies.acquisition, 'choose'],
  ] as const) {
    const made = policy as unknown as Readonly<Record<string, unknown>> | null | undefined;
    if (typeof made?.[method] !== 'function')
      throw new PolicyContractError(
        `${kind} ${typeof made?.['name'] === 'string' ? `"${made['name']}"` : 'without a name'}`,
        `has no method ${method}()`,
        `A ${kind} has ${method}().`,
      );
  }
}

function requireTime(path: string, value: number): void {
  if (!(value >= 0 && value < Infinity))
    throw new ConfigError(path, `must be a finite number of 0 or more, not ${value}`);
}

function requireMatrix(
  path: string,
  rows: readonly (readonly number[])[],
  rowCount: number,
  columnCount: number,
): void {
  if (rows.length !== rowCount) throw new ConfigError(path, `needs ${rowCount} rows, not ${rows.length}`);
  for (const [r, row] of rows.entries()) {
    if (row.length !== columnCount)
      throw new ConfigError(`${path}[${r}]`, `needs ${columnCount} values, not ${row.length}`);
    for (const [c, value] of row.entries()) {
      if (!(value >= 0 && value < Infinity))
        throw new ConfigError(`${path}[${r}][${c}]`, `must be a finite number of 0 or more, not ${value}`);
    }
  }
}
