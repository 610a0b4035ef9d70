import { ConfigError, maxOf, MS_PER_DAY, MS_PER_MIN, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import {
  AZURE_2024_OUTPUT_TOKENS,
  AZURE_2024_PROMPT_TOKENS,
  type ClientShape,
  HOUR_OF_WEEK_SHAPE,
  SERVEGEN_CLIENTS,
  SERVEGEN_RATE_NOISE,
} from './calibration.js';
import type { Quantiles } from './quantile-sampler.js';

export interface GeneratedRegion {
  readonly name: string;
  /** Share of the traffic; shares need not add up to 1. */
  readonly share: number;
  /** How much later than the reference its day begins, in hours. */
  readonly phaseHours?: number;
}

export interface GeneratedModel {
  readonly name: string;
  readonly share: number;
  /** Rate by hour of the week (168 values) of this model; that of the trace unless given. */
  readonly shape?: readonly number[];
  readonly promptTokens?: Quantiles;
  readonly outputTokens?: Quantiles;
}

export interface BurstShape {
  /** A burst begins this often, the first at the start of the trace. */
  readonly everyMs: number;
  /** How much later than that each begins (ms, default 0). */
  readonly offsetMs?: number;
  readonly lengthMs: number;
  /** The rate is multiplied by this. */
  readonly factor: number;
}

/** The rate is multiplied by `factor` from a time of the trace on, until the next level. */
interface RateLevel {
  readonly atMs: number;
  readonly factor: number;
}

export interface O365TraceOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Mean over a whole week; a weekday has more and a weekend less. */
  readonly requestsPerDay: number;
  readonly regions: readonly GeneratedRegion[];
  readonly models: readonly GeneratedModel[];
  /** Shares of the tiers (default 0.36, 0.36 and 0.28: 72 % interactive, as in the paper). */
  readonly tiers?: Readonly<Partial<Record<WorkloadTier, number>>>;
  /** Hours after Sunday 00:00 UTC at which the trace starts (default 24: Monday). */
  readonly startHourOfWeek?: number;
  /** Rate by hour of the week (168 values); the default is calibrated on the Azure 2024 week. */
  readonly shape?: readonly number[];
  /** How much of the daily and weekly shape non-interactive traffic follows (0–1, default 0.25). */
  readonly nonInteractiveShape?: number;
  readonly clients?: readonly ClientShape[];
  /** Standard deviation of the noise on a cell's log rate (default 0.2; 0 turns it off). */
  readonly rateNoise?: number;
  readonly burst?: BurstShape;
  /** Lasting changes of the rate, in order of time; none before the trace begins. */
  readonly levels?: readonly RateLevel[];
  readonly promptTokens?: Quantiles;
  readonly outputTokens?: Quantiles;
  /**
   * How long the traffic has gone on before the trace begins (ms, default 0). Its noise is then
   * that of the trace which starts so much earlier, with the same seed, and lasts until here: one
   * is the history of the other. Bursts keep its beat.
   */
  readonly warmupMs?: number;
}

/**
 * No trace lasts longer than a hundred years, and no minute of one has more requests: they are put
 * in order together.
 */
const MOST_TIME_MS = 36_500 * MS_PER_DAY;
const MOST_PER_MINUTE = 20_000_000;
const MINUTES_PER_DAY = MS_PER_DAY / MS_PER_MIN;
const MOST_STREAMS = 5_000_000;

export const DEFAULT_TIER_SHARES: Readonly<Record<WorkloadTier, number>> = {
  'interactive-fast': 0.36,
  'interactive-normal': 0.36,
  'non-interactive': 0.28,
};

/** Options with their defaults, known to be sound. */
export type CheckedO365Options = Required<Omit<O365TraceOptions, 'burst'>> & {
  readonly burst: BurstShape | undefined;
  readonly tierShares: readonly number[];
};

