import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldQueue } from './held-queue.js';
import { RequestTable } from './request-table.js';

describe('HeldQueue', () => {
  it('gives back what was put in, earliest deadline first and then in order of arrival, however they come', () => {
    const deadline = fc.oneof(
      { weight: 3, arbitrary: fc.constant('later' as const) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 }) },
    );
    // Many at once too: what waits is kept in blocks.
    const times = fc.oneof(
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }) },
      { weight: 1, arbitrary: fc.integer({ min: 100, max: 700 }) },
    );
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ deadline, times }) },
      { weight: 2, arbitrary: fc.record({ deadline: fc.constant('none' as const), times }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) => {
        const requests = new RequestTable(4);
        const queue = new HeldQueue();
        const expected: { deadline: number; sequence: number; fields: number[] }[] = [];
        let sequence = 0;
        const take = (): void => {
          const first = expected.shift();
          if (first === undefined) return;
          const slot = queue.pop(requests);
          expect([
            requests.deadlineAtMs[slot],
            requests.sequence[slot],
            requests.requestId[slot],
            requests.arrivedAtMs[slot],
            requests.promptTokens[slot],
            requests.outputTokens[slot],
            requests.originRegion[slot],
          ]).toEqual(first.fields);
          requests.free(slot);
        };
        const put = (deadlineAtMs: number | 'later'): void => {
          const slot = requests.allocate();
          const at = deadlineAtMs === 'later' ? 100 + sequence : deadlineAtMs;
          const fields = [at, sequence, 7 * sequence, sequence / 2, sequence + 1, sequence + 2, sequence % 3];
          requests.deadlineAtMs[slot] = at;
          requests.sequence[slot] = sequence;
          requests.requestId[slot] = 7 * sequence;
          requests.arrivedAtMs[slot] = sequence / 2;
          requests.promptTokens[slot] = sequence + 1;
          requests.outputTokens[slot] = sequence + 2;
          requests.originRegion[slot] = sequence % 3;
          queue.push(requests, slot);
          requests.free(slot);
          expected.push({ deadline: at, sequence: sequence++, fields });
        };
        for (const one of steps) {
          for (let n = 0; n < one.times; n++) {
            if (one.deadline === 'none') take();
            else put(one.deadline);
          }
          expected.sort((x, y) => x.deadline - y.deadline || x.sequence - y.sequence);
          expect(queue.size).toBe(expected.length);
          expect(queue.topKey()).toBe(expected[0]?.deadline ?? Infinity);
          for (const by of [0, 10, 150, 1_500])
            expect(queue.countUpTo(by)).toBe(expected.filter((held) => held.deadline <= by).length);
        }
        expect(requests.live).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});
