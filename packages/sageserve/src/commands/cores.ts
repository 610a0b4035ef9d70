import { availableParallelism } from 'node:os';
import { ConfigError } from '@sageserve/core';

/** Threads at most: each takes some 50 MB. */
const MOST_CORES = 256;

/** All cores unless a number is given. */
export function coresOf(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const cores = Number(text);
  if (!(Number.isInteger(cores) && cores >= 1 && cores <= MOST_CORES))
    throw new ConfigError('--cores', `must be a whole number from 1 to ${MOST_CORES}, not "${text}"`);
  return cores;
}
