import {
  type AcquisitionPolicy,
  type BatchScheduler,
  ConfigError,
  type Forecaster,
  type InstanceRouter,
  type OverflowPolicy,
  type PerformanceModel,
  type RegionRouter,
  type ReleasePolicy,
  UnknownPolicyError,
  type VictimPolicy,
} from '@sageserve/core';
import {
  createAutoPerformanceModel,
  createMeasuredPerformanceModel,
  createRooflinePerformanceModel,
} from '@sageserve/perf';
import {
  createDpaScheduler,
  createEdfScheduler,
  createFcfsScheduler,
  createHeadroomRelease,
  createImmediateRelease,
  createLeastKvRouter,
  createLeastOutstandingTokensRouter,
  createLeastUtilizedRouter,
  createNoOverflow,
  createOriginOnlyRouter,
  createPfScheduler,
  createRandomOfTwoRouter,
  createRoundRobinRouter,
  createUtilizationOverflow,
  createUtilizationRelease,
  createUtilizationRouter,
  createWeightedRouter,
} from '@sageserve/routing';
import { createCheapestFirstAcquisition, createLeastWorkLostVictim } from '@sageserve/scaling';
import { ARTIFACT_TABLES, createArtifactPerformanceModel } from './artifact.js';
import type { Factory, FactoryContext, Strategy } from './factory.js';
import { FORECASTERS } from './forecasters.js';
import { kvLimit } from './kv-within.js';
import { numbers, type PolicyOptions } from './policy-options.js';
import { STRATEGIES } from './strategies.js';

/**
 * Names → factories. Extend it by spreading: `{ ...DEFAULT_CATALOGUE, regionRouters: {
 * ...DEFAULT_CATALOGUE.regionRouters, mine } }`.
 */
export interface Catalogue {
  readonly regionRouters: Readonly<Record<string, Factory<RegionRouter>>>;
  readonly instanceRouters: Readonly<Record<string, Factory<InstanceRouter>>>;
  readonly batchSchedulers: Readonly<Record<string, Factory<BatchScheduler>>>;
  readonly releasePolicies: Readonly<Record<string, Factory<ReleasePolicy>>>;
  readonly overflows: Readonly<Record<string, Factory<OverflowPolicy>>>;
  readonly strategies: Readonly<Record<string, Factory<Strategy>>>;
  readonly victims: Readonly<Record<string, Factory<VictimPolicy>>>;
  readonly acquisitions: Readonly<Record<string, Factory<AcquisitionPolicy>>>;
  readonly performanceModels: Readonly<Record<string, Factory<PerformanceModel>>>;
  readonly forecasters: Readonly<Record<string, (options: PolicyOptions) => Forecaster>>;
}

export const DEFAULT_CATALOGUE: Catalogue = {
  regionRouters: {
    utilization(o, context) {
      const threshold = kvLimit('threshold', numbers(o, ['threshold', 'kvFactor']), context);
      return createUtilizationRouter(threshold === undefined ? {} : { threshold });
    },
    'least-utilized': (o) => (numbers(o, []), createLeastUtilizedRouter()),
    'origin-only': (o) => (numbers(o, []), createOriginOnlyRouter()),
    weighted: weightedRouter,
  },
  instanceRouters: {
    'least-outstanding-tokens': (o) => (numbers(o, []), createLeastOutstandingTokensRouter()),
    'round-robin': (o) => (numbers(o, []), createRoundRobinRouter()),
    'random-of-two': (o, { rng }) => (numbers(o, []), createRandomOfTwoRouter({ rng: rng.fork('random-of-two') })),
    'least-kv': (o) => (numbers(o, []), createLeastKvRouter()),
  },
  batchSchedulers: {
    fcfs: (o) => (numbers(o, []), createFcfsScheduler()),
    edf: (o) => (numbers(o, []), createEdfScheduler()),
    pf: (o) => (numbers(o, []), createPfScheduler()),
    dpa: (o) => createDpaScheduler(numbers(o, ['promotionShare'])),
  },
  releasePolicies: {
    utilization: (o) => createUtilizationRelease(numbers(o, ['oneUnder', 'twoUnder', 'slackMs'])),
    headroom(o, context) {
      const { kvUnder, kvFactor, ...own } = numbers(o, [
        'kvUnder',
        'kvFactor',
        'queuedTokensUnder',
        'atOncePerInstance',
        'slackMs',
      ]);
      const limit = kvLimit('kvUnder', { kvUnder, kvFactor }, context);
      return createHeadroomRelease(limit === undefined ? own : { ...own, kvUnder: limit });
    },
    immediate: (o) => (numbers(o, []), createImmediateRelease()),
  },
  overflows: {
    utilization: (o) => createUtilizationOverflow(numbers(o, ['threshold'])),
    none: (o) => (numbers(o, []), createNoOverflow()),
  },
  strategies: STRATEGIES,
  victims: {
    'least-work-lost': (o) => (numbers(o, []), createLeastWorkLostVictim()),
  },
  acquisitions: {
    'cheapest-first': (o) => (numbers(o, []), createCheapestFirstAcquisition()),
  },
  performanceModels: {
    auto: (o) => (numbers(o, []), createAutoPerformanceModel()),
    measured: (o) => (numbers(o, []), createMeasuredPerformanceModel()),
    roofline: (o) => (numbers(o, []), createRooflinePerformanceModel()),
    artifact: (o) => (numbers(o, []), createArtifactPerformanceModel(ARTIFACT_TABLES)),
  },
  forecasters: FORECASTERS,
};

