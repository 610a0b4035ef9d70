import type { EndpointId, StateStore } from '@sageserve/core';
import { createReactiveScaling } from '@sageserve/scaling';
import { createDryRunActuator } from './dry-run.js';
import { fakeEndpoint, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';
import { createControlLoop } from './control-loop.js';
import type { JournalEntry } from './journal.js';

const [A, B] = ['a', 'b'] as EndpointId[];
const wants = (endpointId: EndpointId, targetInstances: number) => ({ endpointId, targetInstances, reason: 'x' });
const two = () => 2;
/** What changed, in short. */
const told = (changes: ReturnType<ReturnType<typeof createApprovalQueue>['propose']>) =>
  changes.map(({ proposal, outcome }) => [proposal.proposalId, proposal.decision.targetInstances, outcome]);

/** A store whose saves, while it is slow, wait to be told what becomes of them. */
function slowStore() {
  const waiting: ((error?: Error) => void)[] = [];
  let isSlow = false;
  const store: StateStore = {
    load: () => undefined,
    save: () =>
      isSlow
        ? new Promise<void>((resolve, reject) =>
            waiting.push((error) => (error === undefined ? resolve() : reject(error))),
          )
        : undefined,
  };
  return {
    store,
    slow: (is: boolean) => (isSlow = is),
    take: (error?: Error) => waiting.shift()?.(error),
  };
}

/** A queue whose store has what was proposed, and is slow from then on. */
async function slowQueue(...decisions: ReturnType<typeof wants>[]) {
  const { store, slow, take } = slowStore();
  const queue = createApprovalQueue({ store });
  queue.propose(decisions, two, 0);
  await queue.keep();
  slow(true);
  return { queue, slow, take };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('an approval queue', () => {
  it('lets a proposal expire that has waited for its time, and a rejection be forgotten', async () => {
    const queue = createApprovalQueue({ expireAfterMs: 1_000 });
    queue.propose([wants(A, 3)], two, 5_000);
    expect(queue.propose([wants(A, 3)], two, 5_999)).toEqual([]);
    expect(told(queue.propose([wants(A, 3)], two, 6_000))).toEqual([
      ['p1', 3, 'expired'],
      ['p2', 3, 'awaits-approval'],
    ]);
    expect(queue.pending).toEqual([
      { proposalId: 'p2', decision: wants(A, 3), proposedAtMs: 6_000, expiresAtMs: 7_000 },
    ]);
    expect(await queue.reject('p2', 'ann')).toBe(true);
    expect(queue.propose([wants(A, 3)], two, 6_999)).toMatchObject([{ outcome: 'rejected', detail: 'by ann' }]);
    expect(told(queue.propose([wants(A, 3)], two, 7_000))).toEqual([['p3', 3, 'awaits-approval']]);
    expect(await queue.approve('p3', 'bob')).toBe(true);
    expect(queue.approved).toMatchObject([{ proposalId: 'p3', by: 'bob' }]);
    expect(queue.propose([], two, 8_000)).toMatchObject([
      { outcome: 'expired', detail: 'it was approved and could not be carried out' },
    ]);
    expect(queue.approved).toEqual([]);
  });

  it('approves what was looked at: one that was replaced meanwhile can’t be', async () => {
    const queue = createApprovalQueue();
    queue.propose([wants(A, 9)], two, 0);
    const { proposalId } = queue.pending[0];
    expect(told(queue.propose([wants(A, 4)], two, 1))).toEqual([
      ['p1', 9, 'withdrawn'],
      ['p2', 4, 'awaits-approval'],
    ]);
    expect(await queue.approve(proposalId)).toBe(false);
    expect(queue.approved).toEqual([]);
  });

  it('withdraws what waits, and what was approved, when what is held is wanted', async () => {
    const queue = createApprovalQueue();
    queue.propose([wants(A, 5), wants(B, 6)], two, 0);
    await queue.approve('p2');
    expect(queue.propose([wants(A, 2), wants(B, 2)], two, 1)).toMatchObject([
      { proposal: { proposalId: 'p1' }, outcome: 'withdrawn', detail: 'what is held is wanted: 2' },
      { proposal: { proposalId: 'p2' }, outcome: 'withdrawn' },
    ]);
    expect([queue.pending, queue.approved]).toEqual([[], []]);
    // Silence is no opinion.
    queue.propose([wants(A, 5)], two, 2);
    expect(queue.propose([], two, 3)).toEqual([]);
    expect(queue.pending).toHaveLength(1);
  });

  it('keeps each endpoint’s proposal by itself, answers once, and forgets a rejection when something else is wanted', async () => {
    const queue = createApprovalQueue();
    queue.propose([wants(A, 3), wants(B, 4)], two, 0);
    expect([
      await queue.approve('p1'),
      await queue.approve('p1'),
      await queue.reject('p1'),
      await queue.approve('p9'),
    ]).toEqual([true, false, false, false]);
    expect(told(queue.propose([wants(A, 5), wants(B, 4)], two, 1))).toEqual([
      ['p1', 3, 'withdrawn'],
      ['p3', 5, 'awaits-approval'],
    ]);
    await queue.reject('p3');
    queue.propose([wants(A, 5)], two, 2);
    expect(told(queue.propose([wants(A, 6)], two, 3))).toEqual([['p4', 6, 'awaits-approval']]);
    expect(told(queue.propose([wants(A, 5)], two, 4)).at(-1)).toEqual(['p5', 5, 'awaits-approval']);
    await queue.approve('p2');
    queue.settle('p2');
    expect(queue.approved).toEqual([]);
  });

  it('has kept an answer before it is given, and goes on from there in another process', async () => {
    const texts = new Map<string, string>();
    let broken = false;
    const store: StateStore = {
      load: (key) => texts.get(key),
      save(key, text) {
        if (broken) throw new Error('no space');
        texts.set(key, text);
      },
    };
    const queue = createApprovalQueue({ store });
    queue.propose([wants(A, 5), wants(B, 6)], two, 0);
    await queue.keep();
    expect(await queue.approve('p1', 'ann')).toBe(true);
    expect(await queue.reject('p2')).toBe(true);
    const next = createApprovalQueue({ store });
    await next.open();
    expect(next.approved).toEqual(queue.approved);
    expect(told(next.propose([wants(B, 6), wants(A, 7)], two, 1))).toEqual([
      ['p2', 6, 'rejected'],
      ['p1', 5, 'withdrawn'],
      ['p3', 7, 'awaits-approval'],
    ]);
    // Nobody can answer what is not kept: after a crash its number may be another's.
    expect([next.pending, await next.approve('p3')]).toEqual([[], false]);
    await next.keep();
    broken = true;
    await expect(next.approve('p3')).rejects.toThrow('no space');
    broken = false;
    // An answer that could not be kept was not given.
    expect([next.pending.length, next.approved.length, await next.approve('p3')]).toEqual([1, 0, true]);
    const fresh = createApprovalQueue({ store });
    await fresh.open();
    expect(fresh.approved).toEqual(next.approved);
    expect(() => createApprovalQueue().restore({ version: 0, state: {} })).toThrow('state of version 0');
  });

  it('counts an answer when it is kept, and undoes one that is not without what was proposed meanwhile', async () => {
    const { queue, slow, take } = await slowQueue(wants(A, 5));
    const answering = queue.approve('p1');
    expect([queue.pending, queue.approved]).toEqual([[], []]);
    queue.propose([wants(B, 6)], two, 1);
    await settled();
    take(new Error('no space'));
    await expect(answering).rejects.toThrow('no space');
    slow(false);
    await queue.keep();
    expect(queue.pending.map(({ proposalId }) => proposalId).sort()).toEqual(['p1', 'p2']);
    expect(await queue.approve('p1')).toBe(true);
    expect(queue.approved).toMatchObject([{ proposalId: 'p1' }]);
  });

  it('approves nothing that was withdrawn before it was kept', async () => {
    const { queue, take } = await slowQueue(wants(A, 5), wants(B, 6));
    const [first, second] = [queue.approve('p1'), queue.reject('p2')];
    await settled();
    expect(told(queue.propose([wants(A, 2), wants(B, 7)], two, 1))).toEqual([
      ['p1', 5, 'withdrawn'],
      ['p3', 7, 'awaits-approval'],
    ]);
    take();
    await settled();
    take();
    expect(await Promise.all([first, second])).toEqual([false, true]);
    expect([queue.approved, told(queue.propose([], two, 2))]).toEqual([[], [['p2', 6, 'rejected']]]);
  });

  it('tells of a rejection when it is kept, and never of one that could not be', async () => {
    const { queue, take } = await slowQueue(wants(A, 5));
    const rejecting = queue.reject('p1');
    await settled();
    expect(queue.propose([wants(A, 5)], two, 1)).toEqual([]);
    take(new Error('no space'));
    await expect(rejecting).rejects.toThrow('no space');
    expect(queue.propose([wants(A, 5)], two, 2)).toEqual([]);
    expect(queue.pending).toMatchObject([{ proposalId: 'p1' }]);
  });

  it('gives an answer up that a store does not take in time', async () => {
    const { queue } = await slowQueue(wants(A, 5));
    for (const answer of [queue.approve, queue.reject]) {
      const limit = new AbortController();
      const answering = answer.call(queue, 'p1', 'ann', { signal: limit.signal });
      await settled();
      limit.abort(new Error('late'));
      await expect(answering).rejects.toThrow('late');
      expect([queue.pending, queue.approved]).toMatchObject([[{ proposalId: 'p1' }], []]);
    }
  });

  it('leaves it to the loop to say that what was approved is there', async () => {
    const approvals = createApprovalQueue();
    const journal: JournalEntry[] = [];
    const endpoint = fakeEndpoint({ readyInstances: 2, kvCacheUtilization: 0.5 });
    let ready = 2;
    let isLate = true;
    const loop = createControlLoop({
      telemetry: { snapshot: () => fakeFleet([{ ...endpoint, readyInstances: ready }]), demand: () => [] },
      // It is done, and nobody hears of it.
      actuator: {
        apply: () => {
          ready = 5;
          if (isLate) throw new Error('the connection was cut');
          return [];
        },
      },
      scalingPolicy: { name: 'x', decide: () => [wants(endpoint.endpointId, 5)] },
      mode: 'approve',
      approvals,
      journal: { append: (entry) => void journal.push(entry) },
    });
    await loop.tick(0);
    await approvals.approve('p1');
    await loop.tick(1_000);
    isLate = false;
    await loop.tick(2_000);
    expect(journal.flatMap((entry) => (entry.kind === 'decision' ? [entry.outcome] : []))).toEqual([
      'awaits-approval',
      'failed',
      'unchanged',
    ]);
    expect(approvals.approved).toEqual([]);
  });

  it('undoes an answer that is not kept, and nothing else', async () => {
    const { queue, slow, take } = await slowQueue(wants(A, 5), wants(B, 6));
    const [first, second] = [queue.approve('p1'), queue.reject('p2')];
    await settled();
    // Something else takes the place of the first meanwhile.
    queue.propose([wants(A, 7)], two, 1);
    take(new Error('no space'));
    await expect(first).rejects.toThrow('no space');
    await settled();
    take();
    expect(await second).toBe(true);
    slow(false);
    await queue.keep();
    expect(queue.pending.map(({ proposalId }) => proposalId)).toEqual(['p3']);
    expect(told(queue.propose([], two, 2))).toEqual([['p2', 6, 'rejected']]);
  });

  it('withdraws what was never approved where it is there already', () => {
    const queue = createApprovalQueue();
    queue.propose([wants(A, 5)], two, 0);
    expect(told(queue.propose([wants(A, 5)], () => 5, 1))).toEqual([['p1', 5, 'withdrawn']]);
    expect(queue.pending).toEqual([]);
  });

  it('is written under the fence that was last, and only when something has changed', async () => {
    const fences: (number | undefined)[] = [];
    const store: StateStore = { load: () => undefined, save: (_key, _text, given) => void fences.push(given?.fence) };
    const queue = createApprovalQueue({ store });
    queue.propose([wants(A, 5)], two, 0);
    await queue.keep({ fence: 7 });
    await queue.keep({ fence: 7 });
    expect(fences).toEqual([7]);
    await queue.approve('p1');
    expect(fences).toEqual([7, 7]);
    await queue.keep({ fence: 8 });
    queue.propose([wants(B, 5)], two, 1);
    await queue.keep({ fence: 8 });
    await queue.reject('p2');
    expect(fences).toEqual([7, 7, 8, 8]);
  });

  it('says whether anything would be forgotten', async () => {
    const queue = createApprovalQueue({ store: { load: () => undefined, save: () => undefined } });
    // What the store has is not known yet.
    expect(queue.isKept).toBe(false);
    await queue.open();
    expect(queue.isKept).toBe(true);
    queue.propose([wants(A, 5)], two, 0);
    expect(queue.isKept).toBe(false);
    await queue.keep();
    expect(queue.isKept).toBe(true);
    queue.propose([wants(A, 2)], two, 1);
    expect(queue.isKept).toBe(false);
    // Without a store nothing is promised.
    const forgetful = createApprovalQueue();
    forgetful.propose([wants(A, 5)], two, 0);
    expect(forgetful.isKept).toBe(true);
  });

  it('withdraws what a built-in policy asked for under a load that is gone', async () => {
    const approvals = createApprovalQueue();
    const journal: JournalEntry[] = [];
    let [nowMs, kvCacheUtilization]: [number, number | undefined] = [0, 0.9];
    const loop = createControlLoop({
      telemetry: {
        snapshot: () => fakeFleet([fakeEndpoint({ readyInstances: 4, kvCacheUtilization })], nowMs),
        demand: () => [],
      },
      actuator: createDryRunActuator(),
      scalingPolicy: createReactiveScaling(),
      mode: 'approve',
      approvals,
      journal: { append: (entry) => void journal.push(entry) },
    });
    const tick = async (atMs: number, load: number | undefined) => {
      [nowMs, kvCacheUtilization] = [atMs, load];
      await loop.tick(atMs);
      return approvals.pending.map(({ decision }) => decision.targetInstances);
    };
    expect(await tick(0, 0.9)).toEqual([5]);
    // What is not known takes nothing back.
    expect(await tick(1_000, undefined)).toEqual([5]);
    expect(await tick(2_000, 0.5)).toEqual([]);
    for (let atMs = 3_000; atMs < 60_000; atMs += 1_000) await tick(atMs, 0.5);
    expect(journal).toMatchObject([
      { kind: 'decision', atMs: 0, targetInstances: 5, outcome: 'awaits-approval' },
      { kind: 'decision', atMs: 2_000, targetInstances: 5, outcome: 'withdrawn', detail: 'what is held is wanted: 4' },
    ]);
  });

  it('has an expiry above 0', () => {
    for (const expireAfterMs of [0, -1, NaN])
      expect(() => createApprovalQueue({ expireAfterMs })).toThrow('expireAfterMs: must be above 0');
    expect(() => createApprovalQueue({ expireAfterMs: 1 })).not.toThrow();
  });
});
