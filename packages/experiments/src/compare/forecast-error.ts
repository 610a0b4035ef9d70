import type { DemandSeries } from '@sageserve/core';
import type { PlanEntry } from '@sageserve/controller';

/**
 * WAPE of the forecasts that plans were made from: Σ |expected − actual| ÷ Σ actual over the
 * ten-minute buckets in which each plan was in force. `actual` is what the run recorded, in the
 * time of the run; undefined where no bucket of both is known.
 */
export function forecastWape(plans: readonly PlanEntry[], actual: readonly DemandSeries[]): number | undefined {
  const byKey = new Map(actual.map((series) => [`${series.key.modelId}/${series.key.regionId}`, series]));
  let error = 0;
  let total = 0;
  for (const [i, plan] of plans.entries()) {
    const untilMs = plans[i + 1]?.atMs ?? plan.validUntilMs;
    for (const forecast of plan.forecasts) {
      const series = byKey.get(`${forecast.modelId}/${forecast.regionId}`);
      if (series === undefined) continue;
      for (const [h, expected] of forecast.expected.entries()) {
        const atMs = forecast.startMs + h * forecast.stepMs;
        if (atMs >= untilMs) break;
        const t = Math.round((atMs - series.startMs) / series.stepMs);
        const seen = (series.promptTokensPerS[t] ?? NaN) + (series.outputTokensPerS[t] ?? NaN);
        if (!(seen >= 0)) continue;
        error += Math.abs(expected - seen);
        total += seen;
      }
    }
  }
  return total > 0 ? error / total : undefined;
}
