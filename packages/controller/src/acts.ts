import {
  type ActuationResult,
  type Actuator,
  type EndpointId,
  indexOfEndpoint,
  messageOf,
  MS_PER_MIN,
  orAborted,
  type ScalingDecision,
} from '@sageserve/core';
import type { ActContext, Acting, ActsState, ControlMode, Due } from './act-context.js';
import type { ApprovalQueue, Proposal } from './approvals.js';
import { type DecisionEntry, decisionEntry, type SeenEndpoint } from './journal.js';
import type { JournalWriter } from './journal-writer.js';
import { byId, heldBy, type Seen, seenOf } from './seen.js';
import { Unanswered } from './unanswered.js';

/** What is found undone after this long is no longer done: what was seen then is old. */
const MOST_AGE_MS = 2 * MS_PER_MIN;

const UNWRITTEN = 'the journal can’t be written';

const NO_RESULTS: readonly ActuationResult[] = [];

/** Carries decisions out and writes down what was meant and what came of it. */
export class Acts {
  readonly #actuator: Actuator;
  readonly #mode: ControlMode;
  readonly #approvals: ApprovalQueue | undefined;
  readonly #journal: JournalWriter;
  /** What was written down last of each endpoint. */
  readonly #lastTold = new Map<EndpointId, string>();
  readonly #unanswered: Unanswered;
  #degradations: string[] = [];

  constructor(
    actuator: Actuator,
    mode: ControlMode,
    approvals: ApprovalQueue | undefined,
    journal: JournalWriter,
    actDeadlineMs: number,
  ) {
    this.#unanswered = new Unanswered(actDeadlineMs);
    this.#actuator = actuator;
    this.#mode = mode;
    this.#approvals = approvals;
    this.#journal = journal;
  }

  /** What did not work in the last round. */
  get degradations(): readonly string[] {
    return this.#degradations;
  }

