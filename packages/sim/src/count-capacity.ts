import { endpointId, MS_PER_HOUR, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import { type CapacityReport, capacityReport, type RequestMetrics, type RequestReport } from '@sageserve/metrics';
import type { ResolvedConfig } from './config.js';
import type { Fleet } from './fleet.js';
import type { Bill, EndpointReport, GroupReport, ModelReport } from './results.js';

/** What the fleet held up to a time. */
export interface CountedCapacity {
  readonly capacity: CapacityReport;
  readonly endpoints: readonly EndpointReport[];
  readonly spotGpuHours: number;
  readonly bill: Bill;
}

export function countCapacity(
  { endpoints, regions, skus }: ResolvedConfig,
  fleet: Fleet,
  nowMs: number,
): CountedCapacity {
  const held = endpoints.map((_, e) => fleet.heldTime(e, nowMs));
  let spotGpuHours = 0;
  let donatedUsd = 0;
  let spotUsd = 0;
  for (const [k, sku] of skus.entries()) {
    const hours = regions.reduce((sum, _, r) => sum + fleet.spotGpuMs(r, k, nowMs) / MS_PER_HOUR, 0);
    spotGpuHours += hours;
    donatedUsd += hours * sku.usdPerGpuHour;
    spotUsd += hours * (sku.usdPerSpotGpuHour ?? 0);
  }
  const capacity = capacityReport(held);
  return {
    capacity,
    spotGpuHours,
    bill: { heldUsd: capacity.costUsd, donatedUsd, spotUsd, netUsd: capacity.costUsd + donatedUsd - spotUsd },
    endpoints: endpoints.map((spec, e) => ({
      endpointId: endpointId(spec.region, spec.model, spec.sku, spec.pool),
      regionId: spec.region,
      modelId: spec.model,
      capacity: capacityReport([held[e]]),
    })),
  };
}

/** What became of the requests: in all, by tier, by model and tier, and by region of origin too. */
export interface CountedRequests {
  readonly total: RequestReport;
  readonly byTier: Readonly<Partial<Record<WorkloadTier, RequestReport>>>;
  readonly byModel: readonly ModelReport[];
  readonly byGroup: readonly GroupReport[];
}

/** `metrics` groups by model × region. Tiers and groups to which nothing came are left out. */
export function countRequests(
  { models, regions }: ResolvedConfig,
  metrics: RequestMetrics,
  durationMs: number,
): CountedRequests {
  const byTier: Partial<Record<WorkloadTier, RequestReport>> = {};
  for (const [t, tier] of WORKLOAD_TIERS.entries()) {
    const report = metrics.report(durationMs, (_, other) => other === t);
    if (report.arrived > 0) byTier[tier] = report;
  }
  const byModel: ModelReport[] = [];
  const byGroup: GroupReport[] = [];
  for (const [m, model] of models.entries()) {
    const modelOf = (group: number): number => Math.floor(group / regions.length);
    for (const [t, tier] of WORKLOAD_TIERS.entries()) {
      const report = metrics.report(durationMs, (group, other) => modelOf(group) === m && other === t);
      if (report.arrived > 0) byModel.push({ modelId: model, tier, requests: report });
    }
    for (const [r, region] of regions.entries()) {
      for (const [t, tier] of WORKLOAD_TIERS.entries()) {
        const report = metrics.report(durationMs, (group, other) => group === m * regions.length + r && other === t);
        if (report.arrived > 0) byGroup.push({ modelId: model, originRegion: region, tier, requests: report });
      }
    }
  }
  return { total: metrics.report(durationMs), byTier, byModel, byGroup };
}
