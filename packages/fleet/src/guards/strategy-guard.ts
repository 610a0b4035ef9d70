import { answered, MS_PER_DAY, MS_PER_HOUR, type RegionRouter, WORKLOAD_TIERS } from '@sageserve/core';
import type { Strategy } from '../factory.js';
import { breach, call, type Guard, isWithin, requireMethod } from './breach.js';
import { guardRegionRouter, guardRelease, guardScaling } from './policy-guards.js';

const STRATEGY =
  'A factory of a strategy returns { scaling }, a policy with decide(), and where it likes pools, release, ' +
  'regionRouter and planning.';
export const guardStrategy: Guard<Strategy> = (strategy, about) => {
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

const LONGEST_MS = 1e12;
/** As long as a fleet's plans may be. */
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
