import { type BatchStore, type ItemLease, type LeasedItem, modelId, type ItemOutcome } from '@sageserve/core';
import { batchStoreConformance } from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryBatchStore } from './memory-batch.js';

/** The suite for stores that one process has. */
const suiteFor = (create: () => BatchStore) => {
  let last: BatchStore;
  return batchStoreConformance(
    () => (last = create()),
    () => last,
  );
};

describe('batches in memory', () => {
  for (const check of suiteFor(createMemoryBatchStore)) it(check.name, check.run);

  const model = modelId('m');
  const act = fc.record({
    kind: fc.constantFrom('claim', 'claim', 'settle', 'settle', 'renew', 'giveBack', 'sweep', 'cancel', 'wait', 'wait'),
    worker: fc.nat({ max: 2 }),
    n: fc.nat({ max: 800 }),
  });

  it('ends every item once, whatever its workers do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), async (acts, size) => {
        const store = createMemoryBatchStore();
        const list = Array.from({ length: size }, (_, i) => ({
          itemId: `${i}`,
          modelId: model,
          promptTokens: i,
          body: '',
        }));
        await store.put({ batchId: 'b', tenant: 't', deadlineAtMs: 3_000, detail: '' }, list, 0);
        const had: LeasedItem[][] = [[], [], []];
        const settled = new Map<string, string>();
        let nowMs = 0;
        const sound = async () => {
          const { total, ...states } = (await store.get('b'))!.counts;
          expect([total, Object.values(states).reduce((a, b) => a + b)]).toEqual([size, size]);
          expect(Math.min(...Object.values(states))).toBeGreaterThanOrEqual(0);
        };
        for (const [at, { kind, worker, n }] of acts.entries()) {
          const mine = had[worker]!;
          const lease = mine[n % Math.max(1, mine.length)];
          if (kind === 'wait') nowMs += n;
          else if (kind === 'sweep') await store.sweep(nowMs);
          else if (kind === 'cancel' && n < 80) await store.cancel('b', nowMs);
          else if (kind === 'claim') {
            const claimed = await store.claim({ modelIds: [model], most: 1 + (n % 4), leaseMs: 500 }, nowMs);
            for (const one of claimed) {
              const before = had.flat().filter(({ itemId }) => itemId === one.itemId);
              expect(Math.max(0, ...before.map(({ epoch }) => epoch))).toBeLessThan(one.epoch);
              expect(settled.has(one.itemId)).toBe(false);
            }
            mine.push(...claimed);
          } else if (lease === undefined) continue;
          else if (kind === 'renew') await store.renew([lease], nowMs + 500, nowMs);
          else if (kind === 'giveBack') await store.giveBack(lease, nowMs);
          else if (
            kind === 'settle' &&
            (await store.settle(lease, { status: 'completed', result: `${at}` }, nowMs)) === 'settled'
          ) {
            expect(settled.has(lease.itemId)).toBe(false);
            settled.set(lease.itemId, `${at}`);
          }
          await sound();
        }
        await store.sweep(nowMs + 10_000);
        await sound();
        const results = await store.results('b', 0, 100);
        expect(results.map(({ itemId }) => itemId)).toEqual(list.map(({ itemId }) => itemId));
        for (const { itemId, result } of results) expect(result).toBe(settled.get(itemId));
      }),
      { numRuns: 200 },
    );
  });

  it('is not changed through what it gave and was given', async () => {
    const store = createMemoryBatchStore();
    const batch = { batchId: 'b', tenant: 't', deadlineAtMs: 1_000, detail: 'kept' };
    const item = { itemId: 'i', modelId: model, promptTokens: 1, body: 'kept' };
    const put = await store.put(batch, [item], 0);
    batch.detail = item.body = 'changed';
    (put.counts as { queued: number }).queued = 9;
    expect(await store.get('b')).toMatchObject({ detail: 'kept', counts: { queued: 1 } });
    expect(await store.claim({ modelIds: [model], most: 1, leaseMs: 1 }, 0)).toMatchObject([{ body: 'kept' }]);
  });

  it('says what is wrong with a batch', async () => {
    const store = createMemoryBatchStore();
    const batch = { batchId: 'b', tenant: 't', deadlineAtMs: 1_000, detail: '' };
    const item = { itemId: 'i', modelId: model, promptTokens: 1, body: '' };
    await expect(store.put(batch, [item, item], 0)).rejects.toThrow('batch b has two items "i"');
    const keyed = (fingerprint: string) => ({ ...batch, idempotency: { key: 'k', fingerprint } });
    await store.put(keyed('x'), [item], 0);
    await expect(store.put(keyed('y'), [item], 0)).rejects.toMatchObject({
      code: 'ERR_IDEMPOTENCY',
      message: 'the key "k" was used for batch b, which asks for something else',
    });
  });
});

describe('the suite of batch stores', () => {
  const failing = async (fault: (store: BatchStore) => Partial<BatchStore>): Promise<string[]> => {
    const names: string[] = [];
    for (const check of suiteFor(() => {
      const store = createMemoryBatchStore();
      return { ...store, ...fault(store) };
    }))
      await Promise.resolve(check.run()).catch(() => void names.push(check.name));
    return names;
  };
  const nameOf = ({ batchId, itemId }: ItemLease) => `${batchId}/${itemId}`;

  it('accepts what has no fault', async () => {
    expect(await failing(() => ({}))).toEqual([]);
  });

  it('finds a store that gives what is leased', async () => {
    const found = await failing((store) => {
      const given: LeasedItem[] = [];
      return {
        async claim(claim, nowMs) {
          const claimed = await store.claim(claim, nowMs);
          const again = given.slice(0, claim.most - claimed.length);
          given.push(...claimed);
          return [...claimed, ...again];
        },
      };
    });
    expect(found).toContain('gives the most urgent items of the models that were asked for, each to one worker');
    expect(found).toContain('ends every item once, whatever several workers do in whatever order');
  });

  it('finds a store that settles twice', async () => {
    const found = await failing((store) => {
      const last = new Map<string, ItemOutcome & { readonly epoch: number }>();
      return {
        async settle(lease, outcome, nowMs) {
          const said = await store.settle(lease, outcome, nowMs);
          if (said === 'refused' && last.get(nameOf(lease))?.epoch !== lease.epoch) return said;
          last.set(nameOf(lease), { ...outcome, epoch: lease.epoch });
          return 'settled';
        },
        results: async (batchId, from, most) =>
          (await store.results(batchId, from, most)).map((result) => ({
            ...result,
            ...last.get(nameOf({ batchId, itemId: result.itemId, epoch: 0 })),
          })),
      };
    });
    expect(found).toContain('settles an item once, with the first result of its newest lease');
    expect(found).toContain('settles for one of several that try at once');
    expect(found).toContain('ends every item once, whatever several workers do in whatever order');
  });

  it('finds a store that forgets the epoch', async () => {
    const found = await failing((store) => {
      const newest = new Map<string, number>();
      return {
        async claim(claim, nowMs) {
          const claimed = await store.claim(claim, nowMs);
          for (const item of claimed) newest.set(nameOf(item), item.epoch);
          return claimed;
        },
        settle: (lease, outcome, nowMs) =>
          store.settle({ ...lease, epoch: newest.get(nameOf(lease)) ?? lease.epoch }, outcome, nowMs),
      };
    });
    expect(found).toContain('settles an item once, with the first result of its newest lease');
    expect(found).toContain('ends every item once, whatever several workers do in whatever order');
  });
});
