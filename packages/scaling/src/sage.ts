import {
  ConfigError,
  type EndpointId,
  type FleetSnapshot,
  type ModelId,
  MS_PER_HOUR,
  MS_PER_MIN,
  MS_PER_S,
  type PlacementPlan,
  type ScalingDecision,
  type ScalingPolicy,
  isCounted,
  type CountedEndpoint,
  type SavedState,
  stateOfVersion,
} from '@sageserve/core';
import { bounded, plannedInstances } from './decorators.js';
import { keeping } from './kept.js';
import { boundedByWork } from './last-instance.js';
import { cellOf, isUnknown, type PlanCell, windowAt } from './planned.js';
import { createReactiveScaling } from './reactive.js';
import { correctedNeed, type CorrectionState, DEFAULT_EVERY_MS, DemandCorrection, type Needs } from './sage-need.js';

export interface SageScalingOptions {
  /** How often needs are weighed (ms, default 15 s). */
  readonly everyMs?: number;
  /**
   * Added to the longest measured provisioning delay: capacity is asked for that long before it is
   * needed (ms, default 90 s).
   */
  readonly marginMs?: number;
  /** Provisioning delay before one was measured (ms, default 2 min). */
  readonly assumedDelayMs?: number;
  /**
   * An instance is kept through a dip in need that is shorter than this many times the provisioning
   * delay (default 6): what the dip saves is less than what it costs to come back.
   */
  readonly holdDelays?: number;
  /** An endpoint shrinks only to what it needed at most in the last while (ms, default 10 min). */
  readonly settleMs?: number;
  /**
   * Hours in which the backlog of non-interactive work is to be served, where deadlines leave them
   * (default {@link DEFAULT_DRAIN_HOURS}).
   */
  readonly drainHours?: number;
  /**
   * Share (0–1) of the non-interactive work that arrives, by its rate over the last hour, for which
   * there is capacity at any time (default 0.5); the rest fills what is left over.
   */
  readonly arrivalShare?: number;
  /** Work is to end this long before its deadline (ms, default 2 h). */
  readonly slackMs?: number;
  /**
   * KV-cache utilisation (0–1, default 0.9) that counts as a burst, by model where it is a
   * function.
   */
  readonly burstAbove?: number | ((modelId: ModelId) => number);
  /** Prompt tokens that wait, in seconds of an endpoint's work, that count as one (default 2 s). */
  readonly burstQueueS?: number;
  /**
   * Most instances that bursts may add to an endpoint, as a share of what it needs otherwise
   * (default 0.3; one at least).
   */
  readonly maxOvershoot?: number;
  /** How long its signs must last before a burst is believed (ms, default 1 min). */
  readonly burstLastsMs?: number;
  /** How long what a burst added is kept after its last sign (ms, default 5 min). */
  readonly burstHoldMs?: number;
  /** Decides while there is no plan; reactive by default. */
  readonly withoutPlan?: ScalingPolicy;
}

/** What waits may be drained over half of its day: the nights take it. */
export const DEFAULT_DRAIN_HOURS = 12;

const VERSION = 1;

interface SageState {
  readonly nextAtMs: number;
  readonly states: ReadonlyMap<EndpointId, EndpointState>;
  readonly correction: CorrectionState;
  readonly withoutPlan: SavedState | undefined;
}

interface EndpointState {
  /** Needs of the last while, newest last. */
  readonly needs: { readonly atMs: number; readonly count: number }[];
  burst: number;
  burstSeenAtMs: number;
  /** Since when the signs of a burst have lasted; undefined while there are none. */
  burstSinceMs: number | undefined;
}

/**
 * Ours. The plan's schedule, corrected by what has been seen since it was made, says what each
 * window needs; an endpoint has what is needed between now and the end of its own measured
 * provisioning delay, so that capacity is ready when a peak is. It lets go of what the coming hours
 * do not need again soon. Non-interactive work fills the headroom, and adds to the need by what its
 * backlog and deadlines ask for. Bursts add a bounded number on top. Nothing shrinks before its
 * need has settled, so that counts do not swing.
 */