  save(): ActsState {
    return { told: new Map(this.#lastTold), unanswered: this.#unanswered.save() };
  }

  restore({ told, unanswered }: ActsState): void {
    this.#lastTold.clear();
    for (const [id, what] of told) this.#lastTold.set(id, what);
    this.#unanswered.restore(unanswered);
  }

  /** Carries out what the policy decided, in the way of the loop's mode. */
  async carryOut(decisions: readonly ScalingDecision[], context: ActContext): Promise<readonly ActuationResult[]> {
    this.#begin(context);
    const { fleet } = context;
    // A repeated decision is no news: only what changes an endpoint's target is carried out and
    // written down.
    let at = -1;
    const changes = decisions.filter(({ endpointId, targetInstances }) => {
      at = indexOfEndpoint(fleet, endpointId, at + 1);
      const isChange = heldBy(fleet.endpoints[at]) !== targetInstances;
      // What was told of it is over: the same again is news.
      if (!isChange) this.#lastTold.delete(endpointId);
      return isChange;
    });
    if (changes.length === 0 && this.#mode !== 'approve') return NO_RESULTS;
    const seen = byId(fleet);
    if (this.#mode === 'advise') {
      for (const decision of changes) this.#tellOnce({ decision }, seen, context, 'advised', undefined);
      return NO_RESULTS;
    }
    if (this.#mode === 'act')
      return this.#act(
        changes.map((decision) => ({ decision })),
        seen,
        context,
      );
    return this.#act(this.#approved(decisions, seen, context), seen, context);
  }

  /**
   * Takes up what a loop before this one was about to do, or did without saying what came of it.
   */
  async resume({ atMs, due }: Acting, context: ActContext): Promise<readonly ActuationResult[]> {
    this.#begin(context);
    const seen = byId(context.fleet);
    const open: Due[] = [];
    for (const one of due) {
      const { endpointId, targetInstances } = one.decision;
      const endpoint = seen.get(endpointId);
      const isOld = context.nowMs - atMs > MOST_AGE_MS;
      const write = (outcome: DecisionEntry['outcome'], reached: number | undefined, detail: string): void =>
        this.#write(one, seen, context, outcome, reached, detail);
      if (heldBy(endpoint) === targetInstances) {
        write('applied', targetInstances, 'it was found done after a restart');
        this.#settle(one);
      } else if (this.#mode === 'advise') write('held', undefined, 'it was found undone after a restart that advises');
      else if (one.proposal !== undefined || this.#mode === 'approve') {
        // What is still approved is the queue's to expire.
        if (one.proposal === undefined || !this.#isApproved(one.proposal))
          write('held', undefined, 'it was found undone after a restart, and nobody has approved it');
        else if (!isOld) open.push(one);
      } else if (isOld) write('expired', undefined, 'it was found undone after a restart, and is too old');
      else if (isScaleIn(one, seen) && endpoint?.kvCacheUtilization === undefined)
        write('held', undefined, 'it was found undone after a restart, and what the endpoint does is not known');
      else open.push(one);
    }
    return this.#act(open, seen, context);
  }

  #begin({ fleet, nowMs, fence }: ActContext): void {
    const late = this.#unanswered.look(fleet, nowMs, fence);
    this.#degradations = late === undefined ? [] : [late];
  }

  /** Proposes what the policy decided; returns what people have approved. */
  #approved(decisions: readonly ScalingDecision[], seen: Seen, context: ActContext): Due[] {
    const approvals = this.#approvals!;
    const held = (id: EndpointId): number | undefined => heldBy(seen.get(id));
    for (const { proposal, outcome, detail } of approvals.propose(decisions, held, context.nowMs))
      this.#write({ decision: proposal.decision, proposal }, seen, context, outcome, undefined, detail);
    const due: Due[] = [];
    for (const proposal of approvals.approved) {
      const one = { decision: proposal.decision, proposal };
      if (held(proposal.decision.endpointId) !== proposal.decision.targetInstances) due.push(one);
      else {
        this.#write(one, seen, context, 'unchanged', proposal.decision.targetInstances, undefined);
        this.#settle(one);
      }
    }
    return due;
  }

  async #act(wanted: readonly Due[], seen: Seen, context: ActContext): Promise<readonly ActuationResult[]> {
    if (wanted.length === 0) return NO_RESULTS;
    const { nowMs, signal, fence, isLost } = context;
    if (isLost()) {
      this.#degradations.push('the lease is lost: nothing is done');
      return NO_RESULTS;
    }
    // Kept and handed on are a decision's own fields: it may be an object of any kind.
    let due = wanted
      .map(({ decision: { endpointId, targetInstances, reason }, ...rest }) => ({
        ...rest,
        decision: { endpointId, targetInstances, reason },
      }))
      .filter((one) => this.#unlessHeld(one, seen, context, this.#whyHeld(one, seen, context)));
    // What is known not to be written down makes no intents.
    if (this.#journal.failure !== undefined && !(await this.#journal.flush(signal)))
      due = due.filter((one) => this.#unlessHeld(one, seen, context, isScaleIn(one, seen) ? UNWRITTEN : undefined));
    if (due.length === 0) return NO_RESULTS;
    if (this.#journal.exists) {
      for (const one of due) this.#intend(one, nowMs, fence);
      // What is not written down can't be explained: growing goes on, letting go waits.
      if (!(await this.#journal.flush(signal)))
        due = due.filter((one) => this.#unlessHeld(one, seen, context, isScaleIn(one, seen) ? UNWRITTEN : undefined));
      if (due.length === 0) return NO_RESULTS;
    }
    if (!(await context.keep({ atMs: nowMs, due }))) {
      this.#refused(undefined);
      return NO_RESULTS;
    }
    // What is noted was seen before it was changed: snapshots are borrowed and may change with the
    // fleet.
    const before = new Map(due.map(({ decision: { endpointId: id } }) => [id, seenOf(seen.get(id))]));
    // What was waited for may have taken the tick's time, or the lease with it.
    if (isLost()) {
      this.#degradations.push('the lease is lost: nothing is done');
      return NO_RESULTS;
    }
    if (signal?.aborted === true && context.ended?.aborted !== true) {
      this.#degradations.push('journal or state took the whole time of a tick: what is due is done with the next');
      return NO_RESULTS;
    }
    const results = await this.#apply(due, seen, context);
    this.#conclude(due, results, before, seen, context);
    return results;
  }

  /** Whether a decision is carried out: where it is not, that is written down once. */
  #unlessHeld(one: Due, seen: Seen, context: ActContext, why: string | undefined): boolean {
    if (why !== undefined) this.#tellOnce(one, seen, context, 'held', why);
    return why === undefined;
  }

  /** Why a decision must wait, in words; `undefined` where it need not. */
  #whyHeld(one: Due, seen: Seen, context: ActContext): string | undefined {
    const { endpointId } = one.decision;
    const endpoint = seen.get(endpointId);
    // A person may have approved it when it could be seen.
    if (endpoint === undefined) return 'it can’t be seen';
    const held = heldBy(endpoint);
    const why = this.#unanswered.whyHeld(one.decision, held, context.nowMs, context.fence);
    if (why !== undefined) return why;
    if (held === undefined) return 'how many instances it has is not known';
    if (!isScaleIn(one, seen)) return undefined;
    // What a person approved may have grown old meanwhile.
    if (one.proposal !== undefined && endpoint.kvCacheUtilization === undefined) return 'what it does is not known';
    if (context.nowMs < context.noScaleInBeforeMs) return 'what was remembered is lost: nothing is scaled in yet';
    return undefined;
  }

  #intend({ decision, proposal }: Due, atMs: number, fence: number | undefined): void {
    const { endpointId, targetInstances, reason } = decision;
    // What could not be done is tried again with every tick, and told once.
    const told = this.#lastTold.get(endpointId);
    if (told?.startsWith(`${targetInstances}/`) === true && /\/(partial|failed|unchanged|refused)$/.test(told)) return;
    this.#journal.write({
      kind: 'intent',
      atMs,
      endpointId,
      targetInstances,
      reason,
      ...(fence === undefined ? {} : { fence }),
      ...(proposal === undefined ? {} : { proposalId: proposal.proposalId }),
    });
  }

  async #apply(due: readonly Due[], seen: Seen, context: ActContext): Promise<readonly ActuationResult[]> {
    const { nowMs, signal, fence, ended } = context;
    const decisions = due.map(({ decision }) => decision);
    let answered = false;
    try {
      const acting = this.#actuator.apply(decisions, {
        ...(signal === undefined ? {} : { signal }),
        ...(fence === undefined ? {} : { fence }),
      });
      const settle = this.#unanswered.begin(decisions, seen, nowMs, fence);
      const finish = (unknown?: readonly EndpointId[]): void => {
        answered = true;
        settle(unknown);
      };
      const settled = Promise.resolve(acting);
      // A call that is given up rejects with the signal's reason, or says that it failed, and may
      // still take effect.
      settled.then(
        (answer) => finish(signal?.aborted === true ? unknownIn(answer, decisions) : undefined),
        () => {
          if (signal?.aborted !== true) finish();
        },
      );
      const results: unknown = await orAborted(settled, signal);
      if (!Array.isArray(results)) throw new Error('the actuator answered with no list');
      // What is no result says nothing of any endpoint.
      return results.filter((result) => typeof result === 'object' && result !== null) as readonly ActuationResult[];
    } catch (error) {
      ended?.throwIfAborted();
      const detail = answered || signal?.aborted !== true ? messageOf(error) : 'the actuator did not answer in time';
      return decisions.map(({ endpointId }) => ({
        endpointId,
        status: 'failed' as const,
        reachedInstances: undefined,
        detail,
      }));
    }
  }

