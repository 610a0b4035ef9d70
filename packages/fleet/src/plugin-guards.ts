import {
  ACQUISITION_CONTRACT,
  acquisitionBreach,
  type AcquisitionPolicy,
  answered,
  type BatchScheduler,
  ConfigError,
  type DemandForecast,
  type DemandSeries,
  type DeploymentPerformance,
  type Forecaster,
  type InstanceRouter,
  messageOf,
  MS_PER_DAY,
  MS_PER_HOUR,
  OVERFLOW_CONTRACT,
  overflowBreach,
  type OverflowPolicy,
  type PerformanceModel,
  type Policy,
  PolicyContractError,
  type RegionRouter,
  type ReleasePolicy,
  SageServeError,
  SCALING_CONTRACT,
  scalingBreach,
  type ScalingPolicy,
  SPECIFICATION_VERSION,
  type Stateful,
  VICTIM_CONTRACT,
  victimBreach,
  type VictimPolicy,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import { levelsOf } from '@sageserve/forecast';
import type { Catalogue, Strategy } from './catalogue.js';

/**
 * What is known of a policy that somebody else wrote: its kind and name, and where it comes from.
 */
interface Origin {
  readonly policy: string;
  /** Plug-in and file. */
  readonly origin: string;
}

type Guard<T> = (made: T, about: Origin) => T;

/** Throws what a policy did, as its author is to read it. */
function breach({ policy, origin }: Origin, broken: string, contract: string, cause?: unknown): PolicyContractError {
  return new PolicyContractError(policy, broken, contract, { origin, cause });
}

/** Calls a policy; what it throws is its author's to mend, whatever it is. */
function call<T>(about: Origin, method: string, contract: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw blamed(cause, about, method, contract);
  }
}

/**
 * A breach may come from a policy within, and a history may be too short for a forecaster; whatever
 * else is thrown, an error of SageServe's own kinds too, is its author's.
 */
function blamed(cause: unknown, about: Origin, method: string, contract: string): unknown {
  const passes =
    cause instanceof PolicyContractError ||
    (method === 'forecast' && cause instanceof SageServeError && cause.code === TOO_SHORT);
  return passes ? cause : breach(about, `threw in ${method}(): ${messageOf(cause)}`, contract, cause);
}

const TOO_SHORT = 'ERR_FORECAST_HISTORY';

function requireMethod(made: unknown, method: string, about: Origin): void {
  if (typeof made !== 'object' || made === null)
    throw breach(about, `is ${answered(made)}`, 'A factory returns the policy, an object with its methods.');
  const value = (made as Readonly<Record<string, unknown>>)[method];
  if (typeof value !== 'function')
    throw breach(
      about,
      `has no method ${method}()${value === undefined ? '' : `: ${method} is ${answered(value)}`}`,
      `It has ${Object.keys(made).join(', ') || 'nothing'}.`,
    );
  const { specificationVersion = SPECIFICATION_VERSION } = made as Partial<Policy>;
  if (specificationVersion !== SPECIFICATION_VERSION)
    throw breach(
      about,
      `was made for version ${answered(specificationVersion)} of the interfaces`,
      `This is version ${SPECIFICATION_VERSION}: the policy needs a release of its package that is made for it.`,
    );
}

const MEMORY = 'save() returns { version, state }, and restore() takes it; a policy has both or none.';

/** A policy's memory, guarded as its other methods; nothing where it has none. */
function memoryOf(policy: Partial<Stateful>, about: Origin): Partial<Stateful> {
  const { save, restore } = policy;
  if (save === undefined && restore === undefined) return {};
  if (typeof save !== 'function' || typeof restore !== 'function')
    throw breach(about, `has ${save === undefined ? 'restore' : 'save'} without the other`, MEMORY);
  return {
    save() {
      const saved = call(about, 'save', MEMORY, () => save.call(policy));
      if (typeof saved?.version !== 'number') throw breach(about, `answered with ${answered(saved)} in save()`, MEMORY);
      return saved;
    },
    restore: (saved) => call(about, 'restore', MEMORY, () => restore.call(policy, saved)),
  };
}

const ROUTER =
  'route() returns at once the index of a region that hosts the model and that the request may go to, or -1 ' +
  'where there is none.';