export function createSageScaling(options: SageScalingOptions = {}): ScalingPolicy {
  const {
    everyMs = DEFAULT_EVERY_MS,
    marginMs = 90 * MS_PER_S,
    assumedDelayMs = 2 * MS_PER_MIN,
    holdDelays = 6,
    settleMs = 10 * MS_PER_MIN,
    drainHours = DEFAULT_DRAIN_HOURS,
    arrivalShare = 0.5,
    slackMs = 2 * MS_PER_HOUR,
    burstAbove = 0.9,
    burstQueueS = 2,
    maxOvershoot = 0.3,
    burstLastsMs = MS_PER_MIN,
    burstHoldMs = 5 * MS_PER_MIN,
    withoutPlan = createReactiveScaling(),
  } = options;
  for (const [name, value] of Object.entries({
    everyMs,
    marginMs,
    assumedDelayMs,
    holdDelays,
    settleMs,
    arrivalShare,
    slackMs,
    burstQueueS,
    maxOvershoot,
    burstLastsMs,
    burstHoldMs,
  }))
    if (!(value >= 0 && value < Infinity))
      throw new ConfigError(name, `must be a finite number of 0 or more, not ${value}`);
  if (arrivalShare > 1) throw new ConfigError('arrivalShare', `must be at most 1, not ${arrivalShare}`);
  if (!(drainHours > 0)) throw new ConfigError('drainHours', `must be above 0, not ${drainHours}`);
  if (typeof burstAbove === 'number' && !(burstAbove > 0 && burstAbove <= 1))
    throw new ConfigError('burstAbove', `must be above 0 and at most 1, not ${burstAbove}`);

  let states = new Map<EndpointId, EndpointState>();
  const correction = new DemandCorrection();
  const kept = keeping('as many are needed, or will be again soon');
  let nextAtMs = -Infinity;

  const stateOf = (id: EndpointId): EndpointState => {
    let state = states.get(id);
    if (state === undefined)
      states.set(id, (state = { needs: [], burst: 0, burstSeenAtMs: -Infinity, burstSinceMs: undefined }));
    return state;
  };

  /** Instances that a burst adds for now. */
  function burstOf(
    endpoint: CountedEndpoint,
    state: EndpointState,
    need: number,
    tokensPerS: number,
    nowMs: number,
  ): number {
    const utilization = endpoint.kvCacheUtilization ?? 0;
    const queueS =
      tokensPerS > 0 && endpoint.readyInstances > 0
        ? (endpoint.queuedTokens ?? 0) / (tokensPerS * endpoint.readyInstances)
        : 0;
    const most = Math.max(1, Math.floor(need * maxOvershoot));
    const limit = typeof burstAbove === 'number' ? burstAbove : burstAbove(endpoint.modelId);
    if (utilization > limit || queueS > burstQueueS) {
      state.burstSeenAtMs = nowMs;
      state.burstSinceMs ??= nowMs;
      // What is on its way already has not had its chance yet.
      if (nowMs - state.burstSinceMs >= burstLastsMs && endpoint.provisioningInstances === 0)
        state.burst = Math.min(most, state.burst + 1);
    } else {
      state.burstSinceMs = undefined;
      if (nowMs - state.burstSeenAtMs >= burstHoldMs && state.burst > 0) {
        state.burst--;
        state.burstSeenAtMs = nowMs;
      }
    }
    return Math.min(state.burst, most);
  }

  function decideFor(
    endpoint: CountedEndpoint,
    cell: PlanCell,
    fleet: FleetSnapshot,
    plan: PlacementPlan,
    needs: Needs,
    nowMs: number,
  ): ScalingDecision | undefined {
    const state = stateOf(endpoint.endpointId);
    const delayMs = endpoint.provisioningDelayMs ?? assumedDelayMs;
    const leadEndMs = nowMs + delayMs + marginMs;
    const demand = plan.demand!;
    const { windows } = needs;
    const lead = windowAt(demand, leadEndMs, windows);
    const neededBy = (at: PlanCell | undefined): number => {
      let most = 0;
      if (at !== undefined)
        for (let w = windowAt(demand, nowMs, windows); w <= lead; w++) most = Math.max(most, needs.at(w, at));
      return most;
    };
    const base = boundedByWork(neededBy(cell), endpoint, fleet, (other) => neededBy(cellOf(plan, other)));
    const burst = burstOf(endpoint, state, base, plan.tokensPerSPerInstance?.at(cell.m, 0, cell.k) ?? 0, nowMs);
    const wanted = bounded(base + burst, endpoint);
    state.needs.push({ atMs: nowMs, count: wanted });
    while (state.needs[0]!.atMs < nowMs - settleMs) state.needs.shift();
    const planned = plannedInstances(endpoint);
    const because =
      `${base} are needed within ` +
      `${minutes(delayMs + marginMs)}${burst > 0 ? `, and ${burst} more for a burst` : ''}`;
    if (wanted > planned) return { endpointId: endpoint.endpointId, targetInstances: wanted, reason: because };
    if (isUnknown(endpoint)) return undefined;
    if (wanted === planned) return kept(endpoint);
    // The next rise: what will be needed again so soon that letting go costs more than keeping.
    let again = wanted;
    const held = windowAt(demand, leadEndMs + holdDelays * delayMs, windows);
    for (let w = lead; w <= held; w++) again = Math.max(again, bounded(needs.at(w, cell), endpoint));
    let settled = again;
    for (const { count } of state.needs) settled = Math.max(settled, count);
    // What was needed a while ago may be more than there may be now.
    settled = bounded(settled, endpoint);
    if (settled >= planned) return kept(endpoint);
    return {
      endpointId: endpoint.endpointId,
      targetInstances: settled,
      reason: `${because}; ${settled} are enough for the next ${minutes(delayMs + marginMs + holdDelays * delayMs)}`,
    };
  }

  return {
    name: 'sage',
    save() {
      const state: SageState = {
        nextAtMs,
        // What a need was is not changed any more; the lists are.
        states: new Map(Array.from(states, ([id, one]) => [id, { ...one, needs: [...one.needs] }])),
        correction: correction.save(),
        withoutPlan: withoutPlan.save?.(),
      };
      return { version: VERSION, state };
    },
    restore(saved) {
      const state = stateOfVersion('sage', saved, VERSION) as SageState;
      if (state.withoutPlan !== undefined) withoutPlan.restore?.(state.withoutPlan);
      correction.restore(state.correction);
      states = new Map(Array.from(state.states, ([id, one]) => [id, { ...one, needs: [...one.needs] }]));
      nextAtMs = state.nextAtMs;
    },
    decide(fleet: FleetSnapshot, plan, nowMs) {
      if (plan?.demand === undefined) return withoutPlan.decide(fleet, plan, nowMs);
      if (nowMs < nextAtMs) return [];
      nextAtMs = nowMs + everyMs;
      correction.observe(fleet, plan, nowMs);
      const needs = correctedNeed(
        fleet,
        plan,
        correction,
        { drainMs: drainHours * MS_PER_HOUR, slackMs, arrivalShare },
        nowMs,
      );
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        if (!isCounted(endpoint)) continue;
        const cell = cellOf(plan, endpoint);
        if (cell === undefined) continue;
        const decision = decideFor(endpoint, cell, fleet, plan, needs, nowMs);
        if (decision !== undefined) decisions.push(decision);
      }
      return decisions;
    },
  };
}

function minutes(ms: number): string {
  return `${(ms / MS_PER_MIN).toFixed(0)} min`;
}
