import { type Awaitable, type Clock, type LeaseKeeper, SageServeError, type StateStore } from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';

/**
 * What every state store must do. `open` opens a store on an empty place; `reopen` opens another on
 * the place that `open` opened last, as the next process does.
 */
export function stateStoreConformance(
  open: () => Awaitable<StateStore>,
  reopen: () => Awaitable<StateStore>,
): ConformanceCase[] {
  return [
    {
      name: 'gives nothing before something was saved, then what was saved last, each key by itself',
      async run() {
        const store = await open();
        expect((await store.load('a')) === undefined, 'gave something before anything was saved');
        await store.save('a', 'one');
        await store.save('b', 'two');
        await store.save('a', 'three');
        expect((await store.load('a')) === 'three', 'did not give what was saved last');
        expect((await store.load('b')) === 'two', 'gave one key the text of another');
      },
    },
    {
      name: 'keeps every text as it is, also none, a long one, and any characters, under any key',
      async run() {
        const store = await open();
        for (const text of ['', ' ', 'ä€😀\n"\\\u0001\t', 'x'.repeat(1_000_000)])
          for (const key of ['plain', 'with/slash', '../up', 'ümlaut 😀']) {
            await store.save(key, text);
            expect((await store.load(key)) === text, `${key} does not give back a text of ${text.length} characters`);
          }
      },
    },
    {
      name: 'has what was saved for the next process',
      async run() {
        await (await open()).save('a', 'kept', { fence: 3 });
        const next = await reopen();
        expect((await next.load('a')) === 'kept', 'what was saved is not there for the next process');
        expect(await isFenced(next, 'a', 2), 'the next process took an older fence');
      },
    },
    {
      name: 'refuses an older fence, and changes nothing then',
      async run() {
        const store = await open();
        await store.save('a', 'second', { fence: 2 });
        expect(await isFenced(store, 'a', 1), 'took a text under an older fence');
        expect((await store.load('a')) === 'second', 'a refused text took the place of the one before');
        await store.save('a', 'again', { fence: 2 });
        await store.save('a', 'third', { fence: 7 });
        expect((await store.load('a')) === 'third', 'refused a fence that is as new or newer');
        await store.save('a', 'by a person');
        expect(await isFenced(store, 'a', 6), 'forgot the fence when a text without one was saved');
        await store.save('b', 'x', { fence: 1 });
      },
    },
    {
      name: 'keeps one text whole where several are saved at once',
      async run() {
        const store = await open();
        const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(10_000));
        await Promise.all(texts.map(async (text) => store.save('a', text)));
        expect(texts.includes((await store.load('a')) ?? ''), 'mixed two texts');
      },
    },
  ];
}

async function isFenced(store: StateStore, key: string, fence: number): Promise<boolean> {
  try {
    await store.save(key, 'too late', { fence });
    return false;
  } catch (error) {
    return error instanceof SageServeError && error.code === 'ERR_FENCED';
  }
}

/** Where several ask for one lease, and the time that it takes. */
export interface LeaseBench {
  /** Asks for the lease under a name, by a clock: its keeper is to use no other. */
  readonly ask: (holder: string, clock: Clock) => Awaitable<LeaseKeeper>;
  readonly clock: Clock;
  /** For how long a lease holds that is not renewed (ms). */
  readonly ttlMs: number;
  /** Lets time go by. */
  readonly pass: (ms: number) => Promise<void>;
}

/** What every lease must do. `open` makes a lease that nobody has yet. */
export function leaseConformance(open: () => Awaitable<LeaseBench>): ConformanceCase[] {
  return [
    {
      name: 'is held by one of those that ask for it, for as long as it is renewed',
      async run() {
        const { ask, clock, ttlMs, pass } = await open();
        const keepers = await Promise.all(['a', 'b', 'c'].map(async (holder) => ask(holder, clock)));
        let holder: LeaseKeeper | undefined;
        for (let look = 0; look < 12; look++) {
          await pass(ttlMs / 4);
          const held = keepers.filter(({ lease }) => lease.held);
          expect(held.length <= 1, `${held.length} hold one lease`);
          if (look < 4) continue;
          expect(held.length === 1, 'nobody holds a lease that three ask for');
          holder ??= held[0];
          expect(held[0] === holder, 'a lease that was renewed changed hands');
        }
        await Promise.all(keepers.map((keeper) => keeper.close()));
      },
    },
    {
      name: 'goes to another with a newer fence when it is given back',
      async run() {
        const { ask, clock, ttlMs, pass } = await open();
        const first = await ask('a', clock);
        await pass(ttlMs / 2);
        const fence = first.lease.fence!;
        expect(first.lease.held && Number.isInteger(fence), 'is not held by the only one that asks for it');
        const second = await ask('b', clock);
        await pass(ttlMs / 2);
        expect(!second.lease.held, 'is held by two');
        await first.close();
        expect(!first.lease.held, 'is held after it was given back');
        await pass(ttlMs);
        expect(second.lease.held, 'was not had by who waited for it');
        expect(second.lease.fence! > fence, 'changed hands without a newer fence');
        await second.close();
      },
    },
    {
      name: 'comes free when its holder stops, who knows before another has it',
      async run() {
        const { ask, clock, ttlMs, pass } = await open();
        let isStopped = false;
        const stalls: Clock = {
          nowMs: () => clock.nowMs(),
          sleepUntilMs: (atMs, signal) =>
            isStopped
              ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
              : clock.sleepUntilMs(atMs, signal),
        };
        const first = await ask('a', stalls);
        await pass(ttlMs / 2);
        const fence = first.lease.fence!;
        expect(first.lease.held, 'is not held by the only one that asks for it');
        isStopped = true;
        const second = await ask('b', clock);
        for (let look = 0; look < 16; look++) {
          await pass(ttlMs / 8);
          expect(!(first.lease.held && second.lease.held), 'is held by two, of whom one has stopped');
        }
        expect(second.lease.held && !first.lease.held, 'did not come free when its holder stopped');
        expect(second.lease.fence! > fence, 'changed hands without a newer fence');
        // One that comes back under the same name is not the one that had it.
        const back = await ask('a', clock);
        await pass(ttlMs / 2);
        expect(!back.lease.held, 'was given to a holder that had lost it');
        await Promise.all([first.close(), second.close(), back.close()]);
      },
    },
  ];
}