const guardRegionRouter: Guard<RegionRouter> = (router, about) => {
  requireMethod(router, 'route', about);
  return {
    name: router.name,
    ...memoryOf(router, about),
    route(request, regions, nowMs) {
      const region = call(about, 'route', ROUTER, () => router.route(request, regions, nowMs));
      if (region === -1) return region;
      if (!(Number.isInteger(region) && region >= 0 && region < regions.count))
        throw breach(about, `answered with ${answered(region)} where there are ${regions.count} regions`, ROUTER);
      if (!(regions.hosts(region) && regions.allowed(region)))
        throw breach(about, `chose region ${regions.regionId(region)}, which may not serve the request`, ROUTER);
      return region;
    },
  };
};

const INSTANCES = 'route() returns at once the index of a ready instance, or -1 to let the request wait.';
const guardInstanceRouter: Guard<InstanceRouter> = (router, about) => {
  requireMethod(router, 'route', about);
  return {
    name: router.name,
    ...memoryOf(router, about),
    route(request, pool, nowMs) {
      const instance = call(about, 'route', INSTANCES, () => router.route(request, pool, nowMs));
      if (instance !== -1 && !(Number.isInteger(instance) && instance >= 0 && instance < pool.count))
        throw breach(about, `answered with ${answered(instance)} where there are ${pool.count} instances`, INSTANCES);
      return instance;
    },
  };
};

const SCHEDULER = 'priority() returns at once a finite number.';
const guardBatchScheduler: Guard<BatchScheduler> = (scheduler, about) => {
  requireMethod(scheduler, 'priority', about);
  if ('admit' in scheduler)
    throw breach(
      about,
      'has admit(), which nobody asks any more',
      'A scheduler orders: engines decide what they admit.',
    );
  return {
    name: scheduler.name,
    ...memoryOf(scheduler, about),
    priority(request, nowMs) {
      const key = call(about, 'priority', SCHEDULER, () => scheduler.priority(request, nowMs));
      if (!Number.isFinite(key)) throw breach(about, `answered with ${answered(key)} in priority()`, SCHEDULER);
      return key;
    },
  };
};

const RELEASE = 'release() returns at once a whole number of 0 or more: how many held requests to let go.';
const guardRelease: Guard<ReleasePolicy> = (policy, about) => {
  requireMethod(policy, 'release', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    release(held, pool, nowMs) {
      const count = call(about, 'release', RELEASE, () => policy.release(held, pool, nowMs));
      if (!(Number.isInteger(count) && count >= 0)) throw breach(about, `answered with ${answered(count)}`, RELEASE);
      return count;
    },
  };
};

const guardOverflow: Guard<OverflowPolicy> = (policy, about) => {
  requireMethod(policy, 'overflows', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    overflows(request, home, other, nowMs) {
      const answer = call(about, 'overflows', OVERFLOW_CONTRACT, () => policy.overflows(request, home, other, nowMs));
      const broken = overflowBreach(answer, home, other);
      if (broken !== undefined) throw breach(about, broken, OVERFLOW_CONTRACT);
      return answer;
    },
  };
};

const guardScaling: Guard<ScalingPolicy> = (policy, about) => {
  requireMethod(policy, 'decide', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    decide(fleet, plan, nowMs) {
      const decisions = call(about, 'decide', SCALING_CONTRACT, () => policy.decide(fleet, plan, nowMs));
      const broken = call(about, 'decide', SCALING_CONTRACT, () => scalingBreach(decisions, fleet));
      if (broken !== undefined) throw breach(about, broken, SCALING_CONTRACT);
      return decisions;
    },
  };
};

const guardVictim: Guard<VictimPolicy> = (policy, about) => {
  requireMethod(policy, 'choose', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    choose(candidates, nowMs) {
      const choice = call(about, 'choose', VICTIM_CONTRACT, () => policy.choose(candidates, nowMs));
      const broken = victimBreach(choice, candidates);
      if (broken !== undefined) throw breach(about, broken, VICTIM_CONTRACT);
      return choice;
    },
  };
};

const guardAcquisition: Guard<AcquisitionPolicy> = (policy, about) => {
  requireMethod(policy, 'choose', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    choose(options, nowMs) {
      const choice = call(about, 'choose', ACQUISITION_CONTRACT, () => policy.choose(options, nowMs));
      const broken = acquisitionBreach(choice, options);
      if (broken !== undefined) throw breach(about, broken, ACQUISITION_CONTRACT);
      return choice;
    },
  };
};

