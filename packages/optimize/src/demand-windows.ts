import {
  ConfigError,
  type DemandForecast,
  type DemandKey,
  type ModelId,
  PlacementGrid,
  type PlacementProblem,
  type RegionId,
} from '@sageserve/core';

export interface DemandWindowsOptions {
  /**
   * Which quantile of the forecasts capacity must carry; 0.9 by default. With a budget, how far
   * demand may exceed its mean.
   */
  readonly demandQuantile?: number;
  /**
   * How many regions of a model are at that quantile at once, the others at their mean; all of them
   * unless given.
   */
  readonly demandBudget?: number;
}

/**
 * Demand by window from forecasts of equal step and start, one for each model and region that has
 * any. Throws `ConfigError` for a quantile that a forecast does not carry, or for forecasts that
 * differ in their windows.
 */
export function demandWindows(
  models: readonly ModelId[],
  regions: readonly RegionId[],
  forecasts: readonly { readonly key: DemandKey; readonly forecast: DemandForecast }[],
  { demandQuantile = 0.9, demandBudget }: DemandWindowsOptions = {},
): Pick<PlacementProblem, 'demandTokensPerS' | 'windowMs'> &
  Partial<Pick<PlacementProblem, 'demandExcessTokensPerS' | 'demandBudget'>> {
  const first = forecasts[0]?.forecast;
  if (first === undefined) throw new ConfigError('forecasts', 'must not be empty');
  const windows = first.mean.length;
  const grids = (): PlacementGrid[] =>
    Array.from({ length: windows }, () => new PlacementGrid(models.length, regions.length, 1));
  const [demand, excess] = [grids(), grids()];
  for (const { key, forecast } of forecasts) {
    const [m, r] = [models.indexOf(key.modelId), regions.indexOf(key.regionId)];
    const where = `forecasts[${key.modelId}, ${key.regionId}]`;
    if (m === -1 || r === -1)
      throw new ConfigError(where, `is for a ${m === -1 ? 'model' : 'region'} that the fleet does not have`, {
        hint: `It has ${(m === -1 ? models : regions).join(', ')}.`,
      });
    if (forecast.mean.length !== windows || forecast.startMs !== first.startMs || forecast.stepMs !== first.stepMs)
      throw new ConfigError(where, 'has other windows than the first forecast');
    const upper = forecast.quantiles.find(({ level }) => Math.abs(level - demandQuantile) < 1e-9);
    if (upper === undefined)
      throw new ConfigError(
        'demandQuantile',
        `is ${demandQuantile}, which the forecast of ${key.modelId} in ${key.regionId} does not carry`,
        {
          hint: `It has ${forecast.quantiles.map(({ level }) => level).join(', ')}.`,
        },
      );
    for (let w = 0; w < windows; w++) {
      const mean = forecast.mean[w];
      demand[w].set(m, r, 0, demandBudget === undefined ? upper.values[w] : mean);
      excess[w].set(m, r, 0, Math.max(0, upper.values[w] - mean));
    }
  }
  return {
    demandTokensPerS: demand,
    windowMs: first.stepMs,
    ...(demandBudget === undefined ? {} : { demandExcessTokensPerS: excess, demandBudget }),
  };
}
