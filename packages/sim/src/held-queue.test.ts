import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldQueue } from './held-queue.js';
import { RequestTable } from './request-table.js';

describe('HeldQueue', () => {
  it('gives back what was put in, earliest deadline first and then in order of arrival, however they come', () => {
    const deadline = fc.oneof(fc.constant('later' as const), fc.integer({ min: 0, max: 20 }));
    const step = fc.oneof({ weight: 3, arbitrary: fc.record({ deadline }) }, { weight: 2, arbitrary: fc.constant('take' as const) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const requests = new RequestTable(4);
        const queue = new HeldQueue();
        const expected: { deadline: number; sequence: number; fields: number[] }[] = [];
        let sequence = 0;
        for (const one of steps) {
          if (one === 'take') {
            if (queue.size === 0) continue;
            expected.sort((a, b) => a.deadline - b.deadline || a.sequence - b.sequence);
            const first = expected.shift()!;
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
          } else {
            const slot = requests.allocate();
            const at = one.deadline === 'later' ? 100 + sequence : one.deadline;
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
          }
          expect(queue.size).toBe(expected.length);
          expect(queue.topKey()).toBe(Math.min(...expected.map((held) => held.deadline)));
          for (const by of [0, 10, 150]) expect(queue.countUpTo(by)).toBe(expected.filter((held) => held.deadline <= by).length);
        }
        expect(requests.live).toBe(0);
      }),
    );
  });
});
