import { type EndpointSnapshot, PolicyContractError, type ScalingDecision } from '@sageserve/core';
import { fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';
import { createControlLoop } from './control-loop.js';
import type { ControlLoopOptions } from './control-loop-options.js';
import type { JournalEntry } from './journal.js';

const MINUTE = 60_000;
const [A, B, C, D, E] = fakeEndpoints(() => ({ readyInstances: 4 }));
const wants = ({ endpointId }: Pick<EndpointSnapshot, 'endpointId'>, targetInstances: number): ScalingDecision => ({
  endpointId,
  targetInstances,
  reason: 'x',
});

/** A loop whose snapshot and decisions are given tick by tick. */
function scripted(options: Partial<ControlLoopOptions> = {}) {
  let seen: EndpointSnapshot[] = [];
  let decided: ScalingDecision[] = [];
  let nowMs = -MINUTE;
  const applied: [string, number][] = [];
  const journal: JournalEntry[] = [];
  const loop = createControlLoop({
    telemetry: { snapshot: () => fakeFleet(seen, nowMs), demand: () => [] },
    actuator: {
      apply: (decisions) =>
        decisions.map(({ endpointId, targetInstances }) => {
          applied.push([endpointId, targetInstances]);
          return { endpointId, status: 'applied', reachedInstances: targetInstances, detail: undefined };
        }),
    },
    scalingPolicy: { name: 'mine', decide: () => decided },
    cadences: { reactMs: MINUTE },
    journal: { append: (entry) => void journal.push(entry) },
    ...options,
  });
  const tick = (endpoints: EndpointSnapshot[], decisions: ScalingDecision[]) => {
    [seen, decided, nowMs] = [endpoints, decisions, nowMs + MINUTE];
    return loop.tick(nowMs);
  };
  return { tick, applied, journal };
}

describe('a decision for an endpoint that the snapshot does not have', () => {
  const ghost = { endpointId: 'ghost' as never };

  it.each(['act', 'advise', 'approve'] as const)(
    'that it never had is a breach, and not acted on: %s',
    async (mode) => {
      const approvals = createApprovalQueue();
      const { tick, applied, journal } = scripted({ mode, approvals });
      const report = await tick([A, B], [wants(ghost, 3), wants(B, 4)]);
      const what = 'mine decided for the text "ghost", which is no endpoint of the fleet: that is ignored';
      expect(report.degradations).toEqual([what]);
      expect(report.decisions).toEqual([wants(B, 4)]);
      expect([applied, approvals.pending]).toEqual([[], []]);
      expect(journal).toEqual([{ kind: 'degradation', atMs: 0, what }]);
      expect((await tick([A, B], [wants(B, 4)])).degradations).toEqual([]);
    },
  );

  it('is an error where that is asked for', async () => {
    const { tick, applied } = scripted({ onBreach: 'throw' });
    await expect(tick([A], [wants(A, 6), wants(ghost, 3)])).rejects.toThrow(PolicyContractError);
    expect(applied).toEqual([]);
  });

  it('is held where it is missing now, and acted on when it is back; the others are acted on', async () => {
    const { tick, applied, journal } = scripted();
    await tick([A, B], []);
    for (const targetInstances of [3, 6]) {
      const report = await tick([A], [wants(B, targetInstances), wants(A, 4 + targetInstances)]);
      expect(report.degradations).toEqual([`${B.endpointId} can't be seen any more: what is there is held as it is`]);
    }
    expect(applied).toEqual([
      [A.endpointId, 7],
      [A.endpointId, 10],
    ]);
    expect(journal.filter(({ kind }) => kind === 'degradation')).toHaveLength(1);
    expect((await tick([A, B], [wants(B, 6)])).degradations).toEqual([]);
    expect(applied.at(-1)).toEqual([B.endpointId, 6]);
  });

  it('is told by a few names, beside what else is wrong', async () => {
    const { tick, applied } = scripted();
    await tick([A, B, C, D, E], []);
    const report = await tick([E], [wants(D, 5), wants(C, 5), wants(ghost, 1), wants(B, 5), wants(A, 5), wants(E, -1)]);
    expect(report.degradations).toEqual([
      'mine asks for -1 instances: that is ignored',
      'mine decided for the text "ghost", which is no endpoint of the fleet: that is ignored',
      `${D.endpointId}, ${C.endpointId}, ${B.endpointId} and 1 more can't be seen any more: ` +
        'what is there is held as it is',
    ]);
    expect(applied).toEqual([]);
  });

  it('is not carried out where a person approved it before it went out of sight', async () => {
    const approvals = createApprovalQueue();
    const { tick, applied, journal } = scripted({ mode: 'approve', approvals });
    await tick([A, B], [wants(A, 6), wants(B, 6)]);
    for (const { proposalId } of approvals.pending) await approvals.approve(proposalId);
    await tick([A], []);
    expect(applied).toEqual([[A.endpointId, 6]]);
    expect(journal.filter((entry) => entry.kind === 'decision' && entry.outcome === 'held')).toMatchObject([
      { endpointId: B.endpointId, detail: 'it can’t be seen', seen: { readyInstances: undefined } },
    ]);
    await tick([{ ...A, readyInstances: 6 }, B], []);
    expect(applied.at(-1)).toEqual([B.endpointId, 6]);
  });
});

describe('a decision that breaks the contract', () => {
  const whole = (endpoint: EndpointSnapshot): EndpointSnapshot => ({ ...endpoint, minInstances: 2, maxInstances: 10 });
  const [low, other] = [whole(A), whole(B)];

  it('of an endpoint decided twice none is acted on, wherever they stand; the others are', async () => {
    const { tick, applied, journal } = scripted();
    const what = `mine decided twice for ${A.endpointId}: what is there is held as it is`;
    for (const decisions of [
      [wants(low, 6), wants(low, 2)],
      [wants(low, 6), wants(low, 6)],
      [wants(low, 6), wants(other, 4), wants(low, 2)],
      [wants(other, 4), wants(low, 6), wants(low, 2)],
    ])
      expect(await tick([low, other], decisions)).toMatchObject({
        decisions: decisions.filter(({ endpointId }) => endpointId === B.endpointId),
        degradations: [what],
      });
    expect(applied).toEqual([]);
    expect(journal).toEqual([{ kind: 'degradation', atMs: 0, what }]);
    // Out of order is no breach.
    expect((await tick([low, other], [wants(other, 6), wants(low, 5)])).degradations).toEqual([]);
    expect(applied).toEqual([
      [B.endpointId, 6],
      [A.endpointId, 5],
    ]);
  });

  it('is held where one of the two is nothing that could be done anyway', async () => {
    for (const [targets, what] of [
      [[6, NaN], 'mine asks for NaN instances'],
      [[11, 12], `mine goes out of the bounds of ${A.endpointId}`],
    ] as const) {
      const { tick, applied } = scripted();
      const report = await tick(
        [low],
        targets.map((target) => wants(low, target)),
      );
      expect(report.degradations).toEqual([
        `${what}: that is ignored`,
        `mine decided twice for ${A.endpointId}: what is there is held as it is`,
      ]);
      expect(applied).toEqual([]);
    }
  });

  it('out of the bounds of its endpoint is ignored, and up to them it is acted on', async () => {
    const { tick, applied, journal } = scripted();
    const what = `mine goes out of the bounds of ${A.endpointId}: that is ignored`;
    for (const target of [1, 0, 11, 1e6])
      expect((await tick([low, other], [wants(low, target), wants(other, 4)])).degradations).toEqual([what]);
    expect(applied).toEqual([]);
    expect(journal).toEqual([{ kind: 'degradation', atMs: 0, what }]);
    for (const target of [2, 10]) expect((await tick([low], [wants(low, target)])).degradations).toEqual([]);
    expect(applied.map(([, target]) => target)).toEqual([2, 10]);
  });

  it.each([undefined, '', 3])('without a reason is ignored: %j', async (reason) => {
    const { tick, applied } = scripted();
    const report = await tick([low, other], [{ ...wants(low, 6), reason: reason as string }, wants(other, 6)]);
    expect(report.degradations).toEqual([`mine gives no reason for ${A.endpointId}: that is ignored`]);
    expect(applied).toEqual([[B.endpointId, 6]]);
  });
});
