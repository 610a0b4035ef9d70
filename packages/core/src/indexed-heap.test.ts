import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IndexedMinHeap } from './indexed-heap.js';

describe('IndexedMinHeap', () => {
  it('always knows the smallest key, the smaller member on a tie', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.tuple(fc.nat(39), fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(Infinity)))),
        (capacity, changes) => {
          const heap = new IndexedMinHeap(capacity);
          const keys = new Array<number>(capacity).fill(Infinity);
          for (const [at, key] of changes) {
            const member = at % capacity;
            heap.set(member, key);
            keys[member] = key;
            const least = Math.min(...keys);
            expect(heap.peekKey()).toBe(least);
            if (least < Infinity) expect(heap.peek()).toBe(keys.indexOf(least));
          }
        },
      ),
    );
  });

  it('has nothing due when it is empty', () => {
    expect(new IndexedMinHeap(0).peekKey()).toBe(Infinity);
  });
});
