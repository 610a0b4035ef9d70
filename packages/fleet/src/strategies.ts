import { ConfigError, type ScalingPolicy } from '@sageserve/core';
import {
  createHeadroomRelease,
  createImmediateRelease,
  createPlannedRouter,
  createUtilizationRouter,
} from '@sageserve/routing';
import {
  CHIRON_POOLS,
  createChironLikeScaling,
  createHpaScaling,
  createKedaQueueScaling,
  createLtImmediateScaling,
  createLtUtilizationAwareScaling,
  createLtUtilizationScaling,
  createOracleScaling,
  createReactiveScaling,
  createSageScaling,
  createSiloedScaling,
  createStaticScaling,
  DEFAULT_DRAIN_HOURS,
  HPA_SCALE_IN,
  type HpaTargets,
  SILOED_POOLS,
  withRelativeUtilization,
} from '@sageserve/scaling';
import type { Factory, FactoryContext, Strategy, StrategyPlanning } from './factory.js';
import { kvTimes, kvWithin } from './kv-within.js';
import { flag, numberByModel, numbers, type PolicyOptions, positive } from './policy-options.js';

/** The strategies by name. */
export const STRATEGIES: Readonly<Record<string, Factory<Strategy>>> = {
  static: (o) => (numbers(o, []), { scaling: createStaticScaling() }),
  reactive: (o, context) => ({
    scaling: relative(o, context, (own) => createReactiveScaling(numbers(own, REACTIVE_OPTIONS))),
  }),
  'reactive-h': (o, context) => {
    const { measured = true, ...given } = o;
    const {
      kvFactor = 1,
      routeFactor = ROUTE_FACTOR,
      queuedTokensUnder = QUEUED_TOKENS,
      ...own
    } = numbers(given, [...REACTIVE_OPTIONS, ...FOLLOW_OPTIONS]);
    const scaling = relative({ measured }, context, () => createReactiveScaling({ ...REACTIVE_H, ...own }));
    const threshold = kvTimes(context, positive('routeFactor', routeFactor));
    return {
      scaling: { ...scaling, name: 'reactive-h' },
      release: createHeadroomRelease({ kvUnder: kvTimes(context, positive('kvFactor', kvFactor)), queuedTokensUnder }),
      regionRouter: () => createUtilizationRouter({ threshold }),
    };
  },
  hpa: (o, context) => {
    const { models } = context;
    const { kvCacheUtilization, runningRequests, queuedRequests, ...rest } = o;
    const given = Object.entries({ kvCacheUtilization, runningRequests, queuedRequests })
      .filter(([, value]) => value !== undefined)
      // A share of memory is one at most.
      .map(([name, value]) => [name, numberByModel(name, value, models, name === 'kvCacheUtilization' ? 1 : Infinity)]);
    if (rest['measured'] !== undefined && given.length > 0 && kvCacheUtilization === undefined)
      throw new ConfigError('measured', 'is about kvCacheUtilization, which is no target here');
    const targets = given.length === 0 ? {} : { targets: Object.fromEntries(given) as HpaTargets };
    return {
      scaling: relative(rest, context, (own) =>
        createHpaScaling({ ...targets, ...hpaOptions(numbers(own, [...HPA_TARGETS, ...HPA_OPTIONS])) }),
      ),
    };
  },
  'keda-queue': (o) => ({
    scaling: createKedaQueueScaling(hpaOptions(numbers(o, ['queuedRequests', 'cooldownMs', ...HPA_OPTIONS]))),
  }),
  siloed: (o, context) => ({
    scaling: relative(o, context, (own) => createSiloedScaling(numbers(own, REACTIVE_OPTIONS))),
    pools: SILOED_POOLS,
    release: createImmediateRelease(),
  }),
  'lt-i': (o) => ({ scaling: createLtImmediateScaling(), planning: paperPlanning(numbers(o, PAPER_OPTIONS)) }),
  'lt-u': (o, context) => utilizationOnPlan(o, LT_U_OPTIONS, context, createLtUtilizationScaling),
  'lt-ua': (o, context) => utilizationOnPlan(o, LT_UA_OPTIONS, context, createLtUtilizationAwareScaling),
  'chiron-like': (o, context) => ({
    scaling: relative(o, context, (own) =>
      createChironLikeScaling(
        numbers(own, ['busyAbove', 'idleBelow', 'batchTokensPerS', 'deadlineShare', 'cooldownMs']),
      ),
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
  clairvoyant: (o, context) => {
    const { scaling, planning, ...rest } = sage(o, context);
    return {
      ...rest,
      scaling: { ...scaling, name: 'clairvoyant' },
      ...(planning === undefined ? {} : { planning: { ...planning, foresight: true } }),
    };
  },
  sage,
};

/** LT-U and LT-UA: the paper's plan, and utilisation that may be relative. */
function utilizationOnPlan<K extends string>(
  { measured, ...given }: PolicyOptions,
  names: readonly K[],
  context: FactoryContext,
  create: (own: { [P in K]?: number }) => ScalingPolicy,
): Strategy {
  const [own, plan] = split(numbers(given, [...names, ...PAPER_OPTIONS]), names);
  return { scaling: relative({ measured }, context, () => create(own)), planning: paperPlanning(plan) };
}

/** Ours; with `plan: false` without forecast and plan, by what it falls back on alone. */
function sage(o: PolicyOptions, context: FactoryContext): Strategy {
  const { plan: isPlanned = true, ...given } = o;
  const {
    drainHours = DEFAULT_DRAIN_HOURS,
    headroom = SAGE_HEADROOM,
    ...all
  } = numbers(given, [...SAGE_OPTIONS, ...PLANNED_OPTIONS]);
  const [own, rest] = split(all, SAGE_OPTIONS);
  return {
    scaling: createSageScaling({
      burstAbove: kvTimes(context, BURST_FACTOR),
      withoutPlan: relative({ measured: true }, context, () => createReactiveScaling(REACTIVE_H)),
      ...own,
      drainHours,
    }),
    ...followPlan(rest, context),
    ...(flag('plan', isPlanned) ? { planning: planningOf({ ...rest, headroom, drainHours }) } : {}),
  };
}

/**
 * A policy made from options; with `measured: true` its utilisation is a share of what each model
 * has in use at the largest load within its objectives, in place of a share of all memory. A number
 * makes it a share of so many times that: a pool that grows on time may run beyond it.
 */
function relative(
  { measured, ...own }: PolicyOptions,
  context: FactoryContext,
  make: (own: PolicyOptions) => ScalingPolicy,
): ScalingPolicy {
  if (measured !== undefined && typeof measured !== 'boolean' && typeof measured !== 'number')
    throw new ConfigError('measured', `must be true, false or a number above 0, not ${JSON.stringify(measured)}`);
  const factor = typeof measured === 'number' ? positive('measured', measured) : measured === true ? 1 : undefined;
  return factor === undefined ? make(own) : withRelativeUtilization(make(own), kvWithin(context, factor));
}

/**
 * The hourly plan of the paper: the peak of the hour, a tenth of the last hour's non-interactive
 * work, the fleet's quantile and utilisation.
 */
function paperPlanning({ headroom = 0.1, demandQuantile }: PlannedOptions): StrategyPlanning {
  return {
    windows: 'peak',
    deferrable: 'buffer',
    headroom: belowOne('headroom', headroom),
    ...(demandQuantile === undefined ? {} : { demandQuantile: shareWithin('demandQuantile', demandQuantile) }),
  };
}

/** Kubernetes' rules for scaling in, but for the wait where that is given. */
function hpaOptions<T extends { readonly stabilizationMs?: number }>({ stabilizationMs, ...own }: T) {
  return { ...own, ...(stabilizationMs === undefined ? {} : { scaleIn: { ...HPA_SCALE_IN, stabilizationMs } }) };
}

const REACTIVE_OPTIONS = ['scaleOutAbove', 'scaleInBelow', 'cooldownMs'] as const;
/** Of what the objectives allow; before all of it is in use, since an instance takes a while. */
const REACTIVE_H = { scaleOutAbove: 0.9, scaleInBelow: 0.5, cooldownMs: 60_000 };
const FOLLOW_OPTIONS = ['routeFactor', 'kvFactor', 'queuedTokensUnder'] as const;
/** A region is left before its instances are as full as the objectives allow, and a burst more. */
const ROUTE_FACTOR = 1.3;
/** Prompt tokens that may wait for each instance when held work is let go. */
const QUEUED_TOKENS = 1_000;
const HPA_TARGETS = ['kvCacheUtilization', 'runningRequests', 'queuedRequests'] as const;
const HPA_OPTIONS = ['tolerance', 'everyMs', 'stabilizationMs'] as const;
const PAPER_OPTIONS = ['headroom', 'demandQuantile'] as const;
const LT_U_OPTIONS = ['scaleOutAbove', 'scaleInBelow', 'passAbove', 'cooldownMs'] as const;
const LT_UA_OPTIONS = [...LT_U_OPTIONS, 'growFrom', 'shrinkFrom', 'doubtAfterMs'] as const;

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
const PLANNED_OPTIONS = ['headroom', 'demandQuantile', 'planEveryMs', 'drainHours', ...FOLLOW_OPTIONS] as const;
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
    headroom: belowOne('headroom', headroom),
    demandQuantile: shareWithin('demandQuantile', demandQuantile),
    ...(planEveryMs === undefined ? {} : { everyMs: planEveryMs }),
  };
}

/** What is left of an instance when so much of it is kept free: something, at least. */
function belowOne(path: string, share: number): number {
  if (!(share < 1)) throw new ConfigError(path, `must be under 1, not ${share}: nothing would be left to plan with`);
  return share;
}

function shareWithin(path: string, share: number): number {
  if (!(share > 0 && share < 1)) throw new ConfigError(path, `must be between 0 and 1, not ${share}`);
  return share;
}

/** Routes by the plan's flows and fills what headroom there is with non-interactive work. */
function followPlan(
  { kvFactor = 1, routeFactor = ROUTE_FACTOR, queuedTokensUnder = QUEUED_TOKENS }: PlannedOptions,
  context: FactoryContext,
): Pick<Strategy, 'regionRouter' | 'release'> {
  const threshold = kvTimes(context, positive('routeFactor', routeFactor));
  return {
    release: createHeadroomRelease({ kvUnder: kvTimes(context, positive('kvFactor', kvFactor)), queuedTokensUnder }),
    regionRouter: (otherwise) =>
      createPlannedRouter({
        plan: context.plan,
        otherwise,
        threshold,
        rng: context.rng.fork('planned'),
      }),
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
