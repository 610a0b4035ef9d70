import {
  ConfigError,
  type CountedEndpoint,
  type EndpointId,
  type FleetSnapshot,
  isCounted,
  type ModelId,
  MS_PER_S,
  type SavedState,
  type ScalingDecision,
  type ScalingPolicy,
  stateOfVersion,
} from '@sageserve/core';
import { plannedInstances } from '../decorators.js';
import { isSamePool } from '../last-instance.js';
import { told } from '../told.js';
import {
  behave,
  checkRules,
  firstHistory,
  HPA_SCALE_IN,
  HPA_SCALE_OUT,
  type HpaHistory,
  type HpaRules,
  withChange,
} from './hpa-behavior.js';
import { countForMean } from './hpa-count.js';

/** A target for the mean over ready instances, above 0, by model where models differ. */
export type HpaTarget = number | ((modelId: ModelId) => number);

/** What the mean over ready instances is to be, of one metric or of several. */
export interface HpaTargets {
  /** KV-cache tokens in use ÷ capacity. */
  readonly kvCacheUtilization?: HpaTarget;
  /** Requests that an instance has begun and not ended. */
  readonly runningRequests?: HpaTarget;
  /** Requests that wait, for each ready instance. */
  readonly queuedRequests?: HpaTarget;
}

export interface HpaOptions {
  /** Default: KV-cache utilisation at 0.7. Of several the one that asks for most wins. */
  readonly targets?: HpaTargets;
  /** How far a mean may be from its target before anything changes, as a share of it (0.1). */
  readonly tolerance?: number;
  /** How often metrics are looked at (ms, default 15 s). */
  readonly everyMs?: number;
  /** How fast instances are added (default {@link HPA_SCALE_OUT}). */
  readonly scaleOut?: HpaRules;
  /** How fast they are removed (default {@link HPA_SCALE_IN}). */
  readonly scaleIn?: HpaRules;
}

/** What a count is worked out from: figures of an endpoint, and what was asked for last. */
export interface HpaReading {
  readonly endpoint: CountedEndpoint;
  readonly fleet: FleetSnapshot;
  readonly wanted: number;
  readonly tolerance: number;
  readonly nowMs: number;
}

/** What the metrics of an endpoint ask for; `undefined` where none is known. */
export type HpaCount = (reading: HpaReading) => { readonly count: number; readonly why: string } | undefined;

const DEFAULT_TARGETS: HpaTargets = { kvCacheUtilization: 0.7 };
const METRICS: readonly (readonly [keyof HpaTargets, string])[] = [
  ['kvCacheUtilization', 'KV use'],
  ['runningRequests', 'running requests'],
  ['queuedRequests', 'waiting requests'],
];

/**
 * Kubernetes' Horizontal Pod Autoscaler on the metrics of an inference engine, as its `behavior` is
 * documented: ready instances × mean ÷ target, rounded up, outside of a tolerance; out by four
 * instances or to twice as many every 15 s, in after five minutes to the highest count of late.
 * Instances that are on their way are pending pods: they use nothing where there are to be more,
 * and are left out where there are to be fewer. A metric that is not known asks for nothing, and
 * where one is not known nothing is scaled in. What was asked for is asked for again where
 * instances were lost, as a deployment does. It never asks for none: see
 * `createKedaQueueScaling`. Metrics are as old as the host's, without a pipeline's delay. Source:
 * Kubernetes documentation, "Horizontal Pod Autoscaling".
 */
export function createHpaScaling(options: HpaOptions = {}): ScalingPolicy {
  const { targets = DEFAULT_TARGETS } = options;
  const used = METRICS.filter(([metric]) => targets[metric] !== undefined);
  if (used.length === 0) throw new ConfigError('targets', 'needs a target for one metric at least');
  for (const [metric] of used) {
    const target = targets[metric]!;
    if (typeof target === 'number' && !(target > 0))
      throw new ConfigError(`targets.${metric}`, `must be above 0, not ${target}`);
    if (metric === 'kvCacheUtilization' && typeof target === 'number' && target > 1)
      throw new ConfigError(`targets.${metric}`, `is a share and must be at most 1, not ${target}`);
  }
  return hpaScaling('hpa', options, ({ endpoint, fleet, wanted, tolerance }) => {
    const { readyInstances: ready, modelId } = endpoint;
    let most: { count: number; why: string } | undefined;
    let isKnown = true;
    for (const [metric, name] of used) {
      const value = endpoint[metric];
      const mean =
        metric === 'kvCacheUtilization' || value === undefined ? value : value / readyInPool(endpoint, fleet);
      if (ready === 0 || mean === undefined) {
        isKnown = false;
        continue;
      }
      const target = of(targets[metric]!, modelId);
      const replicas = { wanted, ready, unready: Math.max(0, wanted - ready) };
      const count = countForMean(mean, target, replicas, tolerance);
      if (most === undefined || count > most.count)
        most = { count, why: `${name} ${told(mean, target)} for a target of ${target}, ${ready} ready` };
    }
    return most === undefined || (!isKnown && most.count < wanted) ? undefined : most;
  });
}

