import type { ModelId } from './ids.js';
import type { HeldQueueView } from './scheduling.js';
import type { Awaitable } from './units.js';

/** One request of a batch. */
export interface BatchItem {
  /** Names it within its batch, as whoever brought it calls it. */
  readonly itemId: string;
  /** The model that it asks for. */
  readonly modelId: ModelId;
  /** Tokens of the prompt, counted or estimated, 0 or more. */
  readonly promptTokens: number;
  /** What is asked; a store keeps it and does not look into it. */
  readonly body: string;
}

/** A batch as it is put into a store. */
export interface NewBatch {
  /** Names it for good: no two batches have one name. */
  readonly batchId: string;
  /** Whose it is. */
  readonly tenant: string;
  /** Until when its items may be begun, in the host's time (ms); a finite number. */
  readonly deadlineAtMs: number;
  /** What else whoever puts it wants to have back; a store does not look into it. */
  readonly detail: string;
  /**
   * Makes that it is there once, however often it is put; absent where nobody puts it again. The
   * key is one of its tenant's. The fingerprint stands for what was asked: a key that comes with
   * another one is refused. It is not of the deadline, which a second attempt has later.
   */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string };
}

/** How many items of a batch are in which state: those of the six others add up to `total`. */
export interface BatchCounts {
  /** All of them. */
  readonly total: number;
  /** Those that wait. */
  readonly queued: number;
  /** Those that a worker has; also where its lease has run out and nobody has taken it since. */
  readonly leased: number;
  /** Those that ended with what was asked for. */
  readonly completed: number;
  /** Those that ended with an error. */
  readonly failed: number;
  /** Those that ended because the batch was cancelled. */
  readonly cancelled: number;
  /** Those that ended because the deadline passed. */
  readonly expired: number;
}

/** A batch as a store has it. */
export interface StoredBatch extends NewBatch {
  /** When it was put, in the host's time (ms). */
  readonly createdAtMs: number;
  /** When it was cancelled (ms); `undefined` where it was not. */
  readonly cancelledAtMs: number | undefined;
  /** When the last of its items ended (ms); `undefined` while some have not. */
  readonly endedAtMs: number | undefined;
  /** How far its items are. */
  readonly counts: BatchCounts;
}

/** Which batches are listed. */
export interface BatchListing {
  /** Only those of one tenant; absent: of all. */
  readonly tenant?: string;
  /** Only those that were put before the batch of this name; absent: from the newest on. */
  readonly beforeBatchId?: string;
  /** How many at most, 1 or more. */
  readonly most: number;
}

/** What a worker asks for. */
export interface BatchClaim {
  /** Items of these models only. */
  readonly modelIds: readonly ModelId[];
  /** How many at most, 1 or more. */
  readonly most: number;
  /** For how long it has them without renewing (ms, above 0). */
  readonly leaseMs: number;
}

/** The right to settle an item: void once the item was claimed anew. */
export interface ItemLease {
  /** Names the batch. */
  readonly batchId: string;
  /** Names the item in it. */
  readonly itemId: string;
  /**
   * A whole number, 1 or more, that rises each time that the item is claimed, and is none that an
   * item of its name had in a batch of that name which was removed.
   */
  readonly epoch: number;
}

/** An item that was claimed. */
export interface LeasedItem extends ItemLease, BatchItem {
  /** Until when it is nobody else's, in the host's time (ms). */
  readonly leasedUntilMs: number;
  /** Deadline of its batch, in the host's time (ms). */
  readonly deadlineAtMs: number;
  /** How often it was tried before without an end: 0 the first time. */
  readonly attempt: number;
}

/** How an item ended that was worked on. */
export interface ItemOutcome {
  /** Whether it ended with what was asked for, or with an error that another try would not mend. */
  readonly status: 'completed' | 'failed';
  /** What came of it; a store keeps it and does not look into it. */
  readonly result: string;
}

/** What became of an item. */
export interface ItemResult {
  /** Where it stands in its batch, from 0 on: the order in which items were put. */
  readonly position: number;
  /** Names the item in its batch. */
  readonly itemId: string;
  /** How it ended. */
  readonly status: ItemOutcome['status'] | 'cancelled' | 'expired';
  /** What came of it; `undefined` where it was cancelled or has expired. */
  readonly result: string | undefined;
  /** When it ended, in the host's time (ms). */
  readonly endedAtMs: number;
}

/** Items of one model that a worker could have now. */
export interface BatchBacklog {
  /** The model that they ask for. */
  readonly modelId: ModelId;
  /** How much is due when: each deadline once, the earliest first. */
  readonly due: readonly {
    /** In the host's time (ms). */
    readonly deadlineAtMs: number;
    /** How many items, 1 or more. */
    readonly requests: number;
    /** Prompt tokens of those, as they were put. */
    readonly promptTokens: number;
  }[];
}