/** Throws `ConfigError` with the path of the first option that is none. */
export function checkO365Options(options: O365TraceOptions): CheckedO365Options {
  const positive = (path: string, value: number): void => {
    if (!(value > 0 && value < Infinity)) throw new ConfigError(path, `must be above 0, not ${value}`);
  };
  const share = (path: string, value: number): void => {
    if (!(value >= 0 && value < Infinity)) throw new ConfigError(path, `must be a share of 0 or more, not ${value}`);
  };
  const atMost = (path: string, value: number, most: number): void => {
    if (value > most) throw new ConfigError(path, `must be at most ${most}, not ${value}`);
  };
  const finite = (path: string, value: number): void => {
    if (!Number.isFinite(value)) throw new ConfigError(path, `must be a finite number, not ${value}`);
  };
  positive('durationMs', options.durationMs);
  atMost('durationMs', options.durationMs, MOST_TIME_MS);
  positive('requestsPerDay', options.requestsPerDay);
  if (options.regions.length === 0) throw new ConfigError('regions', 'needs at least one region');
  if (options.models.length === 0) throw new ConfigError('models', 'needs at least one model');
  for (const [i, r] of options.regions.entries()) share(`regions[${i}].share`, r.share);
  for (const [i, m] of options.models.entries()) share(`models[${i}].share`, m.share);
  const tiers = options.tiers ?? DEFAULT_TIER_SHARES;
  for (const [tier, value] of Object.entries(tiers)) share(`tiers.${tier}`, value);
  const shape = options.shape ?? HOUR_OF_WEEK_SHAPE;
  if (shape.length !== 168)
    throw new ConfigError('shape', `needs 168 values, one for each hour of the week, not ${shape.length}`);
  for (const [i, value] of shape.entries()) share(`shape[${i}]`, value);
  if (!(mean(shape) > 0)) throw new ConfigError('shape', 'needs at least one value above 0');
  const nonInteractiveShape = options.nonInteractiveShape ?? 0.25;
  const warmupMs = options.warmupMs ?? 0;
  if (!(warmupMs >= 0 && warmupMs < Infinity))
    throw new ConfigError('warmupMs', `must be 0 or more milliseconds, not ${warmupMs}`);
  atMost('warmupMs', warmupMs, MOST_TIME_MS);
  for (const [i, model] of options.models.entries()) {
    if (model.shape === undefined) continue;
    if (model.shape.length !== 168)
      throw new ConfigError(
        `models[${i}].shape`,
        `needs 168 values, one for each hour of the week, not ${model.shape.length}`,
      );
    for (const [hour, value] of model.shape.entries()) share(`models[${i}].shape[${hour}]`, value);
    if (!(mean(model.shape) > 0)) throw new ConfigError(`models[${i}].shape`, 'needs at least one value above 0');
  }
  if (!(nonInteractiveShape >= 0 && nonInteractiveShape <= 1))
    throw new ConfigError('nonInteractiveShape', `must be from 0 to 1, not ${nonInteractiveShape}`);
  const clients = options.clients ?? SERVEGEN_CLIENTS;
  if (clients.length === 0) throw new ConfigError('clients', 'needs at least one client');
  for (const [i, client] of clients.entries()) {
    positive(`clients[${i}].share`, client.share);
    if (!(client.gapCv >= 0.2 && client.gapCv <= 20))
      throw new ConfigError(`clients[${i}].gapCv`, `must be from 0.2 to 20, not ${client.gapCv}`);
  }
  const rateNoise = options.rateNoise ?? SERVEGEN_RATE_NOISE.sigma;
  share('rateNoise', rateNoise);
  if (options.burst !== undefined) {
    positive('burst.everyMs', options.burst.everyMs);
    positive('burst.lengthMs', options.burst.lengthMs);
    share('burst.factor', options.burst.factor);
    share('burst.offsetMs', options.burst.offsetMs ?? 0);
    const { everyMs, lengthMs, offsetMs = 0 } = options.burst;
    if (offsetMs > 0 && !(offsetMs + lengthMs <= everyMs))
      throw new ConfigError('burst.offsetMs', `leaves a burst no room before the next: at most ${everyMs - lengthMs}`);
  }
  const levels = options.levels ?? [];
  for (const [i, level] of levels.entries()) {
    share(`levels[${i}].atMs`, level.atMs);
    share(`levels[${i}].factor`, level.factor);
    if (i > 0 && !(level.atMs > levels[i - 1].atMs))
      throw new ConfigError(`levels[${i}].atMs`, 'must be after the level before it');
  }
  for (const [i, r] of options.regions.entries()) finite(`regions[${i}].phaseHours`, r.phaseHours ?? 0);
  finite('startHourOfWeek', options.startHourOfWeek ?? 24);
  const streams = options.regions.length * options.models.length * WORKLOAD_TIERS.length * clients.length;
  if (streams > MOST_STREAMS)
    throw new ConfigError(
      'models',
      `${options.models.length} models in ${options.regions.length} regions are more than can be generated`,
    );
  const shapes = [shape, ...options.models.flatMap((model) => (model.shape === undefined ? [] : [model.shape]))];
  const peak =
    maxOf(shapes.map((one) => maxOf(one) / mean(one))) *
    Math.max(1, options.burst?.factor ?? 1) *
    maxOf([1, ...levels.map(({ factor }) => factor)]);
  if (!((options.requestsPerDay / MINUTES_PER_DAY) * peak <= MOST_PER_MINUTE))
    throw new ConfigError(
      'requestsPerDay',
      `${options.requestsPerDay} are ${((options.requestsPerDay / MINUTES_PER_DAY) * peak).toPrecision(3)} a ` +
        `minute at the peak; the most is ${MOST_PER_MINUTE}`,
    );
  const tierShares = WORKLOAD_TIERS.map((tier) => tiers[tier] ?? 0);
  for (const [path, shares] of [
    ['regions', options.regions.map((r) => r.share)],
    ['models', options.models.map((m) => m.share)],
    ['tiers', tierShares],
    ['shape', shape],
  ] as const) {
    if (!(shares.reduce((a, b) => a + b, 0) > 0)) throw new ConfigError(path, 'needs at least one share above 0');
  }
  return {
    ...options,
    tiers,
    tierShares,
    shape,
    nonInteractiveShape,
    warmupMs,
    clients,
    rateNoise,
    startHourOfWeek: options.startHourOfWeek ?? 24,
    burst: options.burst,
    levels,
    promptTokens: options.promptTokens ?? AZURE_2024_PROMPT_TOKENS,
    outputTokens: options.outputTokens ?? AZURE_2024_OUTPUT_TOKENS,
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
