import {
  type ActuationResult,
  type EndpointSnapshot,
  type Lease,
  type ScalingDecision,
  type StateStore,
} from '@sageserve/core';
import { fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';
import { createControlLoop } from './control-loop.js';
import type { ControlLoopOptions } from './control-loop-options.js';
import type { JournalEntry } from './journal.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const [A, B] = fakeEndpoints();

type Answer = (decisions: readonly ScalingDecision[]) => unknown;

/** Two endpoints of four instances that become what they are told, unless that is changed. */
function fleetOf(options: Partial<ControlLoopOptions> = {}) {
  const counts = new Map([A, B].map(({ endpointId }) => [endpointId, 4]));
  const calls: number[][] = [];
  const entries: JournalEntry[] = [];
  let wanted: readonly (number | undefined)[] = [];
  let figures: Partial<EndpointSnapshot> = { kvCacheUtilization: 0.5 };
  let seen = [A, B];
  let nowMs = 0;
  let isDown = false;
  const done: Answer = (decisions) =>
    decisions.map(({ endpointId, targetInstances }) => {
      counts.set(endpointId, targetInstances);
      return { endpointId, status: 'applied', reachedInstances: targetInstances, detail: undefined };
    });
  let answer = done;
  const loop = createControlLoop({
    telemetry: {
      snapshot: () =>
        fakeFleet(
          seen.map((one) => ({ ...one, readyInstances: counts.get(one.endpointId), ...figures })),
          nowMs,
        ),
      demand: () => [],
    },
    actuator: {
      apply(decisions) {
        calls.push(decisions.map(({ targetInstances }) => targetInstances));
        return answer(decisions) as ActuationResult[];
      },
    },
    scalingPolicy: {
      name: 'x',
      decide: () =>
        [A, B].flatMap(({ endpointId }, i) =>
          wanted[i] === undefined ? [] : [{ endpointId, targetInstances: wanted[i], reason: 'x' }],
        ),
    },
    journal: {
      append(entry) {
        if (isDown) throw new Error('no space');
        entries.push(entry);
      },
    },
    ...options,
  });
  return {
    calls,
    entries,
    loop,
    tick(atMs: number, want: readonly (number | undefined)[], lease?: Lease) {
      [nowMs, wanted] = [atMs, want];
      return loop.tick(atMs, lease === undefined ? {} : { lease });
    },
    answer: (next: Answer) => (answer = next),
    see: (next: readonly EndpointSnapshot[], what = figures) => ([seen, figures] = [[...next], what]),
    breakJournal: (is: boolean) => (isDown = is),
    intents: () => entries.filter((entry) => entry.kind === 'intent'),
    outcomes: () => entries.flatMap((entry) => (entry.kind === 'decision' ? [entry.outcome] : [])),
    details: () => entries.flatMap((entry) => (entry.kind === 'decision' ? [entry.detail] : [])),
  };
}

function storeOf(): StateStore & { readonly saves: number } {
  const texts = new Map<string, string>();
  let saves = 0;
  return {
    load: (key) => texts.get(key),
    save(key, text) {
      saves++;
      texts.set(key, text);
    },
    get saves() {
      return saves;
    },
  };
}

describe('an intent', () => {
  it('says what is about to be done, under which fence, and for which proposal', async () => {
    const { tick, intents } = fleetOf();
    await tick(0, [6, undefined]);
    const intent = { kind: 'intent', atMs: 0, endpointId: A.endpointId, targetInstances: 6, reason: 'x' };
    expect(intents()).toStrictEqual([intent]);
    const approvals = createApprovalQueue();
    const other = fleetOf({ mode: 'approve', approvals });
    await other.tick(0, [6, undefined], { held: true, fence: 7 });
    await approvals.approve('p1');
    await other.tick(SECOND, [6, undefined], { held: true, fence: 7 });
    expect(other.intents()).toStrictEqual([{ ...intent, atMs: SECOND, fence: 7, proposalId: 'p1' }]);
  });

  it('that can’t be written down is none to scale in, also where it is the first; growing goes on', async () => {
    const { tick, calls, details, breakJournal } = fleetOf();
    breakJournal(true);
    await tick(0, [2, 6]);
    await tick(SECOND, [2, 7]);
    expect(calls).toEqual([[6], [7]]);
    breakJournal(false);
    // The tick in which it can be written again is the one in which it is done.
    await tick(2 * SECOND, [2, 7]);
    expect(calls).toEqual([[6], [7], [2]]);
    expect(details().filter((one) => one === 'the journal can’t be written')).toHaveLength(1);
  });

  it('is told once of what fails again and again, and again of something else', async () => {
    const { tick, calls, intents, answer } = fleetOf();
    answer((decisions) =>
      decisions.map(({ endpointId }) => ({ endpointId, status: 'failed', reachedInstances: 4, detail: 'no quota' })),
    );
    for (let s = 0; s < 3; s++) await tick(s * SECOND, [6, undefined]);
    await tick(3 * SECOND, [7, undefined]);
    expect(calls).toEqual([[6], [6], [6], [7]]);
    expect(intents().map(({ targetInstances }) => targetInstances)).toEqual([6, 7]);
  });

  it('is not made where the lease is lost already, and nothing is kept', async () => {
    const state = storeOf();
    const { tick, entries, calls } = fleetOf({ state });
    const lease = { held: true, fence: 1 };
    const asked = tick(0, [6, undefined], lease);
    lease.held = false;
    expect((await asked).degradations).toEqual(['the lease is lost: nothing is done']);
    expect([entries.filter(({ kind }) => kind === 'intent'), calls, state.saves]).toEqual([[], [], 0]);
  });
});

describe('an answer', () => {
  it('that is no list is told; one that is empty means that it is tried again', async () => {
    const { tick, calls, answer, details } = fleetOf();
    answer(() => 'yes');
    await tick(0, [6, undefined]);
    expect(details()).toEqual(['the actuator answered with no list']);
    answer(() => []);
    await tick(SECOND, [6, undefined]);
    await tick(2 * SECOND, [6, undefined]);
    expect(calls).toHaveLength(3);
  });

  it('that refuses leaves what was approved approved, and is told once', async () => {
    const approvals = createApprovalQueue();
    const { tick, calls, answer } = fleetOf({ mode: 'approve', approvals });
    answer((decisions) =>
      decisions.map(({ endpointId }) => ({
        endpointId,
        status: 'refused',
        reachedInstances: undefined,
        detail: 'fence 9',
      })),
    );
    await tick(0, [6, 7]);
    await approvals.approve('p1');
    await approvals.approve('p2');
    expect((await tick(SECOND, [6, 7])).degradations).toEqual([
      'another controller acts (fence 9): what this one decides is refused',
    ]);
    expect(approvals.approved.map(({ proposalId }) => proposalId)).toEqual(['p1', 'p2']);
    await tick(2 * SECOND, [6, 7]);
    expect(calls).toEqual([
      [6, 7],
      [6, 7],
    ]);
  });
});

describe('what is written down', () => {
  it('is an advice once, however often it is given', async () => {
    const { tick, outcomes, calls } = fleetOf({ mode: 'advise' });
    for (let s = 0; s < 3; s++) await tick(s * SECOND, [6, undefined]);
    expect([outcomes(), calls]).toEqual([['advised'], []]);
  });

  it('is what became of a proposal for an endpoint that can’t be seen', async () => {
    const approvals = createApprovalQueue({ expireAfterMs: MINUTE });
    const { tick, outcomes, see } = fleetOf({ mode: 'approve', approvals });
    await tick(0, [6, undefined]);
    see([B]);
    await tick(MINUTE, []);
    expect(outcomes()).toEqual(['awaits-approval', 'expired']);
  });
});

describe('what a loop before was about to do', () => {
  /** A loop that takes the place of one which was killed as it acted. */
  async function after(want: number, mode: ControlLoopOptions['mode'] = 'act') {
    const state = storeOf();
    const first = fleetOf({ state });
    let texts: [string, string][] = [];
    first.answer(() => {
      texts = ['control-loop', 'control-plan'].flatMap((key) => {
        const text = state.load(key) as string | undefined;
        return text === undefined ? [] : [[key, text]];
      });
      return [];
    });
    await first.tick(0, [want, undefined]);
    const kept = new Map(texts);
    const next = fleetOf({
      mode,
      state: { load: (key) => kept.get(key), save: () => undefined },
      ...(mode === 'approve' ? { approvals: createApprovalQueue() } : {}),
    });
    await next.loop.restore();
    return next;
  }

  it('is done within two minutes, and given up after that', async () => {
    const soon = await after(6);
    await soon.tick(2 * MINUTE, []);
    expect(soon.calls).toEqual([[6]]);
    const late = await after(6);
    await late.tick(2 * MINUTE + 1, []);
    expect([late.calls, late.outcomes(), late.details()]).toEqual([
      [],
      ['expired'],
      ['it was found undone after a restart, and is too old'],
    ]);
  });

  it('is no scale-in of what nothing is known of', async () => {
    const dark = await after(2);
    dark.see([A, B], { kvCacheUtilization: undefined });
    await dark.tick(SECOND, []);
    expect([dark.calls, dark.outcomes()]).toEqual([[], ['held']]);
    const grows = await after(6);
    grows.see([A, B], { kvCacheUtilization: undefined });
    await grows.tick(SECOND, []);
    expect(grows.calls).toEqual([[6]]);
    const known = await after(2);
    await known.tick(SECOND, []);
    expect(known.calls).toEqual([[2]]);
  });

  it('is nothing to a loop that advises, or that asks first', async () => {
    for (const mode of ['advise', 'approve'] as const) {
      const next = await after(6, mode);
      await next.tick(SECOND, []);
      expect([mode, next.calls, next.outcomes()]).toEqual([mode, [], ['held']]);
    }
  });
});
