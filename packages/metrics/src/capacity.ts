import { MS_PER_HOUR } from '@sageserve/core';

/**
 * How an instance was obtained: the cheapest way first. `initial` ones were there when the run
 * began.
 */
export const ACQUISITION_WAYS = ['initial', 'reclaim', 'redeploy', 'new-vm'] as const;
export type AcquisitionWay = (typeof ACQUISITION_WAYS)[number];

/** What one endpoint held, as exact integrals over the run in instance-milliseconds. */
export interface HeldTime {
  readonly gpusPerInstance: number;
  readonly usdPerGpuHour: number;
  readonly readyMs: number;
  readonly busyMs: number;
  readonly drainingMs: number;
  /** Provisioning time by way, in the order of {@link ACQUISITION_WAYS}. */
  readonly provisioningMs: readonly number[];
}

/** Capacity over a run. Held is what is paid for: provisioning, ready and draining. */
export interface CapacityReport {
  readonly instanceHours: number;
  readonly gpuHours: number;
  /** Held but not able to serve: provisioning. */
  readonly wastedGpuHours: number;
  readonly wastedGpuHoursByWay: Readonly<Record<AcquisitionWay, number>>;
  /** Ready with nothing to run. */
  readonly idleGpuHours: number;
  readonly costUsd: number;
}

/** Sums what endpoints held into hours and dollars. */
export function capacityReport(held: readonly HeldTime[]): CapacityReport {
  let instanceHours = 0;
  let gpuHours = 0;
  let idleGpuHours = 0;
  let costUsd = 0;
  const wasted = ACQUISITION_WAYS.map(() => 0);
  for (const h of held) {
    const provisioningMs = h.provisioningMs.reduce((sum, ms) => sum + ms, 0);
    const hours = (h.readyMs + h.drainingMs + provisioningMs) / MS_PER_HOUR;
    instanceHours += hours;
    gpuHours += hours * h.gpusPerInstance;
    costUsd += hours * h.gpusPerInstance * h.usdPerGpuHour;
    idleGpuHours += (Math.max(0, h.readyMs + h.drainingMs - h.busyMs) / MS_PER_HOUR) * h.gpusPerInstance;
    for (let way = 0; way < wasted.length; way++)
      wasted[way]! += ((h.provisioningMs[way] ?? 0) / MS_PER_HOUR) * h.gpusPerInstance;
  }
  return {
    instanceHours,
    gpuHours,
    wastedGpuHours: wasted.reduce((sum, hours) => sum + hours, 0),
    wastedGpuHoursByWay: Object.fromEntries(ACQUISITION_WAYS.map((way, i) => [way, wasted[i]!])) as Record<
      AcquisitionWay,
      number
    >,
    idleGpuHours,
    costUsd,
  };
}
