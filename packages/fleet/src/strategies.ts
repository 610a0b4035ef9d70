import type { ModelId } from '@sageserve/core';
import { createHeadroomRelease, createImmediateRelease, createPlannedRouter } from '@sageserve/routing';
import {
  CHIRON_POOLS,
  createChironScaling,
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
} from '@sageserve/scaling';
import type { Factory, FactoryContext, Strategy, StrategyPlanning } from './factory.js';
import { numberByModel, numbers } from './policy-options.js';

/** The strategies by name. */
export const STRATEGIES: Readonly<Record<string, Factory<Strategy>>> = {
  static: (o) => (numbers(o, []), { scaling: createStaticScaling() }),
  reactive: (o) => ({ scaling: createReactiveScaling(numbers(o, ['scaleOutAbove', 'scaleInBelow', 'cooldownMs'])) }),
  hpa: ({ kvCacheUtilization, runningRequests, queuedRequests, ...rest }, { models }) => {
    const given = Object.entries({ kvCacheUtilization, runningRequests, queuedRequests })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, numberByModel(name, value, models)]);
    const targets = given.length === 0 ? {} : { targets: Object.fromEntries(given) as HpaTargets };
    return {
      scaling: createHpaScaling({ ...targets, ...hpaOptions(numbers(rest, [...HPA_TARGETS, ...HPA_OPTIONS])) }),
    };
  },
  'keda-queue': (o) => ({
    scaling: createKedaQueueScaling(hpaOptions(numbers(o, ['queuedRequests', 'cooldownMs', ...HPA_OPTIONS]))),
  }),
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

/** Kubernetes' rules for scaling in, but for the wait where that is given. */
function hpaOptions<T extends { readonly stabilizationMs?: number }>({ stabilizationMs, ...own }: T) {
  return { ...own, ...(stabilizationMs === undefined ? {} : { scaleIn: { ...HPA_SCALE_IN, stabilizationMs } }) };
}

const HPA_TARGETS = ['kvCacheUtilization', 'runningRequests', 'queuedRequests'] as const;
const HPA_OPTIONS = ['tolerance', 'everyMs', 'stabilizationMs'] as const;
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
