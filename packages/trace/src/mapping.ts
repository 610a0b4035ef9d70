import { ConfigError, type Rng, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';

/** Shares by name; they need not add up to 1. */
export type Shares = Readonly<Record<string, number>>;

/**
 * What a trace lacks, and what its names mean here. A trace that has a region, model or tier keeps
 * it; one that has none gets it drawn by share, from a seed.
 */
export interface TraceMapping {
  readonly seed?: number;
  /** Shares of the regions, models and tiers given to requests that bring none. */
  readonly fill?: {
    readonly region?: Shares;
    readonly model?: Shares;
    readonly tier?: Partial<Readonly<Record<WorkloadTier, number>>>;
  };
  /** Names of the trace → names to use; `*` stands for every name that is not listed. */
  readonly rename?: {
    readonly region?: Readonly<Record<string, string>>;
    readonly model?: Readonly<Record<string, string>>;
  };
}

/** Names given where a trace has none and no mapping says otherwise. */
export const UNSPECIFIED = 'unspecified';

export function renamer(table: Readonly<Record<string, string>> | undefined): (name: string) => string {
  if (table === undefined) return (name) => name;
  return (name) => (Object.hasOwn(table, name) ? table[name] : Object.hasOwn(table, '*') ? table['*'] : name);
}

/** Draws positions in `choices` in proportion to their shares. */
export function createDraw(
  path: string,
  shares: Shares | undefined,
  intern: (name: string) => number,
  rng: Rng,
): () => number {
  const entries = Object.entries(shares ?? {});
  let total = 0;
  for (const [name, share] of entries) {
    if (!(share >= 0 && share < Infinity))
      throw new ConfigError(`${path}.${name}`, `must be a share of 0 or more, not ${share}`);
    total += share;
  }
  if (entries.length > 0 && total === 0) throw new ConfigError(path, 'needs at least one share above 0');
  const positive = entries.filter(([, share]) => share > 0);
  if (positive.length === 0) {
    const only = intern(UNSPECIFIED);
    return () => only;
  }
  const ids = positive.map(([name]) => intern(name));
  if (ids.length === 1) return () => ids[0];
  let sum = 0;
  const cumulative = positive.map(([, share]) => (sum += share / total));
  return () => {
    const u = rng.next();
    let k = 0;
    while (k < ids.length - 1 && u >= cumulative[k]) k++;
    return ids[k];
  };
}

/** Position of a tier in `WORKLOAD_TIERS` from the names that traces use for it, or −1. */
export function tierOf(name: string): number {
  const known = WORKLOAD_TIERS.indexOf(name as WorkloadTier);
  return known === -1 ? (ALIASES.get(name.toLowerCase()) ?? -1) : known;
}

const ALIASES: ReadonlyMap<string, number> = new Map([
  ['iw-f', 0],
  ['iwf', 0],
  ['iw-n', 1],
  ['iwn', 1],
  ['niw', 2],
  ['batch', 2],
  ['prod', 0],
  ['dev', 2],
]);
