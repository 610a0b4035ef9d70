import {
  ConfigError,
  type CountedEndpoint,
  type EndpointId,
  type FleetSnapshot,
  MS_PER_MIN,
  type SavedState,
  type ScalingPolicy,
  stateOfVersion,
} from '@sageserve/core';
import { isLastForBacklog, isSamePool } from '../last-instance.js';
import { type HpaOptions, hpaScaling, readyInPool } from './hpa.js';
import { countForSum } from './hpa-count.js';

export interface KedaQueueOptions extends Omit<HpaOptions, 'targets'> {
  /** Waiting requests for each instance that is asked for (default 5). */
  readonly queuedRequests?: number;
  /**
   * An endpoint that may have none has none after so long without a request (ms, default 5 min).
   */
  readonly cooldownMs?: number;
}

/**
 * KEDA on the length of an engine's queue, as fleets of vLLM are scaled: waiting requests ÷ target,
 * rounded up, handed to Kubernetes' autoscaler as a sum; from none to one as soon as a request
 * waits or is held back; and to none, whatever was asked for of late, after a cooldown in which
 * none waited, ran or was held back, where an endpoint may have none. Of several SKUs each counts
 * its share of what waits. Source: KEDA documentation, "Scaling deployments", and the vLLM
 * production stack's tutorial on it.
 */
export function createKedaQueueScaling(options: KedaQueueOptions = {}): ScalingPolicy {
  const { queuedRequests = 5, cooldownMs = 5 * MS_PER_MIN, ...rest } = options;
  if (!(queuedRequests > 0)) throw new ConfigError('queuedRequests', `must be above 0, not ${queuedRequests}`);
  if (!(cooldownMs >= 0)) throw new ConfigError('cooldownMs', `must be 0 or more milliseconds, not ${cooldownMs}`);
  /** When a request waited or ran last, by endpoint. */
  let activeAtMs = new Map<EndpointId, number>();
  const hpa = hpaScaling(
    'keda-queue',
    rest,
    ({ endpoint, fleet, wanted, tolerance }) => {
      const waiting = endpoint.queuedRequests;
      if (waiting === undefined) return undefined;
      const share = shareOfPool(endpoint, fleet);
      const here = share === 1 ? '' : `, ${(100 * share).toFixed(0)} % of them here`;
      return {
        count: countForSum(waiting * share, queuedRequests, wanted, tolerance),
        why: `${waiting} requests wait${here}, ${queuedRequests} for each instance`,
      };
    },
    ({ endpoint, fleet, wanted, nowMs }) => {
      const { endpointId, minInstances, queuedRequests: waiting, runningRequests: running } = endpoint;
      if (minInstances > 0) return minInstances;
      const isHeldFor = isLastForBacklog(endpoint, fleet);
      // What is not known may be there.
      const isActive = isHeldFor || (waiting ?? 1) > 0 || (wanted > 0 && (running ?? 1) > 0);
      if (isActive || !activeAtMs.has(endpointId)) activeAtMs.set(endpointId, nowMs);
      if (wanted === 0) return isHeldFor || (waiting ?? 0) > 0 ? 1 : 0;
      return isActive || nowMs - activeAtMs.get(endpointId)! < cooldownMs ? 1 : 0;
    },
  );
  return {
    ...hpa,
    save: (): SavedState => ({ version: 1, state: { activeAtMs: new Map(activeAtMs), hpa: hpa.save!() } }),
    restore(saved) {
      const state = stateOfVersion('keda-queue', saved, 1) as {
        readonly activeAtMs: ReadonlyMap<EndpointId, number>;
        readonly hpa: SavedState;
      };
      activeAtMs = new Map(state.activeAtMs);
      hpa.restore!(state.hpa);
    },
  };
}

/** What an endpoint has of its pool's queue: that of its ready instances, evenly where none is. */
function shareOfPool(endpoint: CountedEndpoint, fleet: FleetSnapshot): number {
  const ready = readyInPool(endpoint, fleet);
  if (ready > 0) return endpoint.readyInstances / ready;
  return 1 / fleet.endpoints.filter((other) => isSamePool(other, endpoint)).length;
}
