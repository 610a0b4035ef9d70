import type { Forecaster } from '@sageserve/core';
import { FORECASTERS } from './forecasters.js';
import type { PolicyOptions } from './policy-options.js';

/** What a worker is told of a forecaster: a name of ours, and its options. */
export interface NamedForecaster {
  readonly name: string;
  readonly options: PolicyOptions;
}

/** Makes a forecaster of the catalogue where only its name can be handed on: in a worker. */
export function createNamedForecaster({ name, options }: NamedForecaster): Forecaster {
  return FORECASTERS[name]!(options);
}
