import { stat } from 'node:fs/promises';
import { ConfigError } from '@sageserve/core';
import type { Scenario } from './schema.js';

/**
 * Throws `ConfigError` for a trace that is a pipe and would be read so often: what has been taken
 * from a pipe is gone.
 */
export async function refusePipe({ traffic: { trace } }: Scenario, readings: number): Promise<void> {
  if (trace === undefined || readings <= 1) return;
  const about = await stat(trace).catch(() => undefined);
  if (about === undefined || about.isFile() || about.isDirectory()) return;
  throw new ConfigError(
    'trace',
    `${trace} is a pipe, which can be read once; here it is read ${readings} times: by each run, and for what ` +
      'came before by strategies that plan',
    {
      hint: 'Save it as a file first, or run one strategy that does not plan.',
    },
  );
}
