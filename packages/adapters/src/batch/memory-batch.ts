import {
  type BatchBacklog,
  type BatchCounts,
  type BatchItem,
  type BatchStore,
  type ItemLease,
  type ItemResult,
  type ModelId,
  type NewBatch,
  SageServeError,
  type StoredBatch,
} from '@sageserve/core';

type ItemState = 'queued' | 'leased' | ItemResult['status'];

interface KeptItem extends BatchItem {
  readonly position: number;
  state: ItemState;
  epoch: number;
  leasedUntilMs: number;
  attempt: number;
  result: string | undefined;
  endedAtMs: number;
}

interface KeptBatch {
  readonly batch: NewBatch;
  readonly createdAtMs: number;
  readonly items: ReadonlyMap<string, KeptItem>;
  readonly counts: { -readonly [K in keyof BatchCounts]: number };
  cancelledAtMs: number | undefined;
  endedAtMs: number | undefined;
}

/** A store that forgets with its process: for tests, and where work that waits may be lost. */
export function createMemoryBatchStore(): BatchStore {
  /** In the order in which they were put. */
  const batches = new Map<string, KeptBatch>();
  /** Of all items: a lease of one that was removed is none of another of its name. */
  let lastEpoch = 0;

  /** What was put under the same key before; throws where something else was. */
  function sameAs({ tenant, idempotency }: NewBatch): KeptBatch | undefined {
    if (idempotency === undefined) return undefined;
    for (const kept of batches.values()) {
      if (kept.batch.tenant !== tenant || kept.batch.idempotency?.key !== idempotency.key) continue;
      if (kept.batch.idempotency.fingerprint === idempotency.fingerprint) return kept;
      throw new SageServeError(
        'ERR_IDEMPOTENCY',
        `the key ${JSON.stringify(idempotency.key)} was used for batch ${kept.batch.batchId}, which asks for ` +
          'something else',
        { hint: 'Another batch needs another key.' },
      );
    }
    return undefined;
  }

  /** The item that a lease is the newest of, and its batch. */
  function leasedBy({ batchId, itemId, epoch }: ItemLease): { kept: KeptBatch; item: KeptItem } | undefined {
    const kept = batches.get(batchId);
    const item = kept?.items.get(itemId);
    return kept !== undefined && item?.state === 'leased' && item.epoch === epoch ? { kept, item } : undefined;
  }

  return {
    async put(batch, items, nowMs) {
      const before = sameAs(batch);
      if (before !== undefined) return recordOf(before);
      const read = new Map<string, KeptItem>();
      requireFree(batch);
      for await (const item of items) {
        requireItem(item, read, batch);
        read.set(item.itemId, {
          ...item,
          position: read.size,
          state: 'queued',
          epoch: 0,
          leasedUntilMs: -Infinity,
          attempt: 0,
          result: undefined,
          endedAtMs: NaN,
        });
      }
      if (read.size === 0) throw refused(batch, 'has no items');
      // Others may have put theirs while the items were read.
      const meanwhile = sameAs(batch);
      if (meanwhile !== undefined) return recordOf(meanwhile);
      requireFree(batch);
      const none = { leased: 0, completed: 0, failed: 0, cancelled: 0, expired: 0 };
      const kept: KeptBatch = {
        batch: structuredClone(batch),
        createdAtMs: nowMs,
        items: read,
        counts: { total: read.size, queued: read.size, ...none },
        cancelledAtMs: undefined,
        endedAtMs: undefined,
      };
      batches.set(batch.batchId, kept);
      return recordOf(kept);
    },
    get(batchId) {
      const kept = batches.get(batchId);
      return kept === undefined ? undefined : recordOf(kept);
    },
    list({ tenant, beforeBatchId, most }) {
      const newest = [...batches.values()].reverse();
      const from =
        beforeBatchId === undefined ? 0 : newest.findIndex((kept) => kept.batch.batchId === beforeBatchId) + 1;
      if (beforeBatchId !== undefined && from === 0) return [];
      return newest
        .slice(from)
        .filter((kept) => tenant === undefined || kept.batch.tenant === tenant)
        .slice(0, most)
        .map(recordOf);
    },
    claim({ modelIds, most, leaseMs }, nowMs) {
      const open = [...batches.values()].filter((kept) => kept.endedAtMs === undefined && isOpen(kept, nowMs));
      const claimed = [];
      for (const kept of open.sort((a, b) => a.batch.deadlineAtMs - b.batch.deadlineAtMs)) {
        for (const item of kept.items.values()) {
          if (claimed.length >= most) return claimed;
          if (!modelIds.includes(item.modelId) || !isFree(item, nowMs)) continue;
          if (item.state === 'leased') item.attempt++;
          move(kept, item, 'leased');
          item.epoch = ++lastEpoch;
          item.leasedUntilMs = nowMs + leaseMs;
          const { itemId, modelId, promptTokens, body, epoch, leasedUntilMs, attempt } = item;
          const { batchId, deadlineAtMs } = kept.batch;
          claimed.push({
            batchId,
            itemId,
            modelId,
            promptTokens,
            body,
            epoch,
            leasedUntilMs,
            deadlineAtMs,
            attempt,
          });
        }
      }
      return claimed;
    },
    renew: (leases, untilMs, nowMs) =>
      leases.map((lease) => {
        const found = leasedBy(lease);
        if (found === undefined || !isOpen(found.kept, nowMs)) return false;
        found.item.leasedUntilMs = Math.max(found.item.leasedUntilMs, untilMs);
        return true;
      }),
    giveBack(lease, nowMs, options) {
      const found = leasedBy(lease);
      if (found === undefined) return;
      const { kept, item } = found;
      if (options?.untried !== true) item.attempt++;
      move(kept, item, 'queued');
      if (!isOpen(kept, nowMs)) endFree(kept, nowMs);
    },
    settle(lease, { status, result }, nowMs) {
      const found = leasedBy(lease);
      if (found === undefined) return 'refused';
      found.item.result = result;
      end(found.kept, found.item, status, nowMs);
      return 'settled';
    },
    cancel(batchId, nowMs) {
      const kept = batches.get(batchId);
      if (kept === undefined) return undefined;
      if (kept.endedAtMs === undefined && kept.cancelledAtMs === undefined) {
        kept.cancelledAtMs = nowMs;
        endFree(kept, nowMs);
      }
      return recordOf(kept);
    },
    sweep(nowMs) {
      let ended = 0;
      for (const kept of batches.values())
        if (kept.endedAtMs === undefined && !isOpen(kept, nowMs)) ended += endFree(kept, nowMs);
      return ended;
    },
    backlog(nowMs) {
      const byModel = new Map<ModelId, Map<number, { requests: number; promptTokens: number }>>();
      for (const kept of batches.values()) {
        if (!isOpen(kept, nowMs)) continue;
        for (const { modelId, promptTokens, ...item } of kept.items.values()) {
          if (!isFree(item, nowMs)) continue;
          const due = entry(byModel, modelId, () => new Map<number, { requests: number; promptTokens: number }>());
          const sum = entry(due, kept.batch.deadlineAtMs, () => ({ requests: 0, promptTokens: 0 }));
          sum.requests++;
          sum.promptTokens += promptTokens;
        }
      }
      return Array.from(byModel, ([modelId, due]): BatchBacklog => ({
        modelId,
        due: Array.from(due, ([deadlineAtMs, sum]) => ({ deadlineAtMs, ...sum })).sort(
          (a, b) => a.deadlineAtMs - b.deadlineAtMs,
        ),
      }));
    },
    results(batchId, fromPosition, most) {
      const results: ItemResult[] = [];
      for (const { position, itemId, state, result, endedAtMs } of batches.get(batchId)?.items.values() ?? []) {
        if (results.length >= most) break;
        if (position < fromPosition || state === 'queued' || state === 'leased') continue;
        results.push({ position, itemId, status: state, result, endedAtMs });
      }
      return results;
    },
    remove(batchId) {
      batches.delete(batchId);
    },
  };

  function requireFree(batch: NewBatch): void {
    if (batches.has(batch.batchId)) throw refused(batch, 'is there already');
    if (!Number.isFinite(batch.deadlineAtMs)) throw refused(batch, `has ${batch.deadlineAtMs} for its deadline`);
  }
}

