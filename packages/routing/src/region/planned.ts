import {
  ConfigError,
  type ModelId,
  type PlacementPlan,
  type RegionId,
  type RegionIndex,
  type RegionPoolView,
  type RegionRouter,
  type Rng,
} from '@sageserve/core';

export interface PlannedRouterOptions {
  /** The plan in force, or undefined. */
  readonly plan: () => PlacementPlan | undefined;
  /**
   * Decides where the plan says nothing, and where the region that it says is full: the paper's
   * rule, usually.
   */
  readonly otherwise: RegionRouter;
  /**
   * A region that the plan says is taken while its KV-cache utilisation is under this share (0–1,
   * default 0.85), by model where it is a function, which is asked once for each plan and window.
   */
  readonly threshold?: number | ((modelId: ModelId) => number);
  /** Where each model's and origin's sequence begins, so that several routers do not go in step. */
  readonly rng: Rng;
}

/**
 * Steps of this size, modulo 1, fill the unit interval evenly from the first on (the golden ratio's
 * Weyl sequence).
 */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** One model's requests from one origin under one plan. */
interface Flow {
  readonly origin: RegionId;
  /** Shares of the plan's regions, added up; empty where the plan says nothing. */
  readonly cumulative: Float64Array;
  readonly regionIds: readonly RegionId[];
  /** Positions of the plan's regions among those that a request sees. */
  readonly at: Int32Array;
  readonly limit: number;
  drawn: number;
}

/**
 * Sends each request where the plan's flows of the present window say, in proportion, as long as
 * there is room. Which of them one goes to follows a sequence that is even over any stretch, so
 * that no region is sent a crowd by chance as it would be by random draws.
 */
export function createPlannedRouter(options: PlannedRouterOptions): RegionRouter {
  const { plan: current, otherwise, threshold = 0.85, rng } = options;
  if (typeof threshold === 'number' && !(threshold > 0 && threshold <= 1))
    throw new ConfigError('threshold', `must be above 0 and at most 1, not ${threshold}`);
  let plan: PlacementPlan | undefined;
  let windowEndsAtMs = -Infinity;
  /** By model, then by the position of the origin. */
  let flows = new Map<ModelId, Flow[]>();

  function refresh(nowMs: number): void {
    const next = current();
    if (next === plan && nowMs < windowEndsAtMs) return;
    plan = next;
    windowEndsAtMs = Infinity;
    const before = flows;
    flows = new Map();
    const windows = plan?.flowTokensPerS;
    if (plan === undefined || windows === undefined || windows.length === 0) return;
    const { startMs, stepMs } = plan.demand ?? {
      startMs: plan.validFromMs,
      stepMs: (plan.validUntilMs - plan.validFromMs) / windows.length,
    };
    const window = Math.min(windows.length - 1, Math.max(0, Math.floor((nowMs - startMs) / stepMs)));
    if (window < windows.length - 1) windowEndsAtMs = startMs + (window + 1) * stepMs;
    const grid = windows[window]!;
    for (const [m, model] of plan.models.entries()) {
      const limit = typeof threshold === 'number' ? threshold : threshold(model);
      const rows = plan.regions.map((origin, o): Flow => {
        const cumulative = new Float64Array(plan!.regions.length);
        let sum = 0;
        for (let r = 0; r < cumulative.length; r++) cumulative[r] = sum += grid.at(m, o, r);
        return {
          origin,
          cumulative: sum > 0 ? cumulative : new Float64Array(0),
          regionIds: plan!.regions,
          at: Int32Array.from(cumulative.keys()),
          limit,
          drawn: before.get(model)?.find((flow) => flow.origin === origin)?.drawn ?? rng.next(),
        };
      });
      flows.set(model, rows);
    }
  }

  /** Origins stand in the plan as they do in the fleet, usually: looked for where they don't. */
  function flowOf(rows: readonly Flow[], regions: RegionPoolView, originRegion: RegionIndex): Flow | undefined {
    const origin = regions.regionId(originRegion);
    const flow = rows[originRegion];
    return flow?.origin === origin ? flow : rows.find((one) => one.origin === origin);
  }

  function positionOf(flow: Flow, k: number, regions: RegionPoolView): RegionIndex {
    const wanted = flow.regionIds[k]!;
    const count = regions.count;
    let r = flow.at[k]!;
    if (r < count && regions.regionId(r) === wanted) return r;
    for (r = 0; r < count && regions.regionId(r) !== wanted; r++);
    if (r === count) return -1;
    return (flow.at[k] = r);
  }

  return {
    name: 'planned',
    route(request, regions, nowMs) {
      refresh(nowMs);
      const rows = flows.get(request.modelId);
      const flow = rows === undefined ? undefined : flowOf(rows, regions, request.originRegion);
      if (flow === undefined || flow.cumulative.length === 0) return otherwise.route(request, regions, nowMs);
      const { cumulative } = flow;
      flow.drawn += GOLDEN;
      if (flow.drawn >= 1) flow.drawn -= 1;
      const drawn = flow.drawn * cumulative[cumulative.length - 1]!;
      let k = 0;
      while (k < cumulative.length - 1 && cumulative[k]! <= drawn) k++;
      const r = positionOf(flow, k, regions);
      if (
        r !== -1 &&
        regions.allowed(r) &&
        regions.hosts(r) &&
        (regions.kvCacheUtilization(r) ?? Infinity) < flow.limit
      )
        return r;
      return otherwise.route(request, regions, nowMs);
    },
  };
}
