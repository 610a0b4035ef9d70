import { ConfigError } from '@sageserve/core';

/** How late and how little a simulated host sees, as a live one does. */
export interface TelemetryLag {
  /** How often instances and endpoints are read (ms). */
  readonly everyMs: number;
  /** How long a reading takes until it is there (ms, default 0). */
  readonly delayMs?: number;
  /** Share (0–1, default 0) of the readings that never come, each drawn by itself. */
  readonly loss?: number;
  /** Seeds the draws (default 1). */
  readonly seed?: number | string;
}

/** Throws `ConfigError` for a lag that can't be. */
export function requireLag({ everyMs, delayMs = 0, loss = 0 }: TelemetryLag): void {
  if (!(everyMs >= 1 && everyMs < Infinity))
    throw new ConfigError('telemetry.everyMs', `must be 1 or more, not ${everyMs}`);
  if (!(delayMs >= 0 && delayMs < Infinity))
    throw new ConfigError('telemetry.delayMs', `must be 0 or more, not ${delayMs}`);
  if (!(loss >= 0 && loss <= 1)) throw new ConfigError('telemetry.loss', `must be from 0 to 1, not ${loss}`);
}