function refused({ batchId }: NewBatch, why: string): SageServeError {
  return new SageServeError('ERR_BATCH', `batch ${batchId} ${why}`);
}

function requireItem({ itemId, promptTokens }: BatchItem, read: ReadonlyMap<string, unknown>, batch: NewBatch): void {
  if (read.has(itemId)) throw refused(batch, `has two items ${JSON.stringify(itemId)}`);
  if (!(promptTokens >= 0 && promptTokens < Infinity))
    throw refused(batch, `has ${promptTokens} for the promptTokens of item ${JSON.stringify(itemId)}`);
}

/** Whether its items may be worked on. */
function isOpen({ batch, cancelledAtMs }: KeptBatch, nowMs: number): boolean {
  return cancelledAtMs === undefined && nowMs < batch.deadlineAtMs;
}

/** Whether it has not ended, and nobody's lease of it runs. */
function isFree({ state, leasedUntilMs }: Pick<KeptItem, 'state' | 'leasedUntilMs'>, nowMs: number): boolean {
  return state === 'queued' || (state === 'leased' && leasedUntilMs <= nowMs);
}

function move(kept: KeptBatch, item: KeptItem, to: ItemState): void {
  kept.counts[item.state]--;
  kept.counts[to]++;
  item.state = to;
}

function end(kept: KeptBatch, item: KeptItem, status: ItemResult['status'], nowMs: number): void {
  move(kept, item, status);
  item.endedAtMs = nowMs;
  if (kept.counts.queued + kept.counts.leased === 0) kept.endedAtMs = nowMs;
}

/** Ends what is free of a batch that was cancelled or is past its deadline; how many it were. */
function endFree(kept: KeptBatch, nowMs: number): number {
  let ended = 0;
  for (const item of kept.items.values()) {
    if (!isFree(item, nowMs)) continue;
    end(kept, item, kept.cancelledAtMs === undefined ? 'expired' : 'cancelled', nowMs);
    ended++;
  }
  return ended;
}

function recordOf({ batch, createdAtMs, cancelledAtMs, endedAtMs, counts }: KeptBatch): StoredBatch {
  return { ...batch, createdAtMs, cancelledAtMs, endedAtMs, counts: { ...counts } };
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