/**
 * Keeps the requests that may wait, and what came of each, where they outlive the process. Workers
 * claim items for a while, work on them, and settle each with its result.
 *
 * Contract: every method may be called by several processes at once, and what it resolved to is
 * there after a crash. An item is queued, leased, or ended, and ends once: with a result, as
 * cancelled, or as expired; so each result is written exactly once, though an item may be worked on
 * more than once. Past its batch's deadline or once the batch is cancelled an item is neither
 * claimed nor renewed: while its lease runs it may still be settled, and after that {@link sweep}
 * ends it. Time is an argument, in the host's milliseconds, and no clock is read.
 */
export interface BatchStore {
  /**
   * Puts a batch with all of its items, or nothing of it: also where reading `items` throws, with
   * which it rejects then. Gives the batch that its idempotency key stands for where there is one,
   * and reads no item then. Rejects with `SageServeError`: ERR_IDEMPOTENCY for a key that was used
   * with another fingerprint; ERR_BATCH for a batch of that name, no item at all, two of one name,
   * and for a deadline or a number of tokens that is none.
   */
  put(batch: NewBatch, items: Iterable<BatchItem> | AsyncIterable<BatchItem>, nowMs: number): Awaitable<StoredBatch>;
  /** A batch by its name; `undefined` where there is none. */
  get(batchId: string): Awaitable<StoredBatch | undefined>;
  /** Batches, the one that was put last first; none where `beforeBatchId` names none. */
  list(listing: BatchListing): Awaitable<readonly StoredBatch[]>;
  /**
   * Leases the most urgent items: by deadline, then as they were put, both batches and items. One
   * whose lease runs is nobody else's; one whose lease has run out is queued again, and was tried
   * once more. What another claims at the same moment may be passed over.
   */
  claim(claim: BatchClaim, nowMs: number): Awaitable<readonly LeasedItem[]>;
  /**
   * Has leases run until `untilMs`, which is later than they do now. Says of each whether it does:
   * false where the item has ended, was claimed anew or given back, and where it is to be worked on
   * no longer, since its batch is cancelled or past its deadline.
   */
  renew(leases: readonly ItemLease[], untilMs: number, nowMs: number): Awaitable<readonly boolean[]>;
  /**
   * Queues an item again, or ends it where its batch is cancelled or past its deadline; nothing
   * where the lease is not the item's newest. It counts as a try unless `untried` says that none
   * was made.
   */
  giveBack(lease: ItemLease, nowMs: number, options?: { readonly untried?: boolean }): Awaitable<void>;
  /**
   * Ends an item with its result. Refuses where it has ended already, was claimed anew or given
   * back; a lease that has run out while nobody else claimed the item is good enough.
   */
  settle(lease: ItemLease, outcome: ItemOutcome, nowMs: number): Awaitable<'settled' | 'refused'>;
  /**
   * Cancels a batch: what nobody has a running lease of ends at once. Gives the batch as it is
   * then, `undefined` where there is none. One that has ended or was cancelled before stays as it
   * is.
   */
  cancel(batchId: string, nowMs: number): Awaitable<StoredBatch | undefined>;
  /**
   * Ends what nobody may work on any more: items of cancelled batches as cancelled, those past the
   * deadline as expired, but for those whose lease runs. Says how many. To be called now and then.
   */
  sweep(nowMs: number): Awaitable<number>;
  /**
   * What could be claimed now, by model, for policies that scale and release; a model without such
   * items is not listed. See {@link heldQueueOf}.
   */
  backlog(nowMs: number): Awaitable<readonly BatchBacklog[]>;
  /**
   * What became of items, by position from `fromPosition` on, at most `most` of them; those that
   * have not ended are passed over. None where there is no such batch.
   */
  results(batchId: string, fromPosition: number, most: number): Awaitable<readonly ItemResult[]>;
  /**
   * Forgets a batch with its items, its results and its idempotency key, whatever its state: leases
   * of its items are void. Nothing where there is none.
   */
  remove(batchId: string): Awaitable<void>;
}

/** A backlog as a release policy sees it. */
export function heldQueueOf({ due }: Pick<BatchBacklog, 'due'>): HeldQueueView {
  const countDueBy = (atMs: number): number =>
    due.reduce((sum, { deadlineAtMs, requests }) => (deadlineAtMs <= atMs ? sum + requests : sum), 0);
  return { count: countDueBy(Infinity), earliestDeadlineAtMs: due[0]?.deadlineAtMs ?? Infinity, countDueBy };
}
