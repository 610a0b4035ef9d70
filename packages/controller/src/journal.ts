import type { Awaitable, EndpointId, ModelId, PlacementShortfall, RegionId, ScalingDecision } from '@sageserve/core';
import type { Proposal } from './approvals.js';

/** What an endpoint looked like when something was decided for it. */
export interface SeenEndpoint {
  readonly readyInstances: number | undefined;
  readonly provisioningInstances: number | undefined;
  readonly drainingInstances: number | undefined;
  readonly kvCacheUtilization: number | undefined;
  readonly queuedTokens: number | undefined;
  readonly demandTokensPerS: number | undefined;
}

/** One series of a forecast: the whole horizon, in tokens/s, with its 0.1 and 0.9 quantiles. */
export interface JournalForecast {
  readonly modelId: ModelId;
  readonly regionId: RegionId;
  readonly method: string;
  readonly startMs: number;
  readonly stepMs: number;
  readonly expected: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** A forecast and the plan made from it. */
export interface PlanEntry {
  readonly kind: 'plan';
  readonly atMs: number;
  readonly status: string;
  readonly solver: string;
  readonly validUntilMs: number;
  /** Instances by `region/model/sku`: what is held, and what is planned. */
  readonly targets: Readonly<Record<string, { readonly held: number; readonly target: number }>>;
  readonly forecasts: readonly JournalForecast[];
  readonly shortfall: readonly PlacementShortfall[];
  readonly notes: readonly string[];
}

/** One decision: what was seen, what was planned, what was done and why. */
export interface DecisionEntry {
  readonly kind: 'decision';
  readonly atMs: number;
  readonly endpointId: EndpointId;
  readonly seen: SeenEndpoint;
  /** What the plan in force says; undefined without one. */
  readonly plannedInstances: number | undefined;
  readonly targetInstances: number;
  readonly reason: string;
  /**
   * As of `ActuationResult` and `ProposalChange`; `held`: it was not carried out, and `detail` says
   * why.
   */
  readonly outcome:
    | 'applied'
    | 'unchanged'
    | 'partial'
    | 'failed'
    | 'refused'
    | 'advised'
    | 'awaits-approval'
    | 'withdrawn'
    | 'expired'
    | 'rejected'
    | 'held';
  /**
   * What the endpoint is on its way to; `undefined` where that is not known or nothing was done.
   */
  readonly reachedInstances: number | undefined;
  readonly detail: string | undefined;
  /** Of a decision that waits or waited for a person. */
  readonly proposalId?: string;
  /** Who approved it, where they said. */
  readonly approvedBy?: string;
}

/** What is about to be carried out. The decision entry that follows says what came of it. */
export interface IntentEntry {
  readonly kind: 'intent';
  readonly atMs: number;
  readonly endpointId: EndpointId;
  readonly targetInstances: number;
  readonly reason: string;
  /** The fence of the lease under which it is done, where there is one. */
  readonly fence?: number;
  readonly proposalId?: string;
}

/** Something that did not work, or works again. */
export interface DegradationEntry {
  readonly kind: 'degradation' | 'recovery';
  readonly atMs: number;
  readonly what: string;
  /** Of a recovery: `what` the degradation said that is over. */
  readonly ends?: string;
}

export type JournalEntry = PlanEntry | IntentEntry | DecisionEntry | DegradationEntry;

/**
 * Where entries go, in order. One that can't be taken (a full disk, a database that does not
 * answer) is an error or a rejection; the loop then goes on, keeps it, and offers it again. After
 * a crash the last entries may come twice.
 */
export interface Journal {
  append(entry: JournalEntry): Awaitable<void>;
}

/**
 * One entry as a line of JSON, numbers rounded to what can be told apart: the same entries give the
 * same bytes.
 */
export function journalLine(entry: JournalEntry): string {
  return JSON.stringify(entry, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value,
  );
}

/**
 * The entries that explain an endpoint at a time: the last plan, the last degradations since, and
 * the last decision at or before it.
 */
export interface Explanation {
  readonly decision: DecisionEntry | undefined;
  readonly earlier: readonly DecisionEntry[];
  readonly plan: PlanEntry | undefined;
  readonly degradations: readonly DegradationEntry[];
}

/** Decisions before the one explained that are told too. */
const EARLIER = 5;

/** Finds what explains an endpoint at a time, reading entries in order of time once. */
export function explain(entries: Iterable<JournalEntry>, endpointId: EndpointId, atMs: number): Explanation {
  const decisions: DecisionEntry[] = [];
  const open = new Map<string, DegradationEntry>();
  let plan: PlanEntry | undefined;
  for (const entry of entries) {
    if (entry.atMs > atMs) break;
    if (entry.kind === 'plan') plan = entry;
    else if (entry.kind === 'decision') {
      if (entry.endpointId !== endpointId) continue;
      decisions.push(entry);
      if (decisions.length > EARLIER + 1) decisions.shift();
    } else if (entry.kind === 'degradation') open.set(entry.what, entry);
    else if (entry.kind === 'recovery') open.delete(entry.ends ?? entry.what);
  }
  return { decision: decisions.at(-1), earlier: decisions.slice(0, -1), plan, degradations: [...open.values()] };
}

/** What a person is told of a decision that was made: the decision itself in one entry. */
export function decisionEntry(
  atMs: number,
  decision: ScalingDecision,
  seen: SeenEndpoint,
  plannedInstances: number | undefined,
  outcome: DecisionEntry['outcome'],
  reachedInstances?: number,
  detail?: string,
  proposal?: Pick<Proposal, 'proposalId' | 'by'>,
): DecisionEntry {
  return {
    kind: 'decision',
    atMs,
    endpointId: decision.endpointId,
    seen,
    plannedInstances,
    targetInstances: decision.targetInstances,
    reason: decision.reason,
    outcome,
    reachedInstances,
    detail,
    ...(proposal === undefined ? {} : { proposalId: proposal.proposalId }),
    ...(proposal?.by === undefined ? {} : { approvedBy: proposal.by }),
  };
}
