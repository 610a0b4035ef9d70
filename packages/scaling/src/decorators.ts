import {
  ConfigError,
  type EndpointId,
  type EndpointSnapshot,
  indexOfEndpoint,
  type ModelId,
  type ScalingDecision,
  type ScalingPolicy,
  type CountedEndpoint,
  isCounted,
  type SavedState,
  stateOfVersion,
} from '@sageserve/core';

/** Instances that an endpoint has or is getting: what a target is compared with. */
export function plannedInstances(endpoint: CountedEndpoint): number {
  return endpoint.readyInstances + endpoint.provisioningInstances;
}

/** A count held to the endpoint's bounds. */
export function bounded(count: number, endpoint: EndpointSnapshot): number {
  return Math.min(endpoint.maxInstances, Math.max(endpoint.minInstances, count));
}

const VERSION = 1;

interface CooldownState {
  readonly lastChangeAtMs: ReadonlyMap<EndpointId, number>;
  readonly inner: SavedState | undefined;
}

export interface CooldownOptions {
  /** After a change, the endpoint is left alone for this long (ms). */
  readonly cooldownMs: number;
}

/**
 * Leaves an endpoint alone for a while after each change that `policy` made to it. That what it
 * holds is wanted is said meanwhile too.
 */
export function withCooldown(policy: ScalingPolicy, options: CooldownOptions): ScalingPolicy {
  const { cooldownMs } = options;
  if (!(cooldownMs >= 0)) throw new ConfigError('cooldownMs', `must be 0 or more milliseconds, not ${cooldownMs}`);
  let lastChangeAtMs = new Map<EndpointId, number>();
  return {
    name: policy.name,
    save: () => ({ version: VERSION, state: { lastChangeAtMs: new Map(lastChangeAtMs), inner: policy.save?.() } }),
    restore(saved) {
      const state = stateOfVersion(policy.name, saved, VERSION) as CooldownState;
      if (state.inner !== undefined) policy.restore?.(state.inner);
      lastChangeAtMs = new Map(state.lastChangeAtMs);
    },
    decide(fleet, plan, nowMs) {
      const passed: ScalingDecision[] = [];
      let at = -1;
      for (const decision of policy.decide(fleet, plan, nowMs)) {
        const { endpointId, targetInstances } = decision;
        at = indexOfEndpoint(fleet, endpointId, at + 1);
        const endpoint = fleet.endpoints[at];
        const held = endpoint !== undefined && isCounted(endpoint) ? plannedInstances(endpoint) : undefined;
        // That an endpoint is to stay as it is changes nothing, whether it is at rest or not.
        if (held !== targetInstances) {
          if (nowMs - (lastChangeAtMs.get(endpointId) ?? -Infinity) < cooldownMs) continue;
          if (held !== undefined) lastChangeAtMs.set(endpointId, nowMs);
        }
        passed.push(decision);
      }
      return passed;
    },
  };
}

/**
 * Shows `policy` KV-cache utilisation as a share of what a model has in use at the largest load
 * within its objectives, which `kvWithin` knows (0–1): models differ in how much of their memory
 * they fill before they are slow, and one threshold is then right for all.
 */
export function withRelativeUtilization(policy: ScalingPolicy, kvWithin: (modelId: ModelId) => number): ScalingPolicy {
  const relative = (endpoint: EndpointSnapshot): EndpointSnapshot =>
    endpoint.kvCacheUtilization === undefined
      ? endpoint
      : { ...endpoint, kvCacheUtilization: endpoint.kvCacheUtilization / kvWithin(endpoint.modelId) };
  return {
    ...policy,
    decide: (fleet, plan, nowMs) => policy.decide({ ...fleet, endpoints: fleet.endpoints.map(relative) }, plan, nowMs),
  };
}

export interface BoundsOptions {
  readonly minInstances?: number;
  readonly maxInstances?: number;
}

/**
 * Keeps the targets of `policy` within bounds that are tighter than the endpoint's own. Where it
 * is content with what an endpoint holds, and the bounds do not allow that, nothing is said:
 * being content is no reason to scale, least of all in, where the load may not even be known.
 */
export function withBounds(policy: ScalingPolicy, options: BoundsOptions): ScalingPolicy {
  const { minInstances = 0, maxInstances = Infinity } = options;
  if (!(minInstances >= 0 && minInstances <= maxInstances))
    throw new ConfigError('minInstances', `must be from 0 to maxInstances (${maxInstances}), not ${minInstances}`);
  return {
    ...policy,
    decide(fleet, plan, nowMs) {
      let at = -1;
      const within: ScalingDecision[] = [];
      for (const decision of policy.decide(fleet, plan, nowMs)) {
        at = indexOfEndpoint(fleet, decision.endpointId, at + 1);
        const bound = boundedDecision(decision, fleet.endpoints[at], minInstances, maxInstances);
        if (bound !== undefined) within.push(bound);
      }
      return within;
    },
  };
}

function boundedDecision(
  decision: ScalingDecision,
  endpoint: EndpointSnapshot | undefined,
  minInstances: number,
  maxInstances: number,
): ScalingDecision | undefined {
  const low = Math.max(minInstances, endpoint?.minInstances ?? 0);
  const high = Math.max(low, Math.min(maxInstances, endpoint?.maxInstances ?? Infinity));
  const target = Math.min(high, Math.max(low, decision.targetInstances));
  if (target === decision.targetInstances) return decision;
  const held = endpoint !== undefined && isCounted(endpoint) ? plannedInstances(endpoint) : undefined;
  if (held === decision.targetInstances) return undefined;
  return { ...decision, targetInstances: target, reason: `${decision.reason}; held to ${low}–${high}` };
}
