import { z } from 'zod';
import { parseDurationMs, UNIT_MS } from './duration.js';

/** No run, delay or history is longer. */
const MOST_DAYS = 3_650;
const MOST_PLANNED_DAYS = 30;
/** Columns hold tokens as 32-bit integers. */
export const MOST_TOKENS = 0x7fffffff;
/**
 * Without control characters, characters that turn the direction of text, and halves of characters.
 */
const PLAIN = /^[^\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]*$/u;

export const duration = z
  .union([
    z.string().regex(/^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*$/, 'must be a duration such as 90s, 15m, 24h or 7d'),
    z.number().min(0),
  ])
  .refine((value) => parseDurationMs(value)! <= MOST_DAYS * UNIT_MS['d']!, `must be at most ${MOST_DAYS}d`)
  .describe('A duration such as 90s, 15m, 24h or 7d, or a number of seconds.');
export const positiveDuration = duration.refine((value) => parseDurationMs(value)! > 0, 'must be longer than 0');
/** How often something happens. */
export const cadence = duration.refine((value) => parseDurationMs(value)! >= 1, 'must be 1ms or more');
/** The same, no longer than forecasts and plans make sense for. */
export const shortDuration = cadence.refine(
  (value) => parseDurationMs(value)! <= MOST_PLANNED_DAYS * UNIT_MS['d']!,
  `must be at most ${MOST_PLANNED_DAYS}d`,
);
export const share = z.number().min(0).max(1e9);
export const count = z.number().int().min(0).max(1_000_000_000);
export const usd = z.number().min(0).max(1e9);
/** Names stand in files, on terminals and in the ids of endpoints. */
export const plainName = z.string().min(1).max(200).regex(PLAIN, 'must not have control characters');
export const filePath = z.string().min(1).max(4_096).regex(PLAIN, 'must not have control characters');
/** Instances of an endpoint: each has a place in tables that are made before a run. */
export const instances = z.number().int().min(0).max(50_000);
export const policy = z
  .union([plainName, z.looseObject({ name: plainName })])
  .describe('A name, or a table with a name and the options of the policy.');

/** A number of tokens. */
export const tokens = z.number().int().min(1).max(MOST_TOKENS);
