import { type Awaitable, type BatchItem, type BatchStore, type ItemResult, type NewBatch } from '@sageserve/core';
import {
  A,
  DEADLINE_MS,
  batch,
  item,
  items,
  claim,
  complete,
  names,
  isRefused,
  rejection,
  countsOf,
  expectCounts,
} from './batch-fixtures.js';
import { type ConformanceCase, expect } from './conformance-case.js';

/** How a store of batches keeps them: see `batchStoreConformance`. */
export function keepingCases(
  open: () => Awaitable<BatchStore>,
  reopen: () => Awaitable<BatchStore>,
): ConformanceCase[] {
  return [
    {
      name: 'puts a batch with all of its items, or nothing of it',
      async run() {
        const store = await open();
        const put = await store.put(batch('one'), items(3), 5);
        const { counts, ...rest } = put;
        const wanted = { ...batch('one'), createdAtMs: 5 };
        for (const [key, value] of Object.entries(wanted))
          expect(rest[key as keyof typeof rest] === value, `does not keep ${key}`);
        expect(put.cancelledAtMs === undefined && put.endedAtMs === undefined, 'has ended as it was put');
        expect(counts.total === 3 && counts.queued === 3, `counts ${countsOf(put)} of 3`);
        const broken = new Error('the file ended');
        async function* breaking(): AsyncGenerator<BatchItem> {
          yield item('first');
          throw broken;
        }
        const error = await rejection(() => store.put(batch('two'), breaking(), 5));
        expect(error === broken, 'does not reject with what reading items threw');
        expect((await store.get('two')) === undefined, 'has a batch whose items could not be read');
        const leased = await claim(store, 10, 10);
        expect(names(leased) === 'one/item-0 one/item-1 one/item-2', `claimed ${names(leased)}`);
        const [first] = leased;
        expect(first!.body === 'body of item-0' && first!.modelId === A, 'does not give an item as it was put');
        expect(first!.promptTokens === 10 && first!.deadlineAtMs === DEADLINE_MS, 'mixed up the figures of an item');
        expect((await store.get('none')) === undefined, 'has a batch that nobody put');
      },
    },
    {
      name: 'refuses what is no batch, and keeps nothing of it',
      async run() {
        const store = await open();
        const refuses = async (what: string, ...[given, some]: Parameters<BatchStore['put']>): Promise<void> =>
          expect(await isRefused(() => store.put(given, some, 0), 'ERR_BATCH'), `took ${what}`);
        await store.put(batch('one'), items(2), 0);
        await refuses('a second batch of one name', batch('one'), items(3), 0);
        await refuses('a batch without items', batch('two'), [], 0);
        await refuses('two items of one name', batch('two'), [...items(3), item('item-1')], 0);
        for (const deadlineAtMs of [NaN, Infinity, -Infinity])
          await refuses(`${deadlineAtMs} for a deadline`, batch('two', { deadlineAtMs }), items(1), 0);
        for (const promptTokens of [NaN, -1, Infinity])
          await refuses(`${promptTokens} tokens`, batch('two'), [item('x', { promptTokens })], 0);
        expect((await store.get('two')) === undefined, 'keeps a batch that it refused');
        await expectCounts(store, 'one', '2 total, 2 queued');
        expect((await claim(store, 10, 1)).length === 2, 'has items of a batch that it refused');
      },
    },
    {
      name: 'shows nothing of a batch whose items are being read, and takes one of two of a name',
      async run() {
        const [store, other] = [await open(), await reopen()];
        let seen = '';
        async function* slow(): AsyncGenerator<BatchItem> {
          yield item('first');
          seen = `${names(await claim(other, 5, 1))}${(await other.get('one')) === undefined ? '' : 'one'}`;
          yield item('second');
        }
        const both = await Promise.allSettled([store.put(batch('one'), slow(), 0), other.put(batch('one'), slow(), 0)]);
        expect(seen === '', `shows ${seen} while its items are read`);
        const taken = both.filter(({ status }) => status === 'fulfilled').length;
        expect(taken === 1, `took ${taken} batches of one name that came at once`);
        await expectCounts(store, 'one', '2 total, 2 queued');
      },
    },
    {
      name: 'takes an idempotency key for one batch of its tenant',
      async run() {
        const store = await open();
        const keyed = (batchId: string, fingerprint: string, fields: Partial<NewBatch> = {}): NewBatch =>
          batch(batchId, { idempotency: { key: 'key', fingerprint }, ...fields });
        const both = await Promise.all([
          store.put(keyed('one', 'same'), items(2), 0),
          (await reopen()).put(keyed('two', 'same'), items(2), 0),
        ]);
        expect(both[0].batchId === both[1].batchId, 'made two batches under one key that came at once');
        let isRead = false;
        function* watched(): Generator<BatchItem> {
          isRead = true;
          yield item('x');
        }
        const again = await store.put(keyed('three', 'same', { deadlineAtMs: 2 * DEADLINE_MS }), watched(), 7);
        expect(again.batchId === both[0].batchId, 'made another batch under a key that was used');
        expect(again.deadlineAtMs === DEADLINE_MS && again.createdAtMs === 0, 'changed a batch that was put again');
        expect(!isRead, 'read items of a batch that it has');
        expect(
          await isRefused(() => store.put(keyed('four', 'other'), items(1), 0), 'ERR_IDEMPOTENCY'),
          'took a key for something else',
        );
        const other = await store.put(keyed('five', 'other', { tenant: 'tenant-b' }), items(1), 0);
        expect(other.batchId === 'five', 'took the key of another tenant for its own');
        const plain = await store.put(batch('six'), items(1), 0);
        expect(plain.batchId === 'six', 'took a batch without a key for another');
        const leased = await claim(store, 100, 1);
        expect(leased.length === 4, 'has items of a batch that was put again');
        for (const one of leased) await complete(store, one, 2);
        const ended = await store.put(keyed('seven', 'same'), items(1), 3);
        expect(ended.batchId === both[0].batchId, 'made another batch under the key of one that has ended');
      },
    },
    {
      name: 'reads results in the order of the items, page by page',
      async run() {
        const store = await open();
        const texts = ['', 'ä€😀\n"\\\u0001\t', 'x'.repeat(100_000)];
        await store.put(
          batch('one'),
          Array.from({ length: 7 }, (_, i) => item(`item-${6 - i}`)),
          0,
        );
        const leased = [...(await claim(store, 7, 0))];
        await store.giveBack(leased.splice(3, 1)[0]!, 1);
        for (const [i, lease] of leased.reverse().entries())
          await store.settle(lease, { status: i % 2 === 0 ? 'completed' : 'failed', result: texts[i % 3]! }, 5 + i);
        const read: ItemResult[] = [];
        for (let from = 0; ;) {
          const page = await store.results('one', from, 2);
          expect(page.length <= 2, `gave ${page.length} results where 2 were asked for`);
          if (page.length === 0) break;
          read.push(...page);
          from = page.at(-1)!.position + 1;
        }
        const order = read.map(({ position, itemId }) => `${position} ${itemId}`).join(', ');
        expect(
          order === '0 item-6, 1 item-5, 2 item-4, 4 item-2, 5 item-1, 6 item-0',
          `gave ${order} of those that have ended`,
        );
        for (const [i, { result }] of read.reverse().entries())
          expect(result === texts[i % 3], 'does not give back a result as it is');
        expect((await store.results('none', 0, 5)).length === 0, 'has results of a batch that nobody put');
      },
    },
    {
      name: 'lists batches from the newest on, of one tenant or of all',
      async run() {
        const store = await open();
        const put = ['c', 'a', 'd', 'b'];
        for (const [i, id] of put.entries())
          await store.put(batch(id, { tenant: i === 2 ? 'tenant-b' : 'tenant-a' }), items(1), i > 1 ? 1 : 0);
        const list = async (...[listing]: Parameters<BatchStore['list']>): Promise<string> =>
          (await store.list(listing)).map(({ batchId }) => batchId).join();
        expect((await list({ most: 10 })) === 'b,d,a,c', `lists ${await list({ most: 10 })}`);
        const own = await list({ most: 2, tenant: 'tenant-a' });
        expect(own === 'b,a', `lists ${own} as the newest two of a tenant`);
        const next = await list({ most: 2, tenant: 'tenant-a', beforeBatchId: 'a' });
        expect(next === 'c', `lists ${next} before a`);
        const before = await list({ most: 10, tenant: 'tenant-a', beforeBatchId: 'd' });
        expect(before === 'a,c', `lists ${before} before the batch of another tenant`);
        // One that is removed while its successors are read is no reason to begin anew.
        expect((await list({ most: 2, beforeBatchId: 'none' })) === '', 'lists what comes before a batch it has not');
        expect((await store.list({ most: 1 }))[0]!.counts.total === 1, 'lists a batch without its counts');
      },
    },
    {
      name: 'forgets a batch that is removed, whatever is worked on',
      async run() {
        const store = await open();
        const keyed = batch('one', { idempotency: { key: 'key', fingerprint: 'x' } });
        await store.put(keyed, items(3), 0);
        const [first, second] = await claim(store, 2, 0);
        await complete(store, first!, 1);
        await store.remove('one');
        await store.remove('none');
        expect((await store.get('one')) === undefined, 'has a batch that was removed');
        expect((await store.results('one', 0, 5)).length === 0, 'has results of a batch that was removed');
        expect((await claim(store, 5, 2)).length === 0, 'gave an item of a batch that was removed');
        expect((await complete(store, second!, 3)) === 'refused', 'settled an item of a batch that was removed');
        expect((await store.renew([second!], 9_000, 3)).join() === 'false', 'renewed in a batch that was removed');
        await store.giveBack(second!, 4);
        const anew = await store.put({ ...keyed, idempotency: { key: 'key', fingerprint: 'y' } }, items(1), 5);
        expect(countsOf(anew) === '1 total, 1 queued', `has ${countsOf(anew)} where a name is used again`);
        await claim(store, 1, 6);
        expect((await complete(store, first!, 7)) === 'refused', 'settled an item by a lease of a batch that is gone');
      },
    },
    {
      name: 'has everything for the next process',
      async run() {
        const before = await open();
        await before.put(batch('one', { idempotency: { key: 'key', fingerprint: 'x' } }), items(3), 0);
        const [first, second] = await claim(before, 2, 0);
        await complete(before, first!, 1, 'kept');
        const store = await reopen();
        await expectCounts(store, 'one', '3 total, 1 queued, 1 leased, 1 completed');
        expect((await store.results('one', 0, 5))[0]?.result === 'kept', 'has no result of the process before');
        expect(names(await claim(store, 5, 2)) === 'one/item-2', 'gave what the process before has leased');
        expect((await complete(store, first!, 3)) === 'refused', 'settled what the process before has');
        expect((await complete(store, second!, 3)) === 'settled', 'knows no lease of the process before');
        const again = batch('two', { idempotency: { key: 'key', fingerprint: 'y' } });
        expect(await isRefused(() => store.put(again, items(1), 4), 'ERR_IDEMPOTENCY'), 'forgot a key');
      },
    },
  ];
}
