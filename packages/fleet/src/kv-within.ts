import type { ModelId } from '@sageserve/core';
import type { FactoryContext } from './factory.js';

/** KV-cache utilisation that is taken for what the objectives allow before it was measured. */
const DEFAULT_KV = 0.65;
/** KV-cache utilisation from which on no endpoint counts as having room. */
const MOST_KV = 0.95;

/** By model: `factor` times what its endpoints have in use at the largest load within the objectives. */
export function kvTimes({ kvWithinObjectives }: FactoryContext, factor: number): (id: ModelId) => number {
  return (id) => Math.min(MOST_KV, factor * (kvWithinObjectives(id) ?? DEFAULT_KV));
}
