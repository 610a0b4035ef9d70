import { type BatchStore, type LeasedItem, type Rng } from '@sageserve/core';
import { A, batch, complete, items, names } from './batch-fixtures.js';
import { expect } from './conformance-case.js';

const STEPS = 150;

/** Workers that claim, stall, come back late, settle twice and are cancelled meanwhile. */
export async function interleave(workers: readonly BatchStore[], rng: Rng): Promise<void> {
  const below = (count: number): number => Math.floor(rng.next() * count);
  const some = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const sizes = [6, 1, 9, 4];
  for (const [b, size] of sizes.entries())
    await workers[0]!.put(batch(`batch-${b}`, { deadlineAtMs: 4_000 + below(20_000) }), items(size), 0);
  /** The newest lease of each item, and until when it is nobody else's. */
  const held = new Map<string, { epoch: number; untilMs: number }>();
  const settled = new Map<string, string>();
  const leases: LeasedItem[] = [];
  let nowMs = 0;
  for (let step = 0; step < STEPS; step++) {
    const store = some(workers);
    const act = rng.next();
    const lease = leases.length === 0 ? undefined : some(leases);
    if (act < 0.3 || lease === undefined) {
      const leaseMs = 1 + below(2_000);
      const asks = workers.map(async (one) => one.claim({ modelIds: [A], most: 1 + below(3), leaseMs }, nowMs));
      for (const leased of (await Promise.all(asks)).flat()) {
        const name = names([leased]);
        const before = held.get(name);
        expect(before === undefined || leased.epoch > before.epoch, `gave epoch ${leased.epoch} of ${name} twice`);
        expect(before === undefined || before.untilMs <= nowMs, `gave ${name} to two workers`);
        expect(!settled.has(name), `gave ${name}, which was settled`);
        held.set(name, { epoch: leased.epoch, untilMs: leased.leasedUntilMs });
        leases.push(leased);
      }
    } else if (act < 0.6) {
      const name = names([lease]);
      const result = `${name} by ${step}`;
      if ((await complete(store, lease, nowMs, result)) === 'settled') {
        expect(!settled.has(name), `settled ${name} twice`);
        expect(held.get(name)!.epoch === lease.epoch, `settled ${name} for an older epoch`);
        settled.set(name, result);
      }
    } else if (act < 0.7) {
      const untilMs = nowMs + 1 + below(2_000);
      const newest = held.get(names([lease]))!;
      if ((await store.renew([lease], untilMs, nowMs))[0] === true) newest.untilMs = Math.max(newest.untilMs, untilMs);
    } else if (act < 0.78) {
      await store.giveBack(lease, nowMs, { untried: rng.next() < 0.5 });
      const newest = held.get(names([lease]))!;
      if (newest.epoch === lease.epoch) newest.untilMs = nowMs;
    } else if (act < 0.79) {
      await store.cancel(`batch-${below(sizes.length)}`, nowMs);
    } else if (act < 0.85) {
      await store.sweep(nowMs);
    } else nowMs += below(600);
    await expectSums(store, sizes);
  }
  nowMs += 1e6;
  await some(workers).sweep(nowMs);
  for (const [b, size] of sizes.entries()) {
    const results = await some(workers).results(`batch-${b}`, 0, 100);
    expect(new Set(results.map(({ itemId }) => itemId)).size === size, `has ${results.length} ends of ${size} items`);
    expect(results.length === size, `has ${results.length} ends of ${size} items`);
    for (const { itemId, result } of results) {
      const name = `batch-${b}/${itemId}`;
      expect(result === settled.get(name), `has the result ${result} of ${name}, not ${settled.get(name)}`);
    }
  }
}

async function expectSums(store: BatchStore, sizes: readonly number[]): Promise<void> {
  for (const [b, size] of sizes.entries()) {
    const { counts } = (await store.get(`batch-${b}`))!;
    const { total, ...states } = counts;
    const sum = Object.values(states).reduce((all, count) => all + count, 0);
    expect(total === size && sum === size, `counts ${total} and in all ${sum} of ${size} items`);
  }
}
