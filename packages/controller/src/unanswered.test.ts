import type {
  ActuationOptions,
  ActuationResult,
  EndpointSnapshot,
  Lease,
  ScalingDecision,
  StateStore,
} from '@sageserve/core';
import { createVirtualClock, fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';
import { createControlLoop } from './control-loop.js';
import type { ControlLoopOptions } from './control-loop-options.js';
import type { JournalEntry } from './journal.js';
import { runControlLoop } from './live-host.js';

const SECOND = 1_000;
const [A, B] = fakeEndpoints();
const NAMES = `${A.endpointId}, ${B.endpointId}`;
const LATE = `the actuator has not answered for 60 s: ${NAMES}`;

interface Call {
  readonly atMs: number;
  readonly targets: readonly number[];
  readonly signal: AbortSignal | undefined;
  /** All alike. */
  readonly answer: (status?: ActuationResult['status']) => void;
  readonly fail: (error: Error) => void;
}

/** Two endpoints of four instances, and an actuator that never answers unless it is told to. */
function hanging(options: Partial<ControlLoopOptions> = {}) {
  const counts = new Map([A, B].map(({ endpointId }) => [endpointId, 4]));
  const calls: Call[] = [];
  const journal: JournalEntry[] = [];
  let nowMs = 0;
  let seenAtMs: number | undefined;
  let onCall: (call: Call) => void = () => undefined;
  let wanted: readonly [number, number] | undefined;
  const endpoints = (): EndpointSnapshot[] =>
    [A, B].map((one) => ({
      ...one,
      readyInstances: counts.get(one.endpointId),
      kvCacheUtilization: 0.5,
      ...(seenAtMs === undefined ? {} : { observedAtMs: seenAtMs }),
    }));
  const loop = createControlLoop({
    telemetry: { snapshot: () => fakeFleet(endpoints(), nowMs), demand: () => [] },
    actuator: {
      apply: (decisions: readonly ScalingDecision[], given?: ActuationOptions) =>
        new Promise<ActuationResult[]>((resolve, reject) => {
          const call: Call = {
            atMs: nowMs,
            targets: decisions.map(({ targetInstances }) => targetInstances),
            signal: given?.signal,
            answer: (status = 'applied') =>
              resolve(
                decisions.map(({ endpointId, targetInstances }) => ({
                  endpointId,
                  status,
                  reachedInstances: status === 'failed' ? undefined : targetInstances,
                  detail: undefined,
                })),
              ),
            fail: reject,
          };
          calls.push(call);
          onCall(call);
        }),
    },
    scalingPolicy: {
      name: 'x',
      decide: () =>
        wanted === undefined
          ? []
          : [A, B].map(({ endpointId }, i) => ({ endpointId, targetInstances: wanted![i], reason: 'x' })),
    },
    journal: { append: (entry) => void journal.push(entry) },
    ...options,
  });
  return {
    calls,
    counts,
    journal,
    loop,
    /** A tick whose host gives up what it waits for. */
    async tick(atMs: number, want: readonly [number, number] | undefined, lease?: Lease) {
      [nowMs, wanted] = [atMs, want];
      const limit = new AbortController();
      const report = loop.tick(atMs, { signal: limit.signal, ...(lease === undefined ? {} : { lease }) });
      await new Promise((resolve) => setImmediate(resolve));
      limit.abort(new Error('late'));
      return report;
    },
    on: (then: (call: Call) => void) => (onCall = then),
    want: (targets: readonly [number, number]) => (wanted = targets),
    seenAt: (ms: number) => (seenAtMs = ms),
    held: () =>
      journal.flatMap((entry) => (entry.kind === 'decision' && entry.outcome === 'held' ? [entry.detail] : [])),
  };
}

/** What an actuator does that listens to its signal. */
const givesUp = ({ signal, fail }: Call): void =>
  signal?.addEventListener('abort', () => fail(signal.reason as Error), { once: true });

describe('an act that is never answered', () => {
  it('is told after a minute, its signal aborted, and what came of it unknown', async () => {
    const { tick, calls, journal } = hanging();
    expect(await tick(0, [6, 6])).toMatchObject({
      degradations: [],
      results: Array(2).fill({ status: 'failed', reachedInstances: undefined }),
    });
    expect([calls[0].targets, calls[0].signal?.aborted]).toEqual([[6, 6], true]);
    expect((await tick(60 * SECOND - 1, undefined)).degradations).toEqual([]);
    // Nothing need be decided for that.
    expect((await tick(60 * SECOND, undefined)).degradations).toEqual([LATE]);
    expect(journal.filter(({ kind }) => kind === 'decision')).toMatchObject(
      Array(2).fill({ outcome: 'failed', reachedInstances: undefined }),
    );
    calls[0].answer();
    await new Promise((resolve) => setImmediate(resolve));
    expect((await tick(62 * SECOND, undefined)).degradations).toEqual([]);
  });

  it('lets its endpoints grow again then, to no less than it asked for, and not shrink', async () => {
    const { tick, calls, held } = hanging();
    await tick(0, [6, 6]);
    await tick(59 * SECOND, [7, 7]);
    expect(calls).toHaveLength(1);
    // Less than the act asked for could come before it, or after it.
    await tick(60 * SECOND, [5, 3]);
    expect(calls).toHaveLength(1);
    await tick(61 * SECOND, [6, 7]);
    expect(calls.map(({ atMs, targets }) => [atMs, targets])).toEqual([
      [0, [6, 6]],
      [61 * SECOND, [6, 7]],
    ]);
    // The one that was tried again has its own minute.
    await tick(120 * SECOND, [8, 8]);
    expect(calls).toHaveLength(2);
    await tick(121 * SECOND, [8, 8]);
    expect(calls).toHaveLength(3);
    const only = 'an act before it was never answered: until it is known what came of it, it may only grow';
    expect(held()).toEqual([
      ...Array<string>(2).fill('an act before it was not answered yet'),
      ...Array<string>(2).fill(only),
      ...Array<string>(2).fill('an act before it was not answered yet'),
    ]);
  });

  it('and was a scale-in lets nothing follow that it might undo', async () => {
    const { tick, calls, held, counts } = hanging();
    await tick(0, [3, 3]);
    await tick(60 * SECOND, [8, 2]);
    expect(calls).toHaveLength(1);
    expect(held()).toEqual(Array(2).fill('a scale-in before it was never answered, and may still come'));
    // One of them has come.
    counts.set(A.endpointId, 3);
    await tick(61 * SECOND, [8, 8]);
    expect(calls.map(({ targets }) => targets)).toEqual([[3, 3], [8]]);
  });

  it('is over for an endpoint that is seen to have what was asked for, after it was asked', async () => {
    const { tick, calls, counts, seenAt } = hanging();
    await tick(60 * SECOND, [6, 6]);
    counts.set(A.endpointId, 6);
    // Not before the deadline, nor by a reading from before the act.
    await tick(119 * SECOND, [4, 4]);
    seenAt(60 * SECOND);
    expect((await tick(120 * SECOND, [4, 4])).degradations).toEqual([LATE]);
    expect(calls).toHaveLength(1);
    seenAt(60 * SECOND + 1);
    const report = await tick(121 * SECOND, [4, 4]);
    expect(report.degradations).toEqual([`the actuator has not answered for 60 s: ${B.endpointId}`]);
    expect(calls.map(({ targets }) => targets)).toEqual([[6, 6], [4]]);
  });

  it('is one that rejects when it is given up, since it may still come', async () => {
    const { tick, on, calls, counts, held, journal } = hanging();
    on(givesUp);
    expect((await tick(0, [2, 2])).results).toMatchObject(
      Array(2).fill({ detail: 'the actuator did not answer in time' }),
    );
    await tick(SECOND, [8, 8]);
    await tick(60 * SECOND, [8, 8]);
    expect(calls).toHaveLength(1);
    expect(held()).toEqual([
      ...Array<string>(2).fill('an act before it was not answered yet'),
      ...Array<string>(2).fill('a scale-in before it was never answered, and may still come'),
    ]);
    expect(journal).toContainEqual({ kind: 'degradation', atMs: 60 * SECOND, what: LATE });
    // A reading shows that one of them has come.
    counts.set(A.endpointId, 2);
    await tick(61 * SECOND, [8, 8]);
    expect(calls.map(({ targets }) => targets)).toEqual([[2, 2], [8]]);
  });

  it('or says then that it failed, of those of which it says so', async () => {
    const { tick, on, calls, held } = hanging();
    on(({ signal, answer }) => signal?.addEventListener('abort', () => answer('failed'), { once: true }));
    await tick(0, [2, 2]);
    await tick(SECOND, [8, 8]);
    expect(calls).toHaveLength(1);
    expect(held()).toEqual(Array<string>(2).fill('an act before it was not answered yet'));
    const other = hanging();
    other.on(({ signal, answer }) => signal?.addEventListener('abort', () => answer('partial'), { once: true }));
    await other.tick(0, [6, 6]);
    await other.tick(SECOND, [8, 8]);
    expect(other.calls).toHaveLength(2);
  });

  it('holds up what takes the place of the loop that began it', async () => {
    const texts = new Map<string, string>();
    const state: StateStore = { load: (key) => texts.get(key), save: (key, text) => void texts.set(key, text) };
    const first = hanging({ state });
    await first.tick(0, [2, 6]);
    const second = hanging({ state });
    await second.loop.restore();
    await second.tick(SECOND, [8, 8]);
    expect(second.calls).toHaveLength(0);
    await second.tick(60 * SECOND, [8, 8]);
    expect(second.calls.map(({ targets }) => targets)).toEqual([[8]]);
    expect(second.held()).toEqual([
      ...Array<string>(2).fill('an act before it was not answered yet'),
      'a scale-in before it was never answered, and may still come',
    ]);
  });

  it('is void by a newer fence where it was given up; one that rejects before that is answered', async () => {
    const { tick, on, calls } = hanging();
    on(givesUp);
    await tick(0, [2, 2], { held: true, fence: 1 });
    on(({ fail }) => fail(new Error('no quota')));
    const second = await tick(SECOND, [8, 8], { held: true, fence: 2 });
    expect(second.results).toMatchObject(Array(2).fill({ detail: 'no quota' }));
    await tick(2 * SECOND, [3, 3], { held: true, fence: 2 });
    expect(calls.map(({ targets }) => targets)).toEqual([
      [2, 2],
      [8, 8],
      [3, 3],
    ]);
  });

  it('is taken for lost where nothing of it is seen for five minutes, and holds up nothing any more', async () => {
    const { tick, calls, counts, seenAt } = hanging();
    await tick(0, [3, 6]);
    expect((await tick(299 * SECOND, [8, 2])).degradations).toEqual([LATE]);
    expect(calls).toHaveLength(1);
    // A reading from before says nothing, and neither does an endpoint that can't be counted.
    seenAt(299 * SECOND);
    expect((await tick(300 * SECOND, [8, 2])).degradations).toEqual([LATE]);
    seenAt(300 * SECOND);
    counts.delete(B.endpointId);
    const lost = `the actuator has not answered for 300 s, and what was asked for is taken for lost: ${A.endpointId}`;
    expect((await tick(301 * SECOND, [8, 2])).degradations).toContain(
      `the actuator has not answered for 60 s: ${B.endpointId}; ${lost}`,
    );
    expect(calls.map(({ targets }) => targets)).toEqual([[3, 6], [8]]);
    counts.set(B.endpointId, 4);
    await tick(302 * SECOND, [8, 2]);
    expect(calls.at(-1)!.targets).toEqual([2]);
  });

  it('is void once there is a newer fence, and told of no more', async () => {
    const { tick, calls } = hanging();
    await tick(0, [9, 9], { held: true, fence: 3 });
    expect(calls).toHaveLength(1);
    expect((await tick(70 * SECOND, undefined, { held: true, fence: 4 })).degradations).toEqual([]);
  });

  it('gives way to one of a newer fence', async () => {
    const { tick, calls } = hanging();
    await tick(0, [3, 3], { held: true, fence: 4 });
    await tick(SECOND, [8, 8], { held: true, fence: 4 });
    expect(calls).toHaveLength(1);
    await tick(2 * SECOND, [8, 8], { held: true, fence: 5 });
    expect(calls.map(({ targets }) => targets)).toEqual([
      [3, 3],
      [8, 8],
    ]);
  });

  it('holds up a host for the deadline of a tick, and its own may be set', async () => {
    const clock = createVirtualClock();
    const end = new AbortController();
    const told = new Map<number, readonly string[]>();
    const { loop, calls, want } = hanging({ actDeadlineMs: 30 * SECOND });
    want([6, 6]);
    const running = runControlLoop(loop, clock, {
      signal: end.signal,
      tickDeadlineMs: 5 * SECOND,
      onTick: ({ atMs, degradations }) => told.set(atMs, degradations),
    });
    for (let s = 0; s < 40; s++) await clock.advanceMs(SECOND);
    // The tick at 0 was over at 5 s, that at 30 s tried again.
    expect([...told.keys()].slice(0, 3)).toEqual([0, 5 * SECOND, 6 * SECOND]);
    expect(told.get(29 * SECOND)).toEqual([]);
    expect(told.get(30 * SECOND)).toEqual([`the actuator has not answered for 30 s: ${NAMES}`]);
    expect(calls.map(({ signal }) => signal?.aborted)).toEqual([true, true]);
    end.abort();
    await running;
    for (const actDeadlineMs of [0, -1, NaN])
      expect(() => hanging({ actDeadlineMs })).toThrow('actDeadlineMs: must be above 0');
  });

  it('has no proposals forgotten where there is nothing to keep of them', async () => {
    const storeOf = (): StateStore => {
      const texts = new Map<string, string>();
      return { load: (key) => texts.get(key), save: (key, text) => void texts.set(key, text) };
    };
    const state = storeOf();
    const queued = createApprovalQueue({ store: storeOf() });
    await queued.open();
    for (const approvals of [undefined, createApprovalQueue(), queued]) {
      const { tick, calls } = hanging({ state, ...(approvals === undefined ? {} : { approvals }) });
      const { degradations } = await tick(0, [6, 6]);
      expect(calls).toHaveLength(1);
      expect(degradations.filter((what) => what.includes('proposals'))).toEqual([]);
    }
  });

  it('has those told that are not kept within its tick', async () => {
    const save = (): Promise<void> => new Promise<void>(() => undefined);
    const approvals = createApprovalQueue({ store: { load: () => undefined, save } });
    await approvals.open();
    const { tick } = hanging({ mode: 'approve', approvals });
    expect((await tick(0, [6, 6])).degradations).toEqual(["proposals can't be kept (late): a restart forgets them"]);
  });
});
