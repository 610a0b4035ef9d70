import { buildSimulation, buildTraffic, DEFAULT_CATALOGUE, preset, simulate } from 'sageserve';
import { createStickyRouter } from './sticky-router.js';

/** Runs the same traffic under a built-in router and under one's own, by name. Returns p95 TTFT and the share of requests served away from home. */
export async function compareRouters(): Promise<Record<string, { ttftP95Ms: number; servedAway: number }>> {
  const catalogue = { ...DEFAULT_CATALOGUE, regionRouters: { ...DEFAULT_CATALOGUE.regionRouters, sticky: () => createStickyRouter() } };
  const results: Record<string, { ttftP95Ms: number; servedAway: number }> = {};
  for (const regionRouter of ['utilization', 'sticky']) {
    const scenario = { ...preset('small'), duration: '30m', regionRouter };
    const result = await simulate(buildSimulation(scenario, 'reactive', catalogue), await buildTraffic(scenario));
    results[regionRouter] = { ttftP95Ms: result.total.ttftMs.p95 ?? 0, servedAway: result.servedAway / result.total.arrived };
  }
  return results;
}