/**
 * Ready instances of all endpoints that have one pool's work between them: of several SKUs each is
 * shown the requests of all.
 */
export function readyInPool(endpoint: CountedEndpoint, { endpoints }: FleetSnapshot): number {
  return endpoints.reduce((sum, other) => sum + (isSamePool(other, endpoint) ? (other.readyInstances ?? 0) : 0), 0);
}

function of(target: HpaTarget, modelId: ModelId): number {
  return typeof target === 'number' ? target : target(modelId);
}

/** What is remembered of one endpoint. */
interface Workload {
  readonly wanted: number;
  /** When that was asked for. */
  readonly askedAtMs: number;
  readonly history: HpaHistory;
}

interface HpaState {
  readonly lookedAtMs: number;
  readonly workloads: ReadonlyMap<EndpointId, Workload>;
}

const VERSION = 2;

/**
 * The loop of an autoscaler that takes its counts from `countOf`. Where `floorOf` says 0 there is
 * no work for an endpoint, and it has none at once.
 */
export function hpaScaling(
  name: string,
  options: Omit<HpaOptions, 'targets'>,
  countOf: HpaCount,
  floorOf: (reading: HpaReading) => number = ({ endpoint }) => Math.max(1, endpoint.minInstances),
): ScalingPolicy {
  const { tolerance = 0.1, everyMs = 15 * MS_PER_S, scaleOut = HPA_SCALE_OUT, scaleIn = HPA_SCALE_IN } = options;
  if (!(tolerance >= 0 && tolerance < 1))
    throw new ConfigError('tolerance', `must be from 0 to under 1, not ${tolerance}`);
  if (!(everyMs >= 0)) throw new ConfigError('everyMs', `must be 0 or more milliseconds, not ${everyMs}`);
  checkRules('scaleOut', scaleOut);
  checkRules('scaleIn', scaleIn);
  let lookedAtMs = -Infinity;
  let workloads = new Map<EndpointId, Workload>();

  function step(endpoint: CountedEndpoint, fleet: FleetSnapshot, nowMs: number): ScalingDecision {
    const { endpointId, maxInstances, observedAtMs = fleet.takenAtMs } = endpoint;
    const known = workloads.get(endpointId);
    const planned = plannedInstances(endpoint);
    // Others may have asked for more than is remembered; what was read before that shows nothing.
    const isNews = known === undefined || observedAtMs > known.askedAtMs;
    const wanted = Math.max(known?.wanted ?? 0, isNews ? planned : 0);
    let history = known?.history ?? firstHistory(nowMs, wanted);
    const reading = { endpoint, fleet, wanted, tolerance, nowMs };
    const floor = floorOf(reading);
    const least = Math.min(maxInstances, floor);
    const asked = countOf(reading);
    let count = floor === 0 ? 0 : Math.min(maxInstances, Math.max(least, wanted));
    let reason = 'no metric is known: what was asked for stays';
    if (floor === 0) reason = 'no request has waited or run of late';
    else if (count !== wanted) {
      history = withChange(history, wanted, count, nowMs);
      reason = `${wanted} are not within ${least} to ${maxInstances}`;
    } else if (asked !== undefined) {
      const behavior = { scaleOut, scaleIn };
      ({ count, history } = behave(behavior, asked.count, wanted, { least, most: maxInstances }, nowMs, history));
      reason = asked.why;
    }
    workloads.set(endpointId, { wanted: count, askedAtMs: nowMs, history });
    return { endpointId, targetInstances: count, reason };
  }

  return {
    name,
    decide(fleet, _plan, nowMs) {
      const passedMs = nowMs - lookedAtMs;
      if (passedMs < everyMs) return [];
      // Asked at other times than its own, it keeps its pace.
      lookedAtMs = passedMs < Infinity && everyMs > 0 ? nowMs - (passedMs % everyMs) : nowMs;
      return fleet.endpoints.filter(isCounted).map((endpoint) => step(endpoint, fleet, nowMs));
    },
    save(): SavedState {
      const state: HpaState = { lookedAtMs, workloads: new Map(workloads) };
      return { version: VERSION, state };
    },
    restore(saved) {
      const state = stateOfVersion(name, saved, VERSION) as HpaState;
      lookedAtMs = state.lookedAtMs;
      workloads = new Map(state.workloads);
    },
  };
}
