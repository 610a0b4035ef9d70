import { ConfigError, type ModelId, type PlacementPlan, type RegionId, type RegionRouter, type Rng } from '@sageserve/core';

export interface PlannedRouterOptions {
  /** The plan in force, or undefined. */
  readonly plan: () => PlacementPlan | undefined;
  /** Decides where the plan says nothing, and where the region that it says is full: the paper's rule, usually. */
  readonly otherwise: RegionRouter;
  /** A region that the plan says is taken while its KV-cache utilisation is under this share (0–1, default 0.85), by model where it is a function. */
  readonly threshold?: number | ((modelId: ModelId) => number);
  readonly rng: Rng;
}

/** One model's and origin's weights under one plan, as positions of regions in the plan. */
interface Weights {
  readonly regionIds: readonly RegionId[];
  readonly cumulative: Float64Array;
}

/**
 * Sends each request where the plan's flows of the present window say, in proportion, as long as there is room. Requests of one origin are drawn at random, so that no state is kept between them;
 * weights are worked out once for each plan and window.
 */
export function createPlannedRouter(options: PlannedRouterOptions): RegionRouter {
  const { plan: current, otherwise, threshold = 0.85, rng } = options;
  if (typeof threshold === 'number' && !(threshold > 0 && threshold <= 1))
    throw new ConfigError('threshold', `must be above 0 and at most 1, not ${threshold}`);
  let plan: PlacementPlan | undefined;
  let windowEndsAtMs = -Infinity;
  let weights = new Map<ModelId, Map<RegionId, Weights | undefined>>();

  function weightsOf(from: PlacementPlan, window: number): typeof weights {
    const flows = from.flowTokensPerS![window]!;
    return new Map(
      from.models.map((model, m) => [
        model,
        new Map(
          from.regions.map((origin, o) => {
            const cumulative = new Float64Array(from.regions.length);
            let sum = 0;
            for (let r = 0; r < cumulative.length; r++) cumulative[r] = sum += flows.at(m, o, r);
            return [origin, sum > 0 ? { regionIds: from.regions, cumulative } : undefined];
          }),
        ),
      ]),
    );
  }

  function refresh(nowMs: number): void {
    const next = current();
    if (next === plan && nowMs < windowEndsAtMs) return;
    plan = next;
    windowEndsAtMs = Infinity;
    weights = new Map();
    const flows = plan?.flowTokensPerS;
    if (plan === undefined || flows === undefined || flows.length === 0) return;
    const { startMs, stepMs } = plan.demand ?? { startMs: plan.validFromMs, stepMs: (plan.validUntilMs - plan.validFromMs) / flows.length };
    const window = Math.min(flows.length - 1, Math.max(0, Math.floor((nowMs - startMs) / stepMs)));
    if (window < flows.length - 1) windowEndsAtMs = startMs + (window + 1) * stepMs;
    weights = weightsOf(plan, window);
  }

  return {
    name: 'planned',
    route(request, regions, nowMs) {
      refresh(nowMs);
      const row = weights.get(request.modelId)?.get(regions.regionId(request.originRegion));
      if (row === undefined) return otherwise.route(request, regions, nowMs);
      const { cumulative, regionIds } = row;
      const drawn = rng.next() * cumulative[cumulative.length - 1]!;
      let at = 0;
      while (cumulative[at]! <= drawn) at++;
      const wanted = regionIds[at]!;
      const count = regions.preferenceCount;
      for (let k = 0; k < count; k++) {
        const r = regions.preferred(k);
        if (regions.regionId(r) !== wanted) continue;
        const limit = typeof threshold === 'number' ? threshold : threshold(request.modelId);
        if (!regions.hosts(r) || !((regions.kvCacheUtilization(r) ?? Infinity) < limit)) break;
        return r;
      }
      return otherwise.route(request, regions, nowMs);
    },
  };
}
