import type { EndpointId } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import {
  type DecisionEntry,
  decisionEntry,
  explain,
  type JournalEntry,
  journalLine,
  type PlanEntry,
} from './journal.js';

const [A, B] = ['eastus/m/s/p', 'westus/m/s/p'] as EndpointId[];
const seen = {
  readyInstances: 2,
  provisioningInstances: 0,
  drainingInstances: 0,
  kvCacheUtilization: 0.123456789,
  queuedTokens: undefined,
  demandTokensPerS: 3,
};
const decided = (atMs: number, endpointId: EndpointId = A): DecisionEntry =>
  decisionEntry(atMs, { endpointId, targetInstances: atMs, reason: 'x' }, seen, 4, 'applied', 3);
const planned = (atMs: number): PlanEntry => ({
  kind: 'plan',
  atMs,
  status: 'optimal',
  solver: 'x',
  validUntilMs: atMs + 1,
  targets: {},
  forecasts: [],
  shortfall: [],
  notes: [],
});
const broke = (atMs: number, what: string): JournalEntry => ({ kind: 'degradation', atMs, what });
const mended = (atMs: number, what: string): JournalEntry => ({
  kind: 'recovery',
  atMs,
  what: `no longer so: ${what}`,
  ends: what,
});

describe('explain', () => {
  const entries: JournalEntry[] = [
    broke(0, 'gone'),
    planned(1),
    decided(2),
    decided(3, B),
    broke(4, 'stale'),
    mended(5, 'gone'),
    ...[6, 7, 8, 9, 10, 11].map((atMs) => decided(atMs)),
    planned(20),
    broke(21, 'late'),
    decided(22),
  ];

  it('finds the last decision about an endpoint, the five before it, the plan in force and what does not work', () => {
    const { decision, earlier, plan, degradations } = explain(entries, A, 11);
    expect([decision!.atMs, earlier.map(({ atMs }) => atMs), plan!.atMs, degradations.map(({ what }) => what)]).toEqual(
      [11, [6, 7, 8, 9, 10], 1, ['stale']],
    );
    const later = explain(entries, A, 100);
    expect([
      later.decision!.atMs,
      later.earlier.length,
      later.plan!.atMs,
      later.degradations.map(({ what }) => what),
    ]).toEqual([22, 5, 20, ['stale', 'late']]);
  });

  it('takes in what happened at the time itself, and nothing after it', () => {
    expect(explain(entries, A, 2)).toMatchObject({
      decision: { atMs: 2 },
      earlier: [],
      plan: { atMs: 1 },
      degradations: [{ what: 'gone' }],
    });
    expect(explain(entries, A, 1)).toEqual({
      decision: undefined,
      earlier: [],
      plan: planned(1),
      degradations: [broke(0, 'gone')],
    });
    expect(explain(entries, A, 0).plan).toBeUndefined();
    expect(explain(entries, B, 100)).toMatchObject({ decision: { atMs: 3 }, earlier: [] });
    expect(explain(entries, A, 7).earlier.map(({ atMs }) => atMs)).toEqual([2, 6]);
  });

  it('understands recoveries as they once were: by what the degradation said', () => {
    expect(explain([broke(0, 'gone'), { kind: 'recovery', atMs: 1, what: 'gone' }], A, 5).degradations).toEqual([]);
  });
});

describe('journalLine', () => {
  it('rounds what can’t be told apart, and leaves whole numbers and words as they are', () => {
    expect(JSON.parse(journalLine(decided(1_700_000_000_123)))).toEqual({
      kind: 'decision',
      atMs: 1_700_000_000_123,
      endpointId: A,
      seen: {
        readyInstances: 2,
        provisioningInstances: 0,
        drainingInstances: 0,
        kvCacheUtilization: 0.1234568,
        demandTokensPerS: 3,
      },
      plannedInstances: 4,
      targetInstances: 1_700_000_000_123,
      reason: 'x',
      outcome: 'applied',
      reachedInstances: 3,
    });
  });
});
