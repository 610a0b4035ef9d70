import { DEFAULT_CATALOGUE, loadPlugins } from '@sageserve/fleet';
import type { PreparationCache } from '@sageserve/scenario';
import { MEASURES } from '../compare/comparison-rows.js';
import { compareStrategies } from '../compare/run-comparison.js';
import { cellMeasures } from './cells.js';
import type { SweepTask } from './definition.js';
import { checkInputs } from './input-files.js';

/**
 * Figures of a run by the keys of {@link MEASURES}, null where a run has none, and the attainment
 * of each model and tier as `slo/model/tier`.
 */
export type SweepMeasures = Readonly<Record<string, number | null>>;

export interface TaskOptions {
  readonly cache: PreparationCache;
  /**
   * Told of requests that arrived, and the share (0–1) of the run that is done, where it is known.
   */
  readonly onProgress?: (requests: number, share: number | undefined) => void;
  readonly signal?: AbortSignal;
}

/**
 * Simulates one run. The same task gives the same figures wherever it runs. Throws `SageServeError`
 * (ERR_RUN) where a file that it needs is another than it was, and as {@link compareStrategies}.
 */
export async function runSweepTask(
  { scenario, choice, seed, inputs }: SweepTask,
  { cache, onProgress, signal }: TaskOptions,
): Promise<SweepMeasures> {
  await checkInputs(inputs);
  const catalogue = await loadPlugins(
    scenario,
    undefined,
    DEFAULT_CATALOGUE,
    (path) => inputs.find((input) => input.path === path)?.hash,
  );
  const [run] = await compareStrategies(scenario, [choice], [seed], {
    catalogue,
    cache: cache.of(inputs.map(({ hash }) => hash).join('/')),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined
      ? {}
      : { onProgress: (_strategy, _seed, progress, share) => onProgress(progress.arrivedRequests, share) }),
  });
  return {
    ...Object.fromEntries(MEASURES.map(({ key, of }) => [key, of(run!) ?? null])),
    ...cellMeasures(run!.attainments),
  };
}
