import { ConfigError, maxOf, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import type { Strategy } from './factory.js';

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

/**
 * The pools of an endpoint, with what each has of its instances. Throws `ConfigError` where those
 * are too few.
 */
export function splitIntoPools(strategy: Strategy, sizes: Sizes, at: string): PoolSizes[] {
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
  const minima = pools.map(({ minInstances: own }, i) =>
    Math.min(maxima[i]!, own ?? Math.floor(minInstances / pools.length) + (i < minInstances % pools.length ? 1 : 0)),
  );
  // The floor is the same for all strategies: what one pool has no room for another holds.
  if (pools.every((pool) => pool.minInstances === undefined))
    for (const [i, max] of maxima.entries())
      minima[i] = Math.min(max, minima[i]! + minInstances - minima.reduce((a, b) => a + b, 0));
  const initials = split(Math.max(initial, pools.length), 1);
  let spotLeft = spot + initial;
  return pools.map((pool, i) => {
    const max = maxima[i]!;
    const min = minima[i]!;
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
