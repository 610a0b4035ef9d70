import { createRng, type Rng } from 'sageserve';
import { fuzzApi } from './fuzz-api.js';
import { fuzzParquet } from './fuzz-parquet.js';
import { fuzzScenario } from './fuzz-scenario.js';
import { fuzzTrace } from './fuzz-trace.js';
import { type FuzzOutcome, judged } from './outcome.js';

/**
 * What can be fuzzed. Each makes its input from random numbers alone: a seed and a number say which
 * it was.
 */
export const TARGETS: Readonly<Record<string, (rng: Rng, folder: string) => Promise<unknown>>> = {
  trace: fuzzTrace,
  parquet: fuzzParquet,
  scenario: fuzzScenario,
  api: fuzzApi,
};

/** Makes one input and judges what becomes of it. `folder` is for its files, and keeps the last. */
export function fuzzOne(target: string, seed: number | string, index: number, folder: string): Promise<FuzzOutcome> {
  return judged(() => TARGETS[target]!(createRng(`fuzz/${target}/${seed}/${index}`), folder));
}