  #conclude(
    due: readonly Due[],
    results: readonly ActuationResult[],
    before: ReadonlyMap<EndpointId, SeenEndpoint>,
    seen: Seen,
    context: ActContext,
  ): void {
    const byEndpoint = new Map(results.map((result) => [result.endpointId, result]));
    for (const one of due) {
      const { endpointId, targetInstances } = one.decision;
      const result = byEndpoint.get(endpointId);
      const status = result?.status ?? 'failed';
      if (status !== 'failed' && status !== 'refused') this.#settle(one);
      if (status === 'refused') this.#refused(result?.detail);
      if (!this.#journal.exists) continue;
      const told = `${targetInstances}/${result?.reachedInstances}/${result?.status}`;
      if (status !== 'applied' && this.#lastTold.get(endpointId) === told) continue;
      this.#lastTold.set(endpointId, told);
      const endpoint = seen.get(endpointId);
      this.#journal.write(
        decisionEntry(
          context.nowMs,
          one.decision,
          before.get(endpointId)!,
          endpoint === undefined ? undefined : context.plannedOf(endpoint),
          status,
          result?.reachedInstances,
          result?.detail ?? (result === undefined ? 'the actuator did not answer' : undefined),
          one.proposal,
        ),
      );
    }
  }

  #isApproved({ proposalId }: Proposal): boolean {
    return this.#approvals?.approved.some((one) => one.proposalId === proposalId) ?? false;
  }

  #refused(detail: string | undefined): void {
    const what = `another controller acts${detail === undefined ? '' : ` (${detail})`}: what this one decides is refused`;
    if (!this.#degradations.includes(what)) this.#degradations.push(what);
  }

  #settle({ proposal }: Due): void {
    if (proposal !== undefined) this.#approvals?.settle(proposal.proposalId);
  }

  /** Writes down what is not carried out, once for as long as it stays so. */
  #tellOnce(
    one: Due,
    seen: Seen,
    context: ActContext,
    outcome: DecisionEntry['outcome'],
    detail: string | undefined,
  ): void {
    const { endpointId, targetInstances } = one.decision;
    const told = `${targetInstances}/${outcome}/${detail}`;
    if (this.#lastTold.get(endpointId) === told) return;
    this.#lastTold.set(endpointId, told);
    this.#write(one, seen, context, outcome, undefined, detail);
  }

  #write(
    { decision, proposal }: Due,
    seen: Seen,
    { nowMs, plannedOf }: ActContext,
    outcome: DecisionEntry['outcome'],
    reached: number | undefined,
    detail: string | undefined,
  ): void {
    const endpoint = seen.get(decision.endpointId);
    const planned = endpoint === undefined ? undefined : plannedOf(endpoint);
    this.#journal.write(decisionEntry(nowMs, decision, seenOf(endpoint), planned, outcome, reached, detail, proposal));
  }
}

/** The endpoints of which an answer does not say what came of the act. */
function unknownIn(answer: unknown, decisions: readonly ScalingDecision[]): EndpointId[] {
  const results = (Array.isArray(answer) ? answer : []) as readonly (Partial<ActuationResult> | null | undefined)[];
  const known = new Set(
    results.flatMap((one) => (one?.status === 'failed' && one.reachedInstances === undefined ? [] : [one?.endpointId])),
  );
  return decisions.map(({ endpointId }) => endpointId).filter((id) => !known.has(id));
}

function isScaleIn({ decision }: Due, seen: Seen): boolean {
  return decision.targetInstances < (heldBy(seen.get(decision.endpointId)) ?? Infinity);
}
