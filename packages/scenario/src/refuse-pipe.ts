import { stat } from 'node:fs/promises';
import { ConfigError } from '@sageserve/core';
import type { Scenario } from './schema.js';

/** Whether a scenario's trace can be read once only: what has been taken from a pipe is gone. */
export async function isPipe({ traffic: { trace } }: Scenario): Promise<boolean> {
  if (trace === undefined) return false;
  const about = await stat(trace).catch(() => undefined);
  return !(about === undefined || about.isFile() || about.isDirectory());
}

/** Throws `ConfigError` for a trace that is a pipe and would be read so often. */
export async function refusePipe(scenario: Scenario, readings: number): Promise<void> {
  if (readings <= 1 || !(await isPipe(scenario))) return;
  const { trace } = scenario.traffic;
  throw new ConfigError(
    'trace',
    `${trace} is a pipe, which can be read once; here it is read ${readings} times: by each run, and for what ` +
      'came before by strategies that plan',
    {
      hint: 'Save it as a file first, or run one strategy that does not plan.',
    },
  );
}