const STRATEGY =
  'A factory of a strategy returns { scaling }, a policy with decide(), and where it likes pools, release, ' +
  'regionRouter and planning.';
const guardStrategy: Guard<Strategy> = (strategy, about) => {
  if (typeof strategy !== 'object' || strategy === null) throw breach(about, `is ${answered(strategy)}`, STRATEGY);
  if (typeof strategy.scaling !== 'object' || strategy.scaling === null)
    throw breach(about, 'has no scaling', STRATEGY);
  const { pools, release, regionRouter, planning } = strategy;
  const unsound = pools === undefined ? undefined : unsoundPools(pools);
  if (unsound !== undefined) throw breach(about, `has pools that are none: ${unsound}`, POOLS);
  if (regionRouter !== undefined) requireMethod(strategy, 'regionRouter', about);
  if (planning !== undefined && !planningIsSound(planning))
    throw breach(
      about,
      'has planning that is none',
      "It has windows ('peak' or 'each'), deferrable ('buffer' or { drainHours }), headroom under 1, and where " +
        'it likes demandQuantile between 0 and 1, everyMs and foresight.',
    );
  // Each by its name: what an object has from its class is not copied with it.
  return {
    ...(pools === undefined ? {} : { pools }),
    ...(planning === undefined ? {} : { planning }),
    scaling: guardScaling(strategy.scaling, about),
    ...(release === undefined ? {} : { release: guardRelease(release, about) }),
    ...(regionRouter === undefined
      ? {}
      : {
          regionRouter: (otherwise: RegionRouter) =>
            guardRegionRouter(
              call(about, 'regionRouter', STRATEGY, () => strategy.regionRouter!(otherwise)),
              about,
            ),
        }),
  };
};

const POOLS =
  `Each has a name of its own, tiers of ${WORKLOAD_TIERS.join(', ')}, a share from 0 to 1, and where it likes ` +
  'minInstances, a whole number; every tier has a pool.';

/** What is wrong with pools; undefined where nothing is. */
function unsoundPools(pools: unknown): string | undefined {
  if (!Array.isArray(pools) || pools.length === 0) return answered(pools);
  const names = new Set<unknown>();
  const tiers = new Set<unknown>();
  for (const one of pools as readonly Partial<NonNullable<Strategy['pools']>[number]>[]) {
    if (typeof one !== 'object' || one === null || typeof one.pool !== 'string' || one.pool === '')
      return 'one has no name';
    const { pool, share, minInstances } = one;
    if (names.has(pool)) return `two are called "${pool}"`;
    names.add(pool);
    if (!isWithin(share, 0, 1)) return `"${pool}" has ${answered(share)} for its share`;
    if (minInstances !== undefined && !(Number.isInteger(minInstances) && minInstances >= 0))
      return `"${pool}" has ${answered(minInstances)} for minInstances`;
    if (!Array.isArray(one.tiers) || one.tiers.length === 0) return `"${pool}" has no tiers`;
    for (const tier of one.tiers as readonly unknown[]) {
      if (!(WORKLOAD_TIERS as readonly unknown[]).includes(tier)) return `"${pool}" has ${answered(tier)} for a tier`;
      tiers.add(tier);
    }
  }
  const without = WORKLOAD_TIERS.find((tier) => !tiers.has(tier));
  return without === undefined ? undefined : `none takes ${without}`;
}

/** Whether a value is a number from one to the other: texts that read as numbers are none. */
function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}

const LONGEST_MS = 1e12;
/** As long as a scenario's plans may be. */
const LONGEST_PLAN_MS = 30 * MS_PER_DAY;
const LEAST_HEADROOM = -10;

function planningIsSound({
  windows,
  deferrable,
  headroom,
  demandQuantile,
  everyMs,
  foresight,
}: NonNullable<Strategy['planning']>): boolean {
  return (
    ['peak', 'each'].includes(windows) &&
    (deferrable === 'buffer' ||
      (isWithin(deferrable?.drainHours, 0, LONGEST_MS / MS_PER_HOUR) && deferrable.drainHours > 0)) &&
    isWithin(headroom, LEAST_HEADROOM, 1) &&
    headroom < 1 &&
    (demandQuantile === undefined || (isWithin(demandQuantile, 0, 1) && demandQuantile > 0 && demandQuantile < 1)) &&
    (everyMs === undefined || isWithin(everyMs, 1, LONGEST_PLAN_MS)) &&
    (foresight === undefined || typeof foresight === 'boolean')
  );
}

