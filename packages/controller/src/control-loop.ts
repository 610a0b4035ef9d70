import {
  type ActuationResult,
  type Actuator,
  ConfigError,
  type ControlLoop,
  type EndpointId,
  type EndpointSnapshot,
  type FleetSnapshot,
  messageOf,
  MS_PER_HOUR,
  MS_PER_MIN,
  MS_PER_S,
  type PlacementPlan,
  PolicyContractError,
  SCALING_CONTRACT,
  scalingBreach,
  type ScalingDecision,
  type ScalingPolicy,
  type TelemetrySource,
  type TickReport,
} from '@sageserve/core';
import type { ApprovalQueue } from './approvals.js';
import { type DecisionEntry, decisionEntry, type JournalSink, type SeenEndpoint } from './journal.js';
import { Planning, type PlanningOptions } from './planning.js';

/**
 * `act` carries decisions out; `advise` only writes them down; `approve` carries out those that a
 * person has approved.
 */
export type ControlMode = 'act' | 'advise' | 'approve';

export interface Cadences {
  /** How often the fleet is looked at and judged fresh or stale (ms, default as `reactMs`). */
  readonly observeMs?: number;
  /** How often the scaling policy is asked (ms, default 1 s). A multiple of `observeMs`. */
  readonly reactMs?: number;
  /** How often demand is forecast and a plan made, at multiples of it (ms, default 1 h). */
  readonly planMs?: number;
}

export interface ControlLoopOptions {
  readonly telemetry: TelemetrySource;
  readonly actuator: Actuator;
  readonly scalingPolicy: ScalingPolicy;
  /** Forecast and placement; without it the loop is reactive only. */
  readonly planning?: PlanningOptions;
  readonly cadences?: Cadences;
  readonly mode?: ControlMode;
  /** Where decisions wait for a person; needed for the mode `approve`. */
  readonly approvals?: ApprovalQueue;
  readonly journal?: JournalSink;
  /**
   * Told of each plan that comes into force, and of none: region routers take their weights from
   * it.
   */
  readonly onPlan?: (plan: PlacementPlan | undefined) => void;
  /** A snapshot older than this is stale (ms, default 2 min): the loop holds. */
  readonly staleAfterMs?: number;
  /** Time of the first tick (default 0); later ones follow at multiples of the cadences. */
  readonly firstTickAtMs?: number;
  /**
   * What becomes of a policy or forecaster that breaks its contract: `degrade` goes on without its
   * answer and says so, as a live fleet wants; `throw` ends the tick with a `PolicyContractError`,
   * as whoever tries a policy wants (default `degrade`).
   */
  readonly onBreach?: 'degrade' | 'throw';
  readonly signal?: AbortSignal;
}

/** What a tick reports beside its decisions. */
export interface ControlTickReport extends TickReport {
  readonly planned: boolean;
}

/** The same loop with what hosts and tests look at. */
export interface MultiTimescaleLoop extends ControlLoop {
  tick(nowMs: number): Promise<ControlTickReport>;
  readonly plan: PlacementPlan | undefined;
}

/** Times since 1970 are told apart by a quarter of it. */
const SHORTEST_CADENCE_MS = 0.001;
const ROUNDING = 1e-9;
/** How soon a plan that could not be made is tried again. */
const RETRY_MS = 5 * MS_PER_MIN;

const NO_DECISIONS: readonly ScalingDecision[] = [];
const NO_RESULTS: readonly ActuationResult[] = [];
const NONE: readonly string[] = [];

/**
 * The multi-timescale loop of the paper (arXiv 2502.14617, §5–6), passive: a host calls `tick` at
 * `nextTickAtMs`. It observes, asks the scaling policy, and every hour forecasts demand and solves
 * for a plan. A tick never throws because of what it depends on; it degrades one step and says so:
 * forecasts and plans as {@link PlanningOptions} say; stale telemetry holds everything, so that
 * nothing is scaled in on old news. Throws `ConfigError` for cadences that do not fit, and
 * `approve` without a queue.
 */
