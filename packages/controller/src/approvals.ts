import {
  type CallOptions,
  ConfigError,
  type EndpointId,
  MS_PER_MIN,
  orAborted,
  type SavedState,
  type ScalingDecision,
  stateFromText,
  type Stateful,
  stateOfVersion,
  type StateStore,
  type StateStoreOptions,
  stateText,
} from '@sageserve/core';
import { storeOptions } from './tenure.js';

/** A decision that waits for a person, or that a person has approved. */
export interface Proposal {
  /** Names this proposal and no other: what is approved is what was looked at. */
  readonly proposalId: string;
  readonly decision: ScalingDecision;
  /** When it was proposed, in the loop's time (ms). */
  readonly proposedAtMs: number;
  /** When it is dropped unless it has been carried out by then (ms). */
  readonly expiresAtMs: number;
  /** Who approved or rejected it, where they said. */
  readonly by?: string;
}

/** Something that became of a proposal. */
export interface ProposalChange {
  readonly proposal: Proposal;
  readonly outcome: 'awaits-approval' | 'withdrawn' | 'expired' | 'rejected';
  /** Why, in words. */
  readonly detail: string | undefined;
}

/**
 * Where decisions wait for a person, one for each endpoint at most. A proposal is withdrawn when
 * the policy no longer wants it, by wanting what is held or something else; one that nobody looked
 * at expires. With a store, what people decided is kept before they are told that it is.
 */
export interface ApprovalQueue extends Stateful {
  readonly pending: readonly Proposal[];
  /** Approved, and not carried out yet. */
  readonly approved: readonly Proposal[];
  /**
   * Lets a proposal be carried out with the next tick; false where it no longer waits, or was
   * withdrawn or expired before the answer was kept. Rejects where the answer can't be kept, or the
   * signal aborts before it is: the proposal then waits again.
   */
  approve(proposalId: string, by?: string, options?: CallOptions): Promise<boolean>;
  /**
   * Drops it, and the same target for its endpoint until something else is wanted or it would have
   * expired; false where it no longer waits. Rejects as {@link ApprovalQueue.approve} does.
   */
  reject(proposalId: string, by?: string, options?: CallOptions): Promise<boolean>;
  /**
   * For the loop: what the policy wants now; `held` says what an endpoint has or is getting,
   * `undefined` where that is not known. Returns everything that changed since the last call.
   */
  propose(
    decisions: readonly ScalingDecision[],
    held: (endpointId: EndpointId) => number | undefined,
    nowMs: number,
  ): readonly ProposalChange[];
  /** For the loop: a proposal that was approved has been carried out, or needs it no longer. */
  settle(proposalId: string): void;
  /** For the loop: whether nothing would be forgotten that a store is to keep. */
  readonly isKept: boolean;
  /** For the loop: keeps what was proposed where a store keeps it. */
  keep(options?: StateStoreOptions): Promise<void>;
  /** For the loop: takes up what was kept. */
  open(options?: StateStoreOptions): Promise<void>;
}

export interface ApprovalQueueOptions {
  /**
   * A proposal that was not carried out for this long expires; so does a rejection (ms, default 15
   * min).
   */
  readonly expireAfterMs?: number;
  /** Where proposals and answers outlive the process. Without one they are forgotten with it. */
  readonly store?: StateStore;
}

const DEFAULT_EXPIRY_MS = 15 * MS_PER_MIN;
const KEY = 'approvals';
const VERSION = 1;

interface QueueState {
  readonly pending: readonly Proposal[];
  readonly approved: readonly Proposal[];
  readonly rejected: readonly Proposal[];
  readonly news: readonly ProposalChange[];
  readonly made: number;
}

/** Throws `ConfigError` for an expiry that is not above 0. */
export function createApprovalQueue(options: ApprovalQueueOptions = {}): ApprovalQueue {
  const { expireAfterMs = DEFAULT_EXPIRY_MS, store } = options;
  if (!(expireAfterMs > 0)) throw new ConfigError('expireAfterMs', `must be above 0, not ${expireAfterMs}`);
  return new Approvals(expireAfterMs, store);
}