/**
 * What no GPU is beyond: tokens/s of an instance, tokens of memory, milliseconds of an iteration.
 */
const FASTEST = 1e8;
const LARGEST = 1e12;
const SMALLEST = 1e-6;
const SPEED =
  `iterationMs() and maxTokensPerS() return at once numbers from ${SMALLEST} to ${LARGEST} and ${FASTEST}, and ` +
  'kvCapacityTokens is one.';
const guardPerformance: Guard<PerformanceModel> = (model, about) => {
  requireMethod(model, 'forDeployment', about);
  const positive = (value: number, what: string, most = LARGEST): number => {
    if (!isWithin(value, SMALLEST, most)) throw breach(about, `has ${answered(value)} for ${what}`, SPEED);
    return value;
  };
  return {
    name: model.name,
    forDeployment(deployment): DeploymentPerformance {
      const made = call(about, 'forDeployment', SPEED, () => {
        const answer = model.forDeployment(deployment);
        requireMethod(answer, 'iterationMs', about);
        requireMethod(answer, 'maxTokensPerS', about);
        return answer;
      });
      return {
        kvCapacityTokens: positive(made.kvCapacityTokens, 'kvCapacityTokens'),
        maxTokensPerS: (mix) =>
          positive(
            call(about, 'maxTokensPerS', SPEED, () => made.maxTokensPerS(mix)),
            'maxTokensPerS()',
            FASTEST,
          ),
        iterationMs: (...load) =>
          positive(
            call(about, 'iterationMs', SPEED, () => made.iterationMs(...load)),
            'iterationMs()',
          ),
      };
    },
  };
};

/** What is forecast beyond this is no demand. */
const MOST_DEMAND = 1e15;
/** Sums of floating-point numbers may differ by so much. */
const ROUNDING = 1e-9;
const FORECAST =
  'forecast() returns, or promises, what comes after the history in its own steps: as many finite values of 0 or ' +
  'more as were asked for, in each column and at each quantile that was asked for, which do not cross.';
const guardForecaster: Guard<Forecaster> = (forecaster, about) => {
  requireMethod(forecaster, 'forecast', about);
  const { minHistorySteps } = forecaster;
  if (!(Number.isInteger(minHistorySteps) && minHistorySteps >= 0))
    throw breach(about, `has ${answered(minHistorySteps)} for minHistorySteps`, 'It is a whole number of 0 or more.');
  return {
    name: forecaster.name,
    minHistorySteps,
    async forecast(history, horizonSteps, options) {
      let forecast: DemandForecast;
      const quantileLevels = levelsOf(options);
      try {
        // What it writes into a history would be seen by others.
        forecast = await forecaster.forecast(copyOf(history), horizonSteps, { ...options, quantileLevels });
      } catch (cause) {
        options?.signal?.throwIfAborted();
        throw blamed(cause, about, 'forecast', FORECAST);
      }
      const broken = call(about, 'forecast', FORECAST, () =>
        forecastBreach(forecast, history, horizonSteps, quantileLevels),
      );
      if (broken !== undefined) throw breach(about, broken, FORECAST);
      return forecast;
    },
  };
};

function copyOf(history: DemandSeries): DemandSeries {
  const { promptTokensPerS, outputTokensPerS, requestsPerS } = history;
  return {
    ...history,
    key: { ...history.key },
    promptTokensPerS: promptTokensPerS.slice(),
    outputTokensPerS: outputTokensPerS.slice(),
    requestsPerS: requestsPerS.slice(),
  };
}