export function createControlLoop(options: ControlLoopOptions): MultiTimescaleLoop {
  const {
    telemetry,
    actuator,
    scalingPolicy,
    mode = 'act',
    approvals,
    journal,
    onPlan,
    staleAfterMs = 2 * MS_PER_MIN,
    firstTickAtMs = 0,
    onBreach = 'degrade',
    signal,
  } = options;
  const { reactMs = MS_PER_S, observeMs = reactMs, planMs = MS_PER_HOUR } = options.cadences ?? {};
  for (const [name, value] of Object.entries({ observeMs, reactMs, planMs }))
    if (!(value >= SHORTEST_CADENCE_MS && value < Infinity))
      throw new ConfigError(`cadences.${name}`, `must be ${SHORTEST_CADENCE_MS} milliseconds or more, not ${value}`);
  const looks = reactMs / observeMs;
  // Of lengths that are no sums of halves the quotient is rounded.
  if (Math.abs(looks - Math.round(looks)) > ROUNDING * looks)
    throw new ConfigError('cadences.reactMs', `must be a multiple of observeMs (${observeMs}), not ${reactMs}`);
  if (!(staleAfterMs > 0)) throw new ConfigError('staleAfterMs', `must be above 0, not ${staleAfterMs}`);
  if (mode === 'approve' && approvals === undefined)
    throw new ConfigError('approvals', 'is needed for the mode "approve"', {
      hint: 'Make one with createApprovalQueue().',
    });
  const planning = options.planning === undefined ? undefined : new Planning(options.planning, onBreach === 'throw');

  let plan: PlacementPlan | undefined;
  let nextTickAtMs = firstTickAtMs;
  let nextReactAtMs = firstTickAtMs;
  let nextPlanAtMs = firstTickAtMs;
  /** What was written down last of each endpoint. */
  const lastTold = new Map<EndpointId, string>();
  /** Degradations in force, by name: written down when they begin and when they end. */
  const open = new Map<string, 'telemetry' | 'planning' | 'policy'>();

  /** Brings the degradations of one kind up to date. */
  function degrade(kind: 'telemetry' | 'planning' | 'policy', now: readonly string[], nowMs: number): void {
    for (const [what, of] of open) {
      if (of !== kind || now.includes(what)) continue;
      open.delete(what);
      journal?.({ kind: 'recovery', atMs: nowMs, what: `no longer so: ${what}`, ends: what });
    }
    for (const what of now) {
      if (open.has(what)) continue;
      open.set(what, kind);
      journal?.({ kind: 'degradation', atMs: nowMs, what });
    }
  }

  /** The fleet as it is, or undefined and why it can't be acted on. */
  async function look(nowMs: number): Promise<{ fleet: FleetSnapshot | undefined; stale: string | undefined }> {
    let fleet: FleetSnapshot;
    try {
      fleet = await telemetry.snapshot();
    } catch (error) {
      signal?.throwIfAborted();
      return { fleet: undefined, stale: `telemetry can't be read (${messageOf(error)}): everything is held as it is` };
    }
    if (nowMs - fleet.takenAtMs > staleAfterMs)
      return { fleet: undefined, stale: 'telemetry is stale: everything is held as it is' };
    return { fleet, stale: undefined };
  }

  /** Returns whether there is a new plan. */
  async function makePlan(fleet: FleetSnapshot, nowMs: number): Promise<boolean> {
    const outcome = await planning!.plan(telemetry, fleet, nowMs, signal);
    degrade('planning', outcome.degradations, nowMs);
    if (outcome.entry !== undefined) journal?.(outcome.entry);
    if (outcome.plan !== plan) {
      plan = outcome.plan;
      onPlan?.(plan);
    }
    return outcome.entry !== undefined;
  }

  /** What the policy decides: nothing where it throws, and nothing that is no count. */
  function ask(fleet: FleetSnapshot, nowMs: number): readonly ScalingDecision[] {
    const isCount = ({ targetInstances }: ScalingDecision): boolean =>
      Number.isInteger(targetInstances) && targetInstances >= 0;
    try {
      const decisions = scalingPolicy.decide(fleet, plan, nowMs);
      if (onBreach === 'throw') {
        const breach = scalingBreach(decisions, fleet);
        if (breach !== undefined)
          throw new PolicyContractError(`scaling policy "${scalingPolicy.name}"`, breach, SCALING_CONTRACT);
      }
      const odd = decisions.find((decision) => !isCount(decision));
      degrade(
        'policy',
        odd === undefined ? NONE : [`${scalingPolicy.name} asks for ${odd.targetInstances} instances: that is ignored`],
        nowMs,
      );
      return odd === undefined ? decisions : decisions.filter(isCount);
    } catch (error) {
      if (onBreach === 'throw' && error instanceof PolicyContractError) throw error;
      degrade('policy', [`${scalingPolicy.name} failed (${messageOf(error)}): nothing is decided`], nowMs);
      return NO_DECISIONS;
    }
  }

  async function carryOut(
    decisions: readonly ScalingDecision[],
    fleet: FleetSnapshot,
    nowMs: number,
  ): Promise<readonly ActuationResult[]> {
    if (decisions.length === 0 && mode !== 'approve') return NO_RESULTS;
    const seen = new Map<EndpointId, EndpointSnapshot>();
    for (const endpoint of fleet.endpoints) seen.set(endpoint.endpointId, endpoint);
    // A repeated decision is no news: only what changes an endpoint's target is carried out and
    // written down.
    const changes = decisions.filter((decision) => {
      const endpoint = seen.get(decision.endpointId);
      return (
        endpoint === undefined || endpoint.readyInstances + endpoint.provisioningInstances !== decision.targetInstances
      );
    });
    if (mode === 'advise') {
      for (const decision of changes) note(decision, seen, nowMs, 'advised');
      return NO_RESULTS;
    }
    let due: readonly ScalingDecision[] = changes;
    if (mode === 'approve') {
      const fresh = approvals!.propose(changes, nowMs);
      for (const decision of fresh) note(decision, seen, nowMs, 'awaits-approval');
      // What a person approved may have grown old meanwhile: nothing shrinks on telemetry that is
      // not there.
      due = approvals!.takeApproved().filter(({ endpointId, targetInstances }) => {
        const endpoint = seen.get(endpointId);
        return (
          endpoint === undefined ||
          endpoint.kvCacheUtilization !== undefined ||
          targetInstances >= endpoint.readyInstances + endpoint.provisioningInstances
        );
      });
    }
    if (due.length === 0) return NO_RESULTS;
    // What is noted was seen before it was changed: snapshots are borrowed and may change with the
    // fleet.
    const before = journal === undefined ? undefined : due.map(({ endpointId }) => seenOf(seen.get(endpointId)));
    let results: readonly ActuationResult[];
    try {
      results = await actuator.apply(due, signal);
    } catch (error) {
      signal?.throwIfAborted();
      results = due.map(({ endpointId }) => ({
        endpointId,
        status: 'failed' as const,
        reachedInstances: 0,
        detail: messageOf(error),
      }));
    }
    if (before !== undefined) {
      const byId = new Map(results.map((result) => [result.endpointId, result]));
      for (const [i, decision] of due.entries()) {
        const result = byId.get(decision.endpointId);
        const endpoint = seen.get(decision.endpointId);
        // What could not be done is tried again with every tick, and told once.
        const told = `${decision.targetInstances}/${result?.reachedInstances}/${result?.status}`;
        if (result?.status !== 'applied' && lastTold.get(decision.endpointId) === told) continue;
        lastTold.set(decision.endpointId, told);
        journal!(
          decisionEntry(
            nowMs,
            decision,
            before[i],
            endpoint === undefined ? undefined : plannedOf(endpoint),
            result?.status ?? 'failed',
            result?.reachedInstances,
            result?.detail ?? (result === undefined ? 'the actuator did not answer' : undefined),
          ),
        );
      }
    }
    return results;
  }

  function note(
    decision: ScalingDecision,
    seen: ReadonlyMap<EndpointId, EndpointSnapshot>,
    nowMs: number,
    outcome: DecisionEntry['outcome'],
  ): void {
    const endpoint = seen.get(decision.endpointId);
    journal?.(
      decisionEntry(
        nowMs,
        decision,
        seenOf(endpoint),
        endpoint === undefined ? undefined : plannedOf(endpoint),
        outcome,
      ),
    );
  }

  /** What the plan in force says of an endpoint. */
  function plannedOf(endpoint: EndpointSnapshot): number | undefined {
    if (plan === undefined) return undefined;
    const [m, r, k] = [
      plan.models.indexOf(endpoint.modelId),
      plan.regions.indexOf(endpoint.regionId),
      plan.skus.indexOf(endpoint.skuId),
    ];
    return m === -1 || r === -1 || k === -1 ? undefined : plan.target.at(m, r, k);
  }

  return {
    get nextTickAtMs() {
      return nextTickAtMs;
    },
    get plan() {
      return plan;
    },
    async tick(nowMs) {
      const react = nowMs >= nextReactAtMs;
      const replan = planning !== undefined && nowMs >= nextPlanAtMs;
      if (nowMs >= nextTickAtMs) nextTickAtMs = after(nowMs, firstTickAtMs, observeMs);
      if (react) nextReactAtMs = after(nowMs, firstTickAtMs, reactMs);
      const { fleet, stale } = await look(nowMs);
      degrade('telemetry', stale === undefined ? NONE : [stale], nowMs);
      let results = NO_RESULTS;
      let decisions = NO_DECISIONS;
      if (fleet !== undefined) {
        // A plan that was missed while nothing could be seen is made as soon as something can.
        if (replan) {
          nextPlanAtMs = after(nowMs, firstTickAtMs, planMs);
          // One that could not be made is tried again soon, not after a whole period.
          if (!(await makePlan(fleet, nowMs))) nextPlanAtMs = Math.min(nextPlanAtMs, nowMs + RETRY_MS);
        }
        if (react) {
          decisions = ask(fleet, nowMs);
          results = await carryOut(decisions, fleet, nowMs);
        }
      }
      return {
        atMs: nowMs,
        decisions,
        results,
        degradations: open.size === 0 ? NONE : [...open.keys()],
        planned: replan && fleet !== undefined,
      };
    },
  };
}

/** The first multiple of a cadence after `nowMs`, counted from the first tick. */
function after(nowMs: number, firstMs: number, everyMs: number): number {
  const passed = Math.floor((nowMs - firstMs) / everyMs);
  const next = firstMs + (passed + 1) * everyMs;
  // Of a length that is no sum of halves the quotient may be rounded below the multiple that it is.
  return next > nowMs ? next : firstMs + (passed + 2) * everyMs;
}

function seenOf(endpoint: EndpointSnapshot | undefined): SeenEndpoint {
  return {
    readyInstances: endpoint?.readyInstances ?? 0,
    provisioningInstances: endpoint?.provisioningInstances ?? 0,
    drainingInstances: endpoint?.drainingInstances ?? 0,
    kvCacheUtilization: endpoint?.kvCacheUtilization,
    queuedTokens: endpoint?.queuedTokens,
    demandTokensPerS: endpoint?.demandTokensPerS,
  };
}
