import { parentPort, workerData } from 'node:worker_threads';
import { type Forecaster, messageOf } from '@sageserve/core';
import { packThrown } from '@sageserve/threads';
import type { ForecasterSource, ForecastJob, ForecastReport } from './forecast-job.js';

const port = parentPort!;
const { module, factory, options } = workerData as ForecasterSource;
const say = (report: ForecastReport): void => port.postMessage(report);

/** Says why there is no forecaster. */
class Unusable extends Error {}

async function load(): Promise<Forecaster> {
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = (await import(module)) as Record<string, unknown>;
  } catch (error) {
    throw new Unusable(`can’t be imported: ${messageOf(error)}`, { cause: error });
  }
  const create = exports[factory];
  if (typeof create !== 'function') {
    const names = Object.keys(exports).filter((name) => typeof exports[name] === 'function');
    throw new Unusable(`has no function ${factory}; it has ${names.join(', ') || 'none at all'}`);
  }
  let made: unknown;
  try {
    made = await (create as (given: unknown) => unknown)(options);
  } catch (error) {
    throw new Unusable(`has ${factory}(), which failed: ${messageOf(error)}`, { cause: error });
  }
  if (typeof (made as Partial<Forecaster> | null | undefined)?.forecast !== 'function')
    throw new Unusable(`has ${factory}(), which gave no forecaster: an object with a method forecast()`);
  return made as Forecaster;
}

let forecaster: Promise<Forecaster> | undefined;

async function answer({ history, horizonSteps, options: asked }: ForecastJob): Promise<void> {
  try {
    const loaded = await (forecaster ??= load());
    say({ forecast: await loaded.forecast(history, horizonSteps, asked) });
  } catch (error) {
    if (error instanceof Unusable)
      say({ unusable: error.message, cause: error.cause === undefined ? undefined : packThrown(error.cause) });
    else say({ thrown: packThrown(error) });
  }
}

port.on('message', (job: ForecastJob) => void answer(job));