class Approvals implements ApprovalQueue {
  readonly #expireAfterMs: number;
  readonly #store: StateStore | undefined;
  #pending = new Map<EndpointId, Proposal>();
  #approved = new Map<EndpointId, Proposal>();
  #rejected = new Map<EndpointId, Proposal>();
  /** What people did since the loop last looked. */
  #news: ProposalChange[] = [];
  #made = 0;
  #kept: string | undefined;
  #keeping: Promise<void> = Promise.resolve();
  /** Under which fence was written or read last. */
  #fence: number | undefined;
  /**
   * Proposals that a store has: shown are those alone, since a number may be given again after a
   * crash.
   */
  #shown = new Set<string>();
  /** Answers that are being kept. */
  readonly #answering = new Set<string>();
  /** Whether what a store has was read: nothing takes its place unseen. */
  #isOpen: boolean;

  constructor(expireAfterMs: number, store: StateStore | undefined) {
    this.#expireAfterMs = expireAfterMs;
    this.#store = store;
    this.#isOpen = store === undefined;
  }

  get pending(): readonly Proposal[] {
    const all = [...this.#pending.values()];
    return this.#store === undefined ? all : all.filter(({ proposalId }) => this.#shown.has(proposalId));
  }

  get approved(): readonly Proposal[] {
    // What is not kept yet was not answered yet.
    return [...this.#approved.values()].filter(({ proposalId }) => !this.#answering.has(proposalId));
  }

  get isKept(): boolean {
    if (this.#store === undefined) return true;
    if (!this.#isOpen) return false;
    return (this.#kept === undefined && this.#made === 0) || stateText(this.save()) === this.#kept;
  }

  async approve(proposalId: string, by?: string, options?: CallOptions): Promise<boolean> {
    const answer = (proposal: Proposal): void => void this.#approved.set(proposal.decision.endpointId, proposal);
    // Until it was kept, the policy could want something else.
    return (
      (await this.#answer(proposalId, by, options, answer)) &&
      [...this.#approved.values()].some((proposal) => proposal.proposalId === proposalId)
    );
  }

  async reject(proposalId: string, by?: string, options?: CallOptions): Promise<boolean> {
    return this.#answer(proposalId, by, options, (proposal) => {
      this.#rejected.set(proposal.decision.endpointId, proposal);
      this.#news.push({
        proposal,
        outcome: 'rejected',
        detail: proposal.by === undefined ? undefined : `by ${proposal.by}`,
      });
    });
  }

  async #answer(
    proposalId: string,
    by: string | undefined,
    { signal }: CallOptions = {},
    then: (proposal: Proposal) => void,
  ): Promise<boolean> {
    const waiting = this.pending.find((one) => one.proposalId === proposalId);
    if (waiting === undefined) return false;
    const { endpointId } = waiting.decision;
    this.#pending.delete(endpointId);
    this.#answering.add(proposalId);
    then(by === undefined ? waiting : { ...waiting, by });
    try {
      await orAborted(this.keep(storeOptions(signal, this.#fence)), signal);
    } catch (error) {
      // An answer that is not kept was not given: it waits again, unless something took its place.
      for (const answered of [this.#approved, this.#rejected])
        if (answered.get(endpointId)?.proposalId === proposalId) {
          answered.delete(endpointId);
          this.#pending.set(endpointId, waiting);
        }
      this.#news = this.#news.filter(({ proposal }) => proposal.proposalId !== proposalId);
      throw error;
    } finally {
      this.#answering.delete(proposalId);
    }
    return true;
  }

  propose(
    decisions: readonly ScalingDecision[],
    held: (endpointId: EndpointId) => number | undefined,
    nowMs: number,
  ): readonly ProposalChange[] {
    // What is not kept yet was not answered yet.
    const isOpen = ({ proposal }: ProposalChange): boolean => this.#answering.has(proposal.proposalId);
    const changes = this.#news.filter((one) => !isOpen(one));
    this.#news = this.#news.filter(isOpen);
    for (const waiting of [this.#pending, this.#approved, this.#rejected])
      for (const [id, proposal] of waiting) {
        if (nowMs < proposal.expiresAtMs) continue;
        waiting.delete(id);
        if (waiting === this.#rejected) continue;
        const detail = waiting === this.#pending ? 'nobody answered' : 'it was approved and could not be carried out';
        changes.push({ proposal, outcome: 'expired', detail });
      }
    for (const decision of decisions) {
      const { endpointId, targetInstances } = decision;
      const has = held(endpointId);
      if (targetInstances === has) {
        this.#withdraw(endpointId, has, `what is held is wanted: ${targetInstances}`, changes);
        continue;
      }
      const known = this.#pending.get(endpointId) ?? this.#approved.get(endpointId) ?? this.#rejected.get(endpointId);
      if (known?.decision.targetInstances === targetInstances) continue;
      this.#withdraw(endpointId, has, `${targetInstances} are wanted now`, changes);
      const proposal: Proposal = {
        proposalId: `p${(++this.#made).toString()}`,
        decision: { endpointId, targetInstances, reason: decision.reason },
        proposedAtMs: nowMs,
        expiresAtMs: nowMs + this.#expireAfterMs,
      };
      this.#pending.set(endpointId, proposal);
      changes.push({ proposal, outcome: 'awaits-approval', detail: undefined });
    }
    return changes;
  }

  #withdraw(endpointId: EndpointId, held: number | undefined, detail: string, changes: ProposalChange[]): void {
    for (const waiting of [this.#pending, this.#approved]) {
      const proposal = waiting.get(endpointId);
      // What was approved and is there was carried out: that is for the loop to say.
      if (proposal === undefined || (waiting === this.#approved && proposal.decision.targetInstances === held))
        continue;
      changes.push({ proposal, outcome: 'withdrawn', detail });
      waiting.delete(endpointId);
    }
    this.#rejected.delete(endpointId);
  }

  settle(proposalId: string): void {
    for (const [id, proposal] of this.#approved) if (proposal.proposalId === proposalId) this.#approved.delete(id);
  }

  save(): SavedState {
    const state: QueueState = {
      pending: [...this.#pending.values()],
      approved: [...this.#approved.values()],
      rejected: [...this.#rejected.values()],
      news: [...this.#news],
      made: this.#made,
    };
    return { version: VERSION, state };
  }

  restore(saved: SavedState): void {
    const { pending, approved, rejected, news, made } = stateOfVersion(
      'the approval queue',
      saved,
      VERSION,
    ) as QueueState;
    const byEndpoint = (proposals: readonly Proposal[]): Map<EndpointId, Proposal> =>
      new Map(proposals.map((proposal) => [proposal.decision.endpointId, proposal]));
    this.#pending = byEndpoint(pending);
    this.#approved = byEndpoint(approved);
    this.#rejected = byEndpoint(rejected);
    this.#news = [...news];
    this.#made = made;
  }

  async keep(options?: StateStoreOptions): Promise<void> {
    const store = this.#store;
    if (store === undefined) return;
    if (!this.#isOpen) await this.open(options);
    this.#fence = options?.fence ?? this.#fence;
    // One write after the other: what was decided last stays.
    const before = this.#keeping;
    const mine = (async (): Promise<void> => {
      await before.catch(() => undefined);
      const text = stateText(this.save());
      if (text === this.#kept) return;
      const ids = [...this.#pending.values()].map(({ proposalId }) => proposalId);
      await store.save(KEY, text, options);
      this.#kept = text;
      this.#shown = new Set(ids);
    })();
    this.#keeping = mine;
    await mine;
  }

  async open(options?: StateStoreOptions): Promise<void> {
    const text = await this.#store?.load(KEY, options);
    if (text !== undefined) {
      this.restore(stateFromText(text) as SavedState);
      this.#kept = text;
      this.#shown = new Set([...this.#pending.values()].map(({ proposalId }) => proposalId));
    }
    this.#isOpen = true;
  }
}
