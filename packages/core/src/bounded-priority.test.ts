import fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundedPriority, type PriorityScale } from './bounded-priority.js';
import { PRIORITY_CLASS_MS } from './scheduling.js';

const START = 1_700_000_000_000;
const vllm: PriorityScale = { min: 0, max: 2 ** 31 - 1, lowerFirst: true, originMs: START };

it('keeps the order of keys within an engine’s bounds, whichever way it counts', () => {
  const key = fc
    .tuple(fc.nat(2), fc.double({ min: -1e9, max: 1e10, noNaN: true }))
    .map(([kind, ms]) => START + kind * PRIORITY_CLASS_MS + ms);
  const scale = fc.record({
    min: fc.integer({ min: -1_000, max: 0 }),
    max: fc.integer({ min: 2, max: 2 ** 31 - 1 }),
    lowerFirst: fc.boolean(),
    originMs: fc.constant(START),
  });
  fc.assert(
    fc.property(key, key, scale, (a, b, one) => {
      const [p, q] = [boundedPriority(a, one), boundedPriority(b, one)];
      expect(Number.isInteger(p) && p >= one.min && p <= one.max).toBe(true);
      if (a < b) expect(one.lowerFirst ? p <= q : p >= q).toBe(true);
    }),
  );
});

it('tells classes apart whatever the time, and times by their step for months', () => {
  const at = (kind: number, ms: number, scale = vllm) => boundedPriority(START + kind * PRIORITY_CLASS_MS + ms, scale);
  expect(at(0, 9e11)).toBeLessThan(at(1, 0));
  expect([at(0, 0), at(0, 99), at(0, 100)]).toEqual([0, 0, 1]);
  expect(at(2, 60 * 86_400_000)).toBeLessThan(at(2, 60 * 86_400_000 + 100));
  const few = { min: 0, max: 2, lowerFirst: false, originMs: START };
  expect([0, 1, 2].map((kind) => at(kind, 5, few))).toEqual([2, 1, 0]);
  expect(() => boundedPriority(0, { ...few, max: 1 })).toThrow('max: must leave room for 3 classes from 0 on, not 1');
});
