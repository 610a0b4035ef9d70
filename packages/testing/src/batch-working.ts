import { type Awaitable, type BatchStore, type LeasedItem } from '@sageserve/core';
import {
  A,
  B,
  LEASE_MS,
  batch,
  item,
  items,
  claim,
  complete,
  names,
  countsOf,
  expectCounts,
} from './batch-fixtures.js';
import { type ConformanceCase, expect } from './conformance-case.js';

/** How workers share the items of a store of batches: see `batchStoreConformance`. */
export function workingCases(
  open: () => Awaitable<BatchStore>,
  reopen: () => Awaitable<BatchStore>,
): ConformanceCase[] {
  return [
    {
      name: 'gives the most urgent items of the models that were asked for, each to one worker',
      async run() {
        const store = await open();
        await store.put(batch('late', { deadlineAtMs: 9_000 }), items(2), 0);
        await store.put(batch('soon', { deadlineAtMs: 5_000 }), [item('b', { modelId: B }), ...items(2)], 1);
        await store.put(batch('same', { deadlineAtMs: 5_000 }), items(1), 2);
        const first = await store.claim({ modelIds: [A], most: 3, leaseMs: LEASE_MS }, 10);
        expect(names(first) === 'soon/item-0 soon/item-1 same/item-0', `claimed ${names(first)} first`);
        for (const { leasedUntilMs, epoch, attempt } of first) {
          expect(leasedUntilMs === 10 + LEASE_MS, `leases until ${leasedUntilMs}`);
          expect(Number.isInteger(epoch) && epoch >= 1, `has ${epoch} for an epoch`);
          expect(attempt === 0, `counts ${attempt} tries before the first`);
        }
        const other = await reopen();
        const rest = await Promise.all([claim(store, 2, 11), claim(other, 2, 11), claim(other, 2, 11)]);
        const taken = rest.flat();
        expect(new Set([...first, ...taken].map((one) => names([one]))).size === 6, 'gave an item to two workers');
        expect((await claim(other, 10, 12)).length === 0, 'gave what is leased');
        await expectCounts(store, 'soon', '3 total, 3 leased');
      },
    },
    {
      name: 'gives an item anew when its lease has run out, under a higher epoch, as another try',
      async run() {
        const store = await open();
        await store.put(batch('one'), items(1), 0);
        let last: LeasedItem | undefined;
        for (let round = 0; round < 3; round++) {
          const nowMs = round * LEASE_MS;
          const [leased, ...more] = await claim(round % 2 === 0 ? store : await reopen(), 5, nowMs);
          expect(leased !== undefined && more.length === 0, 'does not give an item whose lease has run out');
          expect(leased.attempt === round, `counts ${leased.attempt} tries after ${round}`);
          expect(last === undefined || leased.epoch > last.epoch, `gave epoch ${leased.epoch} after ${last?.epoch}`);
          expect((await claim(store, 5, nowMs + LEASE_MS - 1)).length === 0, 'gave an item whose lease runs');
          last = leased;
        }
      },
    },
    {
      name: 'renews a lease for whoever has it',
      async run() {
        const store = await open();
        await store.put(batch('one', { deadlineAtMs: 10_000 }), items(3), 0);
        const [first, second, third] = await claim(store, 3, 0);
        expect((await complete(store, third!, 1)) === 'settled', 'does not settle');
        const renewed = await store.renew([first!, third!, { ...second!, epoch: second!.epoch + 1 }], 3_000, 500);
        expect(renewed.join() === 'true,false,false', `says ${renewed.join()} of one held, one ended, one of no lease`);
        expect(names(await claim(store, 5, 1_000)) === 'one/item-1', 'lost a lease that was renewed, or kept another');
        expect((await store.renew([second!], 9_000, 1_100)).join() === 'false', 'renewed for a worker that lost it');
        expect((await store.renew([first!], 2_000, 1_100)).join() === 'true', 'does not renew twice');
        const after = await claim(store, 5, 2_999);
        expect(names(after) === 'one/item-1', 'shortened a lease');
        expect((await store.renew([first!], 12_000, 3_500)).join() === 'true', 'lost a lease that nobody else took');
        expect((await claim(store, 5, 3_500)).length === 0, 'gave an item whose lease was renewed late');
        expect((await store.renew([first!], 20_000, 10_000)).join() === 'false', 'renewed past the deadline');
      },
    },
    {
      name: 'queues what is given back, and counts it as a try unless none was made',
      async run() {
        const store = await open();
        await store.put(batch('one'), items(1), 0);
        const [first] = await claim(store, 1, 0);
        await store.giveBack(first!, 10, { untried: true });
        await expectCounts(store, 'one', '1 total, 1 queued');
        expect((await complete(store, first!, 11)) === 'refused', 'settles for a worker that gave the item back');
        const [second] = await claim(store, 1, 12);
        expect(second?.attempt === 0, `counts ${second?.attempt} tries where none was made`);
        expect(second.epoch > first!.epoch, 'gave one epoch twice');
        await store.giveBack(first!, 13);
        expect((await claim(store, 1, 14)).length === 0, 'took an item from who has it');
        await store.giveBack(second, 15);
        const [third] = await claim(store, 1, 16);
        expect(third?.attempt === 1, `counts ${third?.attempt} tries after one`);
        // Nobody took it since its lease ran out: that was one try, not two.
        await store.giveBack(third, 17 + LEASE_MS);
        const [fourth] = await claim(store, 1, 18 + LEASE_MS);
        expect(fourth?.attempt === 2, `counts ${fourth?.attempt} tries after two`);
        await complete(store, fourth, 19 + LEASE_MS);
        await store.giveBack(fourth, 20 + LEASE_MS);
        await expectCounts(store, 'one', '1 total, 1 completed');
      },
    },
    {
      name: 'settles an item once, with the first result of its newest lease',
      async run() {
        const store = await open();
        const other = await reopen();
        await store.put(batch('one'), items(3), 0);
        const [first, second, third] = await claim(store, 3, 0);
        expect((await complete(store, first!, 10, 'one')) === 'settled', 'does not settle');
        for (const worker of [store, other])
          expect((await complete(worker, first!, 11, 'two')) === 'refused', 'settled an item twice');
        const [anew] = await claim(other, 1, LEASE_MS);
        expect(anew?.itemId === second!.itemId, 'does not give an item whose lease has run out');
        expect((await complete(store, second!, LEASE_MS, 'old')) === 'refused', 'settled for an older epoch');
        const fails = { status: 'failed', result: 'error' } as const;
        expect((await store.settle(anew, fails, LEASE_MS + 1)) === 'settled', 'does not settle for the newest epoch');
        // Nobody took it since: the work is not done again.
        const late = 5 * LEASE_MS;
        expect((await complete(store, third!, late, 'late')) === 'settled', 'lost a late result that nobody redid');
        for (const nobodys of [{ itemId: 'none' }, { batchId: 'none' }])
          expect((await complete(store, { ...anew, ...nobodys }, late)) === 'refused', 'settled what it has not');
        await expectCounts(store, 'one', '3 total, 2 completed, 1 failed');
        expect((await store.get('one'))!.endedAtMs === late, 'does not say when a batch ended');
        const results = await store.results('one', 0, 10);
        const told = results.map(({ status, result, endedAtMs }) => `${status} ${result} ${endedAtMs}`).join(', ');
        const wanted = `completed one 10, failed error ${LEASE_MS + 1}, completed late ${late}`;
        expect(told === wanted, `has the results ${told}, not ${wanted}`);
      },
    },
    {
      name: 'settles for one of several that try at once',
      async run() {
        const store = await open();
        const other = await reopen();
        await store.put(batch('one'), items(1), 0);
        const [leased] = await claim(store, 1, 0);
        const said = await Promise.all(
          Array.from({ length: 6 }, (_, i) => complete(i % 2 === 0 ? store : other, leased!, 10, `${i}`)),
        );
        expect(said.filter((one) => one === 'settled').length === 1, `said ${said.join(', ')} of one item`);
        const [result] = await store.results('one', 0, 1);
        expect(result?.result === `${said.indexOf('settled')}`, 'kept the result of one that it refused');
      },
    },
    {
      name: 'cancels what waits at once, and what is leased when its lease ends unless it settles',
      async run() {
        const store = await open();
        await store.put(batch('one'), items(5), 0);
        await store.put(batch('two'), items(1), 0);
        const [first, second] = await claim(store, 3, 0);
        const cancelled = await store.cancel('one', 10);
        expect(cancelled?.cancelledAtMs === 10, 'does not say when a batch was cancelled');
        expect(countsOf(cancelled) === '5 total, 3 leased, 2 cancelled', `has ${countsOf(cancelled)} once cancelled`);
        expect(names(await claim(store, 5, 11)) === 'two/item-0', 'gave an item of a cancelled batch');
        expect((await store.renew([first!], 9_000, 12)).join() === 'false', 'renewed in a cancelled batch');
        expect((await store.cancel('one', 13))?.cancelledAtMs === 10, 'changed when a batch was cancelled');
        expect((await store.sweep(13)) === 0, 'ended what is leased');
        expect((await complete(store, first!, 14)) === 'settled', 'lost a result of a cancelled batch');
        await store.giveBack(second!, 15);
        await expectCounts(store, 'one', '5 total, 1 leased, 1 completed, 3 cancelled');
        expect(names(await claim(store, 5, LEASE_MS)) === '', 'gave an item of a cancelled batch');
        expect((await store.sweep(LEASE_MS)) === 1, 'does not end what no lease runs of');
        await expectCounts(store, 'one', '5 total, 1 completed, 4 cancelled');
        const again = await store.cancel('one', 5_000);
        expect(again?.cancelledAtMs === 10 && again.endedAtMs === LEASE_MS, 'changed a batch that has ended');
        expect((await store.cancel('none', 0)) === undefined, 'cancelled a batch that nobody put');
        const [two] = await claim(store, 5, 2 * LEASE_MS);
        await complete(store, two!, 2 * LEASE_MS);
        expect((await store.cancel('two', 5_000))?.cancelledAtMs === undefined, 'cancelled what has ended');
      },
    },
    {
      name: 'expires what is past its deadline, but for what is leased',
      async run() {
        const store = await open();
        await store.put(batch('one', { deadlineAtMs: 500 }), items(4), 0);
        await store.put(batch('two', { deadlineAtMs: 501 }), items(1), 0);
        await store.put(batch('three', { deadlineAtMs: 502 }), [item('b', { modelId: B })], 0);
        const [first, second, third] = await store.claim({ modelIds: [A], most: 3, leaseMs: LEASE_MS }, 0);
        const [unswept] = await store.claim({ modelIds: [B], most: 1, leaseMs: 100 }, 0);
        expect((await complete(store, unswept!, 600)) === 'settled', 'lost a result of what nobody had ended');
        expect((await store.sweep(499)) === 0, 'expired something before its deadline');
        expect(names(await claim(store, 5, 500)) === 'two/item-0', 'gave what is past its deadline');
        expect((await store.sweep(500)) === 1, 'does not expire what waits past its deadline');
        await expectCounts(store, 'one', '4 total, 3 leased, 1 expired');
        expect((await complete(store, first!, 600)) === 'settled', 'lost a result that came after the deadline');
        await store.giveBack(second!, 700);
        await expectCounts(store, 'one', '4 total, 1 leased, 1 completed, 2 expired');
        expect((await store.sweep(LEASE_MS)) === 1, 'does not expire what no lease runs of');
        expect((await complete(store, third!, LEASE_MS + 1)) === 'refused', 'settled what has expired');
        await expectCounts(store, 'one', '4 total, 1 completed, 3 expired');
        expect((await store.get('one'))!.endedAtMs === LEASE_MS, 'does not say when a batch ended');
        const results = await store.results('one', 3, 1);
        expect(results[0]?.status === 'expired' && results[0].result === undefined, 'has a result of what expired');
      },
    },
    {
      name: 'says how much could be claimed, by model and deadline',
      async run() {
        const store = await open();
        const due = async (nowMs: number): Promise<string> =>
          (await store.backlog(nowMs))
            .map(
              ({ modelId: model, due: sums }) =>
                `${model}: ${sums.map((sum) => `${sum.requests}/${sum.promptTokens} by ${sum.deadlineAtMs}`).join(', ')}`,
            )
            .sort()
            .join('; ');
        expect((await due(0)) === '', 'has a backlog where nothing was put');
        await store.put(batch('late', { deadlineAtMs: 9_000 }), items(3), 0);
        await store.put(batch('soon', { deadlineAtMs: 5_000 }), [item('b', { modelId: B, promptTokens: 7 })], 0);
        await store.put(batch('more', { deadlineAtMs: 5_000 }), items(2), 0);
        await store.put(batch('gone', { deadlineAtMs: 5_000 }), items(9), 0);
        await store.cancel('gone', 0);
        const all = 'model-a: 2/20 by 5000, 3/30 by 9000; model-b: 1/7 by 5000';
        expect((await due(1)) === all, `says ${await due(1)} where it is ${all}`);
        const leased = await store.claim({ modelIds: [A], most: 3, leaseMs: LEASE_MS }, 1);
        const rest = 'model-a: 2/20 by 9000; model-b: 1/7 by 5000';
        expect((await due(2)) === rest, `says ${await due(2)} where it is ${rest}`);
        await complete(store, leased[0]!, 3);
        const back = 'model-a: 1/10 by 5000, 3/30 by 9000; model-b: 1/7 by 5000';
        const after = await due(1 + LEASE_MS);
        expect(after === back, `says ${after} once leases have run out, where it is ${back}`);
        const [theirs] = await store.claim({ modelIds: [B], most: 1, leaseMs: 10 }, 2_000);
        await store.cancel(theirs!.batchId, 2_001);
        const less = 'model-a: 1/10 by 5000, 3/30 by 9000';
        expect((await due(2_020)) === less, `says ${await due(2_020)} of what is cancelled, where it is ${less}`);
        expect((await due(5_000)) === 'model-a: 3/30 by 9000', 'counts what is past its deadline');
      },
    },
  ];
}
