import {
  ConfigError,
  type EndpointId,
  MS_PER_MIN,
  type SavedState,
  type ScalingPolicy,
  stateOfVersion,
} from '@sageserve/core';
import { isLastForBacklog } from '../last-instance.js';
import { type HpaOptions, hpaScaling } from './hpa.js';
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
 * waits or is held back, and to none after a cooldown without any, where an endpoint may have none.
 * Source: KEDA
 * documentation, "Scaling deployments", and the vLLM production stack's tutorial on it.
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
    ({ endpoint, wanted, tolerance }) => {
      const waiting = endpoint.queuedRequests;
      if (waiting === undefined) return undefined;
      return {
        count: countForSum(waiting, queuedRequests, wanted, tolerance),
        why: `${waiting} requests wait, ${queuedRequests} for each instance`,
      };
    },
    ({ endpoint, fleet, wanted, nowMs }) => {
      const { endpointId, minInstances, queuedRequests: waiting, runningRequests: running } = endpoint;
      if (minInstances > 0) return minInstances;
      const isHeldFor = isLastForBacklog(endpoint, fleet);
      // What is not known may be there.
      if (isHeldFor || (waiting ?? 1) > 0 || (wanted > 0 && (running ?? 1) > 0)) activeAtMs.set(endpointId, nowMs);
      if (wanted === 0) return isHeldFor || (waiting ?? 0) > 0 ? 1 : 0;
      return nowMs - (activeAtMs.get(endpointId) ?? nowMs) < cooldownMs ? 1 : 0;
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
