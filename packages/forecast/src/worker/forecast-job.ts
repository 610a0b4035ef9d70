import type { DemandForecast, DemandSeries, ForecastOptions } from '@sageserve/core';
import type { Thrown } from '@sageserve/threads';

/** Which forecaster a worker is to make: its `workerData`. */
export interface ForecasterSource {
  readonly module: string;
  readonly factory: string;
  readonly options: unknown;
}

/** What is asked of the worker. */
export interface ForecastJob {
  readonly history: DemandSeries;
  readonly horizonSteps: number;
  readonly options: Omit<ForecastOptions, 'signal'> | undefined;
}

/** What it says: a forecast, what forecasting threw, or why there is no forecaster. */
export type ForecastReport =
  | { readonly forecast: DemandForecast }
  | { readonly thrown: Thrown }
  | { readonly unusable: string; readonly cause: Thrown | undefined };
