import { ConfigError } from './errors.js';
import { PRIORITY_CLASS_MS } from './scheduling.js';

/** Which priorities an engine takes. */
export interface PriorityScale {
  /** The smallest whole number that it takes. */
  readonly min: number;
  /** The largest one. */
  readonly max: number;
  /** Whether the smaller number is served first, as in vLLM; the larger is in SGLang. */
  readonly lowerFirst: boolean;
  /**
   * The time that the scale begins at, in the host's milliseconds: keys before it count as of then.
   */
  readonly originMs: number;
  /** Classes that the scheduler tells apart (default 3, one for each tier). */
  readonly classes?: number;
  /** Keys that are nearer than this may get the same number (ms, default 100). */
  readonly stepMs?: number;
}

/**
 * A scheduler's key as the whole number that an engine takes: never in another order than the keys,
 * though near ones may be equal. Each class has an equal part of the scale; a time past its end
 * counts as the end. Throws `ConfigError` for a scale that has no room for its classes.
 */
export function boundedPriority(key: number, scale: PriorityScale): number {
  const { min, max, lowerFirst, originMs, classes = 3, stepMs = 100 } = scale;
  const places = Math.floor((max - min + 1) / classes);
  if (!(Number.isInteger(min) && Number.isInteger(max) && places >= 1))
    throw new ConfigError('max', `must leave room for ${classes} classes from ${min} on, not ${max}`);
  const kind = Math.min(classes - 1, Math.max(0, Math.floor((key - originMs) / PRIORITY_CLASS_MS)));
  const steps = Math.floor((key - originMs - kind * PRIORITY_CLASS_MS) / stepMs);
  const place = kind * places + Math.min(places - 1, Math.max(0, steps));
  return lowerFirst ? min + place : max - place;
}
