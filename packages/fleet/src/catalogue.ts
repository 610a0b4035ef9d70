import {
  type AcquisitionPolicy,
  type BatchScheduler,
  ConfigError,
  type Forecaster,
  type InstanceRouter,
  type ModelId,
  type OverflowPolicy,
  type PerformanceModel,
  type PlacementPlan,
  type RegionRouter,
  type ReleasePolicy,
  type Rng,
  type ScalingPolicy,
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
  createPlannedRouter,
  createRandomOfTwoRouter,
  createRoundRobinRouter,
  createUtilizationOverflow,
  createUtilizationRelease,
  createUtilizationRouter,
  createWeightedRouter,
} from '@sageserve/routing';
import {
  CHIRON_POOLS,
  createCheapestFirstAcquisition,
  createChironScaling,
  createLeastWorkLostVictim,
  createLtImmediateScaling,
  createLtUtilizationAwareScaling,
  createLtUtilizationScaling,
  createOracleScaling,
  createReactiveScaling,
  createSageScaling,
  createSiloedScaling,
  createStaticScaling,
  DEFAULT_DRAIN_HOURS,
  type PoolLayout,
  SILOED_POOLS,
} from '@sageserve/scaling';
import { ARTIFACT_TABLES, createArtifactPerformanceModel } from './artifact.js';
import { FORECASTERS } from './forecasters.js';
import { numbers, type PolicyOptions } from './policy-options.js';

export type { PolicyOptions } from './policy-options.js';

/** What a factory may use beside its own options. */
export interface FactoryContext {
  readonly rng: Rng;
  /** Names of the fleet's regions, in the order of their indices. */
  readonly regions: readonly string[];
  /** The plan in force, for policies that follow it. */
  readonly plan: () => PlacementPlan | undefined;
  /**
   * KV-cache utilisation of a model's endpoints at the largest load within the objectives;
   * undefined where it was not measured.
   */
  readonly kvWithinObjectives: (modelId: ModelId) => number | undefined;
}

/** What a strategy asks of forecast and placement. */
export interface StrategyPlanning {
  /** One plan for the peak of the hour, as in the paper, or one for each bucket of the horizon. */
  readonly windows: 'peak' | 'each';
  /**
   * Non-interactive work in the program: the paper's share of the last hour, or what waits, within
   * so many hours.
   */
  readonly deferrable: 'buffer' | { readonly drainHours: number };
  /**
   * Share (under 1) of what an instance carries within its objectives that is left free in the
   * plan; below 0 it is planned fuller than that, up to its full throughput.
   */
  readonly headroom: number;
  /** Quantile of the forecast that capacity must carry; the fleet's unless given. */
  readonly demandQuantile?: number;
  /** How often a plan is made (ms); every hour unless given. */
  readonly everyMs?: number;
  /** Knows the future: for the bound that nothing real can beat. */
  readonly foresight?: boolean;
}

/** Makes a policy from options. One call serves one run. */
export type Factory<T> = (options: PolicyOptions, context: FactoryContext) => T;

/** A scaling strategy: a policy, and how it lays out the fleet. */
export interface Strategy {
  readonly scaling: ScalingPolicy;
  /** Pools that each endpoint is split into; one shared pool where it is undefined. */
  readonly pools?: readonly PoolLayout[];
  /** Takes the place of the fleet's release policy. */
  readonly release?: ReleasePolicy;
  /** Takes the place of the fleet's region router, given that. */
  readonly regionRouter?: (otherwise: RegionRouter) => RegionRouter;
  /** Forecasts and plans; without it the strategy is reactive only. */
  readonly planning?: StrategyPlanning;
}

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
    utilization: (o) => createUtilizationRouter(numbers(o, ['threshold'])),
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
    headroom: (o) =>
      createHeadroomRelease(numbers(o, ['kvUnder', 'queuedTokensUnder', 'atOncePerInstance', 'slackMs'])),
    immediate: (o) => (numbers(o, []), createImmediateRelease()),
  },
  overflows: {
    utilization: (o) => createUtilizationOverflow(numbers(o, ['threshold'])),
    none: (o) => (numbers(o, []), createNoOverflow()),
  },
  strategies: {
    static: (o) => (numbers(o, []), { scaling: createStaticScaling() }),
    reactive: (o) => ({ scaling: createReactiveScaling(numbers(o, ['scaleOutAbove', 'scaleInBelow', 'cooldownMs'])) }),
    siloed: (o) => ({
      scaling: createSiloedScaling(numbers(o, ['scaleOutAbove', 'scaleInBelow', 'cooldownMs'])),
      pools: SILOED_POOLS,
      release: createImmediateRelease(),
    }),
    'lt-i': (o) => ({ scaling: createLtImmediateScaling(), planning: paperPlanning(numbers(o, PAPER_OPTIONS)) }),
    'lt-u': (o) => {
      const [own, plan] = split(numbers(o, [...LT_U_OPTIONS, ...PAPER_OPTIONS]), LT_U_OPTIONS);
      return { scaling: createLtUtilizationScaling(own), planning: paperPlanning(plan) };
    },
    'lt-ua': (o) => {
      const [own, plan] = split(numbers(o, [...LT_UA_OPTIONS, ...PAPER_OPTIONS]), LT_UA_OPTIONS);
      return { scaling: createLtUtilizationAwareScaling(own), planning: paperPlanning(plan) };
    },
    chiron: (o) => ({
      scaling: createChironScaling(
        numbers(o, ['busyAbove', 'idleBelow', 'batchTokensPerS', 'deadlineShare', 'cooldownMs']),
      ),
      pools: CHIRON_POOLS,
    }),
    oracle: (o, context) => {
      const { leadMs, ...rest } = numbers(o, ['leadMs', ...PLANNED_OPTIONS]);
      return {
        scaling: createOracleScaling(leadMs === undefined ? {} : { leadMs }),
        ...followPlan(rest, context),
        planning: { ...planningOf(rest), foresight: true },
      };
    },
    sage: (o, context) => {
      const {
        drainHours = DEFAULT_DRAIN_HOURS,
        headroom = SAGE_HEADROOM,
        ...all
      } = numbers(o, [...SAGE_OPTIONS, ...PLANNED_OPTIONS]);
      const [own, rest] = split(all, SAGE_OPTIONS);
      return {
        scaling: createSageScaling({
          burstAbove: (id) => Math.min(MOST_KV, BURST_FACTOR * (context.kvWithinObjectives(id) ?? DEFAULT_KV)),
          ...own,
          drainHours,
        }),
        ...followPlan(rest, context),
        planning: planningOf({ ...rest, headroom, drainHours }),
      };
    },
  },
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

