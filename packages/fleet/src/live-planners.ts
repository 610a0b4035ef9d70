import type { Forecaster, PlacementOptimizer } from '@sageserve/core';
import { createWorkerForecaster } from '@sageserve/forecast';
import { createWorkerOptimizer } from '@sageserve/optimize';
import { createForecaster } from './build-fleet.js';
import { type Catalogue, DEFAULT_CATALOGUE } from './catalogue.js';
import type { Fleet } from './fleet-schema.js';
import { FORECASTERS } from './forecasters.js';
import type { NamedForecaster } from './named-forecaster.js';

/** Its file lies beside the one that this is built into. */
const MODULE = new URL(
  import.meta.url.endsWith('.ts') ? '../dist/named-forecaster.js' : './named-forecaster.js',
  import.meta.url,
);

/** What a live fleet forecasts and plans with. */
export interface LivePlanners {
  readonly forecaster: Forecaster;
  readonly optimizer: PlacementOptimizer;
  /** What computes in the caller's thread all the same, and why, for people to read. */
  readonly notes: readonly string[];
  /** Ends the workers: what they compute, and what they are asked later, rejects. */
  close(): Promise<void>;
}

/**
 * The forecaster and the optimiser that a fleet names, in worker threads, so that a live loop goes
 * on reacting while they compute: the same forecasts and plans as those of {@link createForecaster}
 * and `createOptimizer`, which a simulation waits for. A forecaster of a plug-in stays in the
 * caller's thread, and `notes` says so. Throws as {@link createForecaster}.
 */
export function createLivePlanners(fleet: Fleet, catalogue: Catalogue = DEFAULT_CATALOGUE): LivePlanners {
  const { control, placement } = fleet;
  const optimizer = createWorkerOptimizer({ solver: control.solver, hysteresisUsd: placement.hysteresisUsd });
  // What is wrong with a name or its options is said here, not by the worker.
  const inThread = createForecaster(fleet, catalogue);
  const { name, ...options } =
    typeof control.forecaster === 'string' ? { name: control.forecaster } : control.forecaster;
  if (!Object.hasOwn(FORECASTERS, name) || catalogue.forecasters[name] !== FORECASTERS[name])
    return {
      forecaster: inThread,
      optimizer,
      notes: [
        `the forecaster "${name}" computes in the thread of the loop, which waits for it: ` +
          'a worker knows those of SageServe only',
      ],
      close: () => optimizer.close(),
    };
  const forecaster = createWorkerForecaster({
    module: MODULE,
    factory: 'createNamedForecaster',
    options: { name, options } satisfies NamedForecaster,
    name: inThread.name,
    minHistorySteps: inThread.minHistorySteps,
  });
  return {
    forecaster,
    optimizer,
    notes: [],
    async close() {
      await Promise.all([forecaster.close(), optimizer.close()]);
    },
  };
}
