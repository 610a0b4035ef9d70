import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestTable } from './request-table.js';
import { RunningSet } from './running-set.js';

describe('running set', () => {
  it(
    'gives requests back in the order in which they end, smaller slots first, whatever is entered and taken out ' +
      'between',
    () => {
      // Most end within the ring, some far beyond it, and some at the same iteration.
      const left = fc.oneof(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 2_500 }),
        fc.integer({ min: 2_040, max: 40_000 }),
      );
      const step = fc.oneof(
        fc.record({ kind: fc.constant('push' as const), left }),
        fc.record({ kind: fc.constant('pop' as const) }),
        fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
        fc.record({ kind: fc.constant('advance' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      );
      fc.assert(
        fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
          const requests = new RequestTable(4);
          const running = new RunningSet(requests);
          let model: { ends: number; slot: number }[] = [];
          let iteration = 0;
          const byEnd = (a: { ends: number; slot: number }, b: { ends: number; slot: number }): number =>
            a.ends - b.ends || a.slot - b.slot;
          for (const one of steps) {
            const first = [...model].sort(byEnd)[0];
            expect(running.topKey()).toBe(first?.ends ?? Infinity);
            if (one.kind === 'push') {
              const slot = requests.allocate();
              running.push(iteration, one.left, slot);
              model.push({ ends: iteration + one.left, slot });
            } else if (one.kind === 'pop' && first !== undefined) {
              iteration = first.ends;
              expect(running.pop()).toBe(first.slot);
              model = model.filter(({ slot }) => slot !== first.slot);
              requests.free(first.slot);
            } else if (one.kind === 'remove' && model.length > 0) {
              const { slot } = model[one.which % model.length];
              running.remove(slot);
              model = model.filter((other) => other.slot !== slot);
              requests.free(slot);
            } else if (one.kind === 'advance' && first !== undefined) {
              iteration += Math.floor(one.share * (first.ends - iteration));
            }
            expect(running.size).toBe(model.length);
            expect(running.members().sort((a, b) => a - b)).toEqual(
              model.map(({ slot }) => slot).sort((a, b) => a - b),
            );
          }
          for (const { slot } of model.sort(byEnd)) expect(running.pop()).toBe(slot);
          expect(running.topKey()).toBe(Infinity);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('refuses an iteration that its columns cannot hold', () => {
    const requests = new RequestTable();
    expect(() => {
      new RunningSet(requests).push(2 ** 31 - 2, 5, requests.allocate());
    }).toThrow('does not fit');
  });
});