/**
 * The hourly plan of the paper: the peak of the hour, a tenth of the last hour's non-interactive
 * work, the fleet's quantile and utilisation.
 */
function paperPlanning({ headroom = 0.1, demandQuantile }: PlannedOptions): StrategyPlanning {
  return {
    windows: 'peak',
    deferrable: 'buffer',
    headroom,
    ...(demandQuantile === undefined ? {} : { demandQuantile }),
  };
}

const PAPER_OPTIONS = ['headroom', 'demandQuantile'] as const;
const LT_U_OPTIONS = ['scaleOutAbove', 'scaleInBelow', 'passAbove', 'cooldownMs'] as const;
const LT_UA_OPTIONS = [...LT_U_OPTIONS, 'growFrom', 'shrinkFrom', 'doubtAfterMs'] as const;

/** KV-cache utilisation that is taken for what the objectives allow before it was measured. */
const DEFAULT_KV = 0.65;
/** KV-cache utilisation from which on no endpoint counts as having room. */
const MOST_KV = 0.95;
/**
 * Held work stops at what the objectives allow: memory that is this much fuller is full of
 * interactive work.
 */
const BURST_FACTOR = 1.3;

/**
 * Instances are planned a tenth fuller than steady traffic allows: held work gives way when
 * interactive requests peak, which it does not where capacity is measured.
 */
const SAGE_HEADROOM = -0.1;

const SAGE_OPTIONS = [
  'everyMs',
  'marginMs',
  'assumedDelayMs',
  'holdDelays',
  'settleMs',
  'arrivalShare',
  'slackMs',
  'burstAbove',
  'burstQueueS',
  'maxOvershoot',
  'burstLastsMs',
  'burstHoldMs',
] as const;
const PLANNED_OPTIONS = [
  'headroom',
  'demandQuantile',
  'planEveryMs',
  'drainHours',
  'routeFactor',
  'kvFactor',
  'queuedTokensUnder',
] as const;
type PlannedOptions = { readonly [K in (typeof PLANNED_OPTIONS)[number]]?: number | undefined };

/**
 * Instances are planned to be nearly full, since non-interactive work that yields to the rest fills
 * them.
 */
function planningOf({
  headroom = 0,
  demandQuantile = 0.5,
  drainHours = 4,
  planEveryMs,
}: PlannedOptions): StrategyPlanning {
  return {
    windows: 'each',
    deferrable: { drainHours },
    headroom,
    demandQuantile,
    ...(planEveryMs === undefined ? {} : { everyMs: planEveryMs }),
  };
}

/** Routes by the plan's flows and fills what headroom there is with non-interactive work. */
function followPlan(
  { kvFactor = 1, routeFactor = 1.3, queuedTokensUnder = 1_000 }: PlannedOptions,
  { plan, rng, kvWithinObjectives }: FactoryContext,
): Pick<Strategy, 'regionRouter' | 'release'> {
  const times =
    (factor: number) =>
    (id: ModelId): number =>
      Math.min(MOST_KV, factor * (kvWithinObjectives(id) ?? DEFAULT_KV));
  return {
    release: createHeadroomRelease({ kvUnder: times(kvFactor), queuedTokensUnder }),
    regionRouter: (otherwise) =>
      createPlannedRouter({ plan, otherwise, threshold: times(routeFactor), rng: rng.fork('planned') }),
  };
}

function split<K extends string, A extends K>(
  options: { readonly [P in K]?: number | undefined },
  names: readonly A[],
): [{ [P in A]?: number }, PlannedOptions] {
  const mine: Record<string, number> = {};
  const rest: Record<string, number> = {};
  for (const [name, value] of Object.entries<number | undefined>(options))
    if (value !== undefined) ((names as readonly string[]).includes(name) ? mine : rest)[name] = value;
  return [mine as { [P in A]?: number }, rest];
}

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
