import { ConfigError, type RegionId, type SkuId } from '@sageserve/core';

/** Something that goes wrong at a time of the run. */
export type Incident =
  /**
   * Every instance of a region is gone at once, with what it ran; the region takes nothing until it
   * is over.
   */
  | { readonly kind: 'region-outage'; readonly atMs: number; readonly durationMs: number; readonly region: RegionId }
  /**
   * The controller sees nothing new: it is given the last snapshot from before, and demand of that
   * time is never known.
   */
  | { readonly kind: 'telemetry-outage'; readonly atMs: number; readonly durationMs: number }
  /** The cloud takes back hosts after a notice: on-demand ones that serve, or donated spot ones. */
  | {
      readonly kind: 'eviction';
      readonly atMs: number;
      readonly noticeMs: number;
      readonly region: RegionId;
      readonly sku: SkuId;
      readonly instances: number;
      readonly target: 'on-demand' | 'spot';
    };

/** One change that an incident brings, at its time. */
export type IncidentStep =
  | { readonly kind: 'region-down' | 'region-up'; readonly atMs: number; readonly region: number }
  | { readonly kind: 'telemetry-down' | 'telemetry-up'; readonly atMs: number }
  | {
      readonly kind: 'evict';
      readonly atMs: number;
      readonly endsAtMs: number;
      readonly region: number;
      readonly sku: number;
      readonly instances: number;
      readonly spot: boolean;
    };

/**
 * The steps of all incidents in order of time, ties as they are listed. Throws `ConfigError` with
 * the incident's path.
 */
export function incidentSteps(
  incidents: readonly Incident[],
  regions: readonly RegionId[],
  skus: readonly SkuId[],
): IncidentStep[] {
  const steps: IncidentStep[] = [];
  for (const [i, incident] of incidents.entries()) {
    const at = `incidents[${i}]`;
    const time = (name: string, value: number): void => {
      if (!(value >= 0 && value < Infinity))
        throw new ConfigError(`${at}.${name}`, `must be a finite time of 0 or more, not ${value}`);
    };
    time('atMs', incident.atMs);
    const position = (name: string, known: readonly string[], value: string): number => {
      const found = known.indexOf(value);
      if (found === -1)
        throw new ConfigError(`${at}.${name}`, `"${value}" is not one of the fleet's`, {
          hint: `It has ${known.join(', ')}.`,
        });
      return found;
    };
    if (incident.kind === 'eviction') {
      time('noticeMs', incident.noticeMs);
      if (!(Number.isInteger(incident.instances) && incident.instances >= 1))
        throw new ConfigError(`${at}.instances`, `must be a whole number of 1 or more, not ${incident.instances}`);
      steps.push({
        kind: 'evict',
        atMs: incident.atMs,
        endsAtMs: incident.atMs + incident.noticeMs,
        region: position('region', regions, incident.region),
        sku: position('sku', skus, incident.sku),
        instances: incident.instances,
        spot: incident.target === 'spot',
      });
      continue;
    }
    time('durationMs', incident.durationMs);
    const endsAtMs = incident.atMs + incident.durationMs;
    if (incident.kind === 'region-outage') {
      const region = position('region', regions, incident.region);
      steps.push({ kind: 'region-down', atMs: incident.atMs, region }, { kind: 'region-up', atMs: endsAtMs, region });
    } else {
      steps.push({ kind: 'telemetry-down', atMs: incident.atMs }, { kind: 'telemetry-up', atMs: endsAtMs });
    }
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}
