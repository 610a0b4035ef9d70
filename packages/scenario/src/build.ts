import { ConfigError, createRng, regionId, skuId, UnknownPolicyError } from '@sageserve/core';
import type { EngineChoice, Incident, SimulationConfig } from '@sageserve/sim';
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
  buildFleet as buildFleetOf,
  type Catalogue,
  DEFAULT_CATALOGUE,
  type FactoryContext,
  parseDurationMs,
  type PolicyChoice,
  type Strategy,
} from '@sageserve/fleet';
import type { Scenario } from './schema.js';

/** Throws `ConfigError` for an incident that comes after the end of the run, and so never. */
function withinRun(incident: Incident, i: number, { duration, incidents }: Scenario): Incident {
  if (duration !== undefined && incident.atMs >= ms(duration))
    throw new ConfigError(`incidents[${i}].at`, `${incidents[i]!.at} is not within the run, which is ${duration} long`);
  return incident;
}

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
  live?: Pick<FactoryContext, 'plan' | 'kvWithinObjectives'>,
): { readonly config: SimulationConfig; readonly strategy: Strategy; readonly asksCapacity: boolean } {
  const { spec, policies, objectives, strategy, asksCapacity } = buildFleetOf(scenario, strategyChoice, {
    catalogue,
    what: 'scenario',
    ...(live === undefined ? {} : { live }),
  });
  const { unlimitedBatchTokens, ...engine } = scenario.engine;
  if (unlimitedBatchTokens === true && engine.maxBatchTokens !== undefined)
    throw new ConfigError('engine.maxBatchTokens', 'contradicts unlimitedBatchTokens: give one of the two');
  const config: SimulationConfig = {
    ...spec,
    endpointDelayMs: ms(scenario.endpointDelay),
    engine: {
      ...(engine as EngineChoice),
      ...(unlimitedBatchTokens === true ? { maxBatchTokens: Infinity } : {}),
    },
    policies,
    objectives,
    scalingIntervalMs: ms(scenario.scalingInterval),
    maxOutputTokens: scenario.maxOutputTokens,
    ...(scenario.duration !== undefined ? { durationMs: ms(scenario.duration) } : {}),
    incidents: scenario.incidents.map((incident, i) => withinRun(incidentOf(incident), i, scenario)),
  };
  return { config, strategy, asksCapacity };
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
      : {
          burst: {
            everyMs: ms(burst.every),
            offsetMs: ms(burst.offset ?? 0),
            lengthMs: ms(burst.length),
            factor: burst.factor,
          },
        }),
    ...(traffic.levels === undefined
      ? {}
      : { levels: traffic.levels.map(({ at, factor }) => ({ atMs: ms(at), factor })) }),
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

function ms(duration: string | number): number {
  return parseDurationMs(duration)!;
}

function dropUndefined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