/** A policy as a fleet names it: a name, or a name with options. */
export type PolicyChoice = string | ({ readonly name: string } & PolicyOptions);

/** Puts `path` before the path of a `ConfigError` that `make` throws. */
export function withPath<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof ConfigError)
      throw new ConfigError(`${path}.${error.path}`, error.message.slice(error.path.length + 2), {
        hint: error.hint,
        cause: error,
      });
    if (error instanceof UnknownPolicyError)
      throw new ConfigError(path, error.message, { hint: error.hint, cause: error });
    throw error;
  }
}

/**
 * Throws `UnknownPolicyError` with the known names, `ConfigError` for options that the policy does
 * not take.
 */
export function createPolicy<T>(
  kind: string,
  path: string,
  factories: Readonly<Record<string, Factory<T>>>,
  choice: PolicyChoice,
  context: FactoryContext,
): T {
  const { name, ...options } = typeof choice === 'string' ? { name: choice } : choice;
  const factory = Object.hasOwn(factories, name) ? factories[name] : undefined;
  if (factory === undefined) throw new UnknownPolicyError(kind, name, Object.keys(factories));
  return withPath(path, () => factory(options, context));
}

/**
 * `weights` by origin and serving region: `{ westus: { westus: 0.8, eastus: 0.2 } }`; an origin
 * that is not listed stays at home.
 */
function weightedRouter(options: PolicyOptions, { rng, regions }: FactoryContext): RegionRouter {
  const { weights, ...rest } = options;
  numbers(rest, []);
  if (typeof weights !== 'object' || weights === null)
    throw new ConfigError('weights', 'must be a table of weights by origin and region');
  const table: number[][] = regions.map((origin, o) =>
    regions.map((_, r) => (Object.hasOwn(weights, origin) ? 0 : o === r ? 1 : 0)),
  );
  for (const [origin, row] of Object.entries(weights as Record<string, unknown>)) {
    const o = regions.indexOf(origin);
    if (o === -1)
      throw new ConfigError(`weights.${origin}`, 'is not a region of the fleet', {
        hint: `It has ${regions.join(', ')}.`,
      });
    for (const [region, weight] of Object.entries((row ?? {}) as Record<string, unknown>)) {
      const r = regions.indexOf(region);
      if (r === -1)
        throw new ConfigError(`weights.${origin}.${region}`, 'is not a region of the fleet', {
          hint: `It has ${regions.join(', ')}.`,
        });
      if (!(typeof weight === 'number' && weight >= 0))
        throw new ConfigError(
          `weights.${origin}.${region}`,
          `must be a number of 0 or more, not ${JSON.stringify(weight)}`,
        );
      table[o]![r] = weight;
    }
  }
  const dead = table.findIndex((row) => row.every((weight) => weight === 0));
  if (dead !== -1) throw new ConfigError(`weights.${regions[dead]}`, 'needs at least one weight above 0');
  return createWeightedRouter({
    weight: (request, r) => table[request.originRegion]?.[r] ?? 0,
    rng: rng.fork('weighted'),
  });
}
