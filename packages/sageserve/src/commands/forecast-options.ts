import { ConfigError, createRng, type Forecaster } from '@sageserve/core';
import { withCalibration, withFallback } from '@sageserve/forecast';
import { type Catalogue, createPolicy, DEFAULT_CATALOGUE, parseDurationMs } from '@sageserve/fleet';

/** Most steps of a horizon or a history. */
const MAX_STEPS = 10_000;

/** Length of a bucket. */
export function stepOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || !(ms >= 1))
    throw new ConfigError('--step', `must be a duration such as 1m or 10m, not "${text}"`);
  return ms;
}

/** Steps from a number, or from a duration such as 6h. */
export function stepsOf(option: string, text: string, stepMs: number): number {
  const ms = /^\d+$/.test(text) ? Number(text) * stepMs : parseDurationMs(text);
  const steps = ms === undefined ? NaN : Math.round(ms / stepMs);
  if (!(steps >= 1 && steps <= MAX_STEPS))
    throw new ConfigError(
      option,
      `must be a number of steps from 1 to ${MAX_STEPS}, or a duration such as 2h, not "${text}"`,
    );
  return steps;
}

/** A forecaster by its name, that always answers. */
export function forecasterOf(
  name: string,
  stepMs: number,
  horizonSteps: number,
  target: 'bucket' | 'peak',
  calibrate: boolean,
  catalogue: Catalogue = DEFAULT_CATALOGUE,
): Forecaster {
  const context = {
    rng: createRng('forecasters'),
    regions: [],
    models: [],
    plan: () => undefined,
    kvWithinObjectives: () => undefined,
  };
  const made = createPolicy(
    'forecaster',
    '--method',
    catalogue.forecasters,
    // One of somebody else's is asked for as it is.
    Object.hasOwn(DEFAULT_CATALOGUE.forecasters, name)
      ? { name, stepMs, ...(name === 'auto' ? { target } : {}), ...(name === 'neural' ? { horizonSteps } : {}) }
      : name,
    context,
  );
  if (name === 'auto') return made;
  return { ...withFallback(calibrate ? withCalibration(made, { target }) : made), name };
}
