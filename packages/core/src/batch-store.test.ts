import { describe, expect, it } from 'vitest';
import { heldQueueOf } from './batch-store.js';

describe('heldQueueOf', () => {
  it('counts what is due by a time, the deadline itself too', () => {
    const held = heldQueueOf({
      due: [
        { deadlineAtMs: 1_000, requests: 2, promptTokens: 20 },
        { deadlineAtMs: 5_000, requests: 3, promptTokens: 10 },
      ],
    });
    expect([held.count, held.earliestDeadlineAtMs]).toEqual([5, 1_000]);
    expect([999, 1_000, 4_999, 5_000, Infinity].map((atMs) => held.countDueBy(atMs))).toEqual([0, 2, 2, 5, 5]);
  });

  it('holds nothing where nothing waits', () => {
    const held = heldQueueOf({ due: [] });
    expect([held.count, held.earliestDeadlineAtMs, held.countDueBy(Infinity)]).toEqual([0, Infinity, 0]);
  });
});