function forecastBreach(
  forecast: DemandForecast | null | undefined,
  { startMs, stepMs, promptTokensPerS }: DemandSeries,
  horizonSteps: number,
  levels: readonly number[],
): string | undefined {
  if (typeof forecast !== 'object' || forecast === null) return `answered with ${answered(forecast)}`;
  if (typeof forecast.method !== 'string') return 'answered without method';
  if (forecast.stepMs !== stepMs)
    return `answered with ${answered(forecast.stepMs)} for stepMs, where the history has ${stepMs}`;
  const endMs = startMs + promptTokensPerS.length * stepMs;
  if (!(Math.abs(forecast.startMs - endMs) < stepMs / 2))
    return `answered with ${answered(forecast.startMs)} for startMs, where the history ends at ${endMs}`;
  for (const [name, column] of [
    ['', forecast],
    ['promptTokensPerS.', forecast.promptTokensPerS],
    ['outputTokensPerS.', forecast.outputTokensPerS],
  ] as const) {
    if (!(column?.mean instanceof Float64Array)) return `answered without ${name}mean, a Float64Array`;
    if (!Array.isArray(column.quantiles)) return `answered without ${name}quantiles`;
    const missing = levels.find((level, k) => column.quantiles[k]?.level !== level);
    if (missing !== undefined)
      return `answered without ${name}quantile ${missing}, or not in the order of the levels that were asked for`;
    for (const [label, values] of [
      ['mean', column.mean] as const,
      ...column.quantiles.map(({ level, values: of }) => [`quantile ${level}`, of] as const),
    ]) {
      const steps = (values as Partial<Float64Array> | undefined)?.length;
      if (!(values instanceof Float64Array) || steps !== horizonSteps)
        return `answered with ${steps ?? 'no'} steps in ${name}${label}, not ${horizonSteps}`;
      const odd = values.find((value) => !(value >= 0 && value <= MOST_DEMAND));
      if (odd !== undefined) return `answered with ${odd} in ${name}${label}`;
    }
    const quantiles: DemandForecast['quantiles'] = column.quantiles;
    for (const [k, { level, values }] of quantiles.entries()) {
      const below = k === 0 ? undefined : quantiles[k - 1]!;
      const at = below?.values.findIndex((value: number, t: number) => value > values[t]! * (1 + ROUNDING)) ?? -1;
      if (at !== -1) return `answered with a ${name}quantile ${level} below quantile ${below!.level} in step ${at}`;
    }
  }
  return undefined;
}

/** What each kind of policy is called, and what stands between it and whoever calls it. */
const GUARDS: {
  readonly [K in keyof Catalogue]: { readonly noun: string; readonly guard: Guard<ReturnType<Catalogue[K][string]>> };
} = {
  regionRouters: { noun: 'region router', guard: guardRegionRouter },
  instanceRouters: { noun: 'instance router', guard: guardInstanceRouter },
  batchSchedulers: { noun: 'batch scheduler', guard: guardBatchScheduler },
  releasePolicies: { noun: 'release policy', guard: guardRelease },
  overflows: { noun: 'overflow policy', guard: guardOverflow },
  strategies: { noun: 'strategy', guard: guardStrategy },
  victims: { noun: 'victim policy', guard: guardVictim },
  acquisitions: { noun: 'acquisition policy', guard: guardAcquisition },
  performanceModels: { noun: 'performance model', guard: guardPerformance },
  forecasters: { noun: 'forecaster', guard: guardForecaster },
};

/**
 * Factories of a plug-in whose policies are held to their contracts at every call: what breaks one
 * throws `PolicyContractError` with the policy, the plug-in and its file, and the contract. A
 * policy keeps its `this`; members that its interface does not have are not seen.
 */
export function guarded<K extends keyof Catalogue>(kind: K, factories: Catalogue[K], origin: string): Catalogue[K] {
  const { noun, guard } = GUARDS[kind];
  return Object.fromEntries(
    Object.entries(factories).map(([name, factory]) => {
      const about: Origin = { policy: `${noun} "${name}"`, origin };
      const make = factory as (...args: readonly unknown[]) => ReturnType<Catalogue[K][string]>;
      return [
        name,
        (...args: readonly unknown[]) => {
          let made: ReturnType<Catalogue[K][string]>;
          try {
            made = make(...args);
          } catch (cause) {
            if (cause instanceof ConfigError) throw cause;
            throw blamed(
              cause,
              about,
              'its factory',
              'A factory takes options, and throws ConfigError for those that it does not take.',
            );
          }
          // What it is made of may throw when it is looked at.
          return call(about, 'its factory', 'A factory returns a plain object with its methods.', () =>
            guard(made, about),
          );
        },
      ];
    }),
  ) as unknown as Catalogue[K];
}
