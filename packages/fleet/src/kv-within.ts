import { ConfigError, type ModelId } from '@sageserve/core';
import type { FactoryContext } from './factory.js';
import { positive } from './policy-options.js';

/** KV-cache utilisation that is taken for what the objectives allow before it was measured. */
const DEFAULT_KV = 0.65;
/** KV-cache utilisation from which on no endpoint counts as having room. */
const MOST_KV = 0.95;

/**
 * By model: `factor` times what its endpoints have in use at the largest load within the
 * objectives, and no more than memory there is.
 */
export function kvTimes(context: FactoryContext, factor: number): (id: ModelId) => number {
  const kv = kvWithin(context, factor);
  return (id) => Math.min(MOST_KV, kv(id));
}

/** The same as something to compare with: it may be more than there is. */
export function kvWithin({ kvWithinObjectives }: FactoryContext, factor: number): (id: ModelId) => number {
  return (id) => factor * (kvWithinObjectives(id) ?? DEFAULT_KV);
}

/**
 * A limit that is given as `name`, or by `kvFactor` as so many times what a model has in use at the
 * largest load within its objectives; undefined where neither is. Throws `ConfigError` for both.
 */
export function kvLimit(
  name: string,
  { [name]: limit, kvFactor }: Readonly<Record<string, number | undefined>>,
  context: FactoryContext,
): number | ((id: ModelId) => number) | undefined {
  if (kvFactor === undefined) return limit;
  if (limit !== undefined) throw new ConfigError(name, 'contradicts kvFactor: give one of the two');
  return kvTimes(context, positive('kvFactor', kvFactor));
}
