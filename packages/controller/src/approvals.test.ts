import type { EndpointId } from '@sageserve/core';
import { expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';

const [A, B] = ['a', 'b'] as EndpointId[];
const wants = (endpointId: EndpointId, targetInstances: number) => ({ endpointId, targetInstances, reason: 'x' });

it('a proposal is withdrawn when it has waited for its time, whether it was answered or not', () => {
  const queue = createApprovalQueue({ expireAfterMs: 1_000 });
  queue.propose([wants(A, 3)], 5_000);
  expect(queue.propose([wants(A, 3)], 5_999)).toEqual([]);
  expect(queue.propose([wants(A, 3)], 6_000)).toEqual([wants(A, 3)]);
  expect(queue.pending).toEqual([{ decision: wants(A, 3), proposedAtMs: 6_000 }]);
  queue.reject(A);
  expect([queue.propose([wants(A, 3)], 6_999), queue.propose([wants(A, 3)], 7_000)]).toEqual([[], [wants(A, 3)]]);
  queue.approve(A);
  queue.propose([], 8_000);
  expect(queue.takeApproved()).toEqual([]);
});

it('what is wanted anew takes the place of what was, and of each endpoint by itself', () => {
  const queue = createApprovalQueue();
  expect(queue.propose([wants(A, 3), wants(B, 4)], 0)).toHaveLength(2);
  expect([queue.approve(A), queue.approve(A), queue.reject(A), queue.approve('c' as EndpointId)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(queue.propose([wants(A, 5), wants(B, 4)], 1)).toEqual([wants(A, 5)]);
  expect(queue.takeApproved()).toEqual([]);
  expect(queue.pending.map(({ decision }) => decision)).toEqual([wants(B, 4), wants(A, 5)]);
  queue.approve(B);
  expect([queue.takeApproved(), queue.takeApproved()]).toEqual([[wants(B, 4)], []]);
});

it('an expiry is above 0', () => {
  for (const expireAfterMs of [0, -1, NaN])
    expect(() => createApprovalQueue({ expireAfterMs })).toThrow('expireAfterMs: must be above 0');
  expect(() => createApprovalQueue({ expireAfterMs: 1 })).not.toThrow();
});
