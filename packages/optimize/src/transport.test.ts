import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { transport } from './transport.js';

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** Cheapest cost by trying every split of whole units, one origin after another. */
function cheapest(
  demand: number[],
  capacity: number[],
  price: (from: number, to: number) => number,
  dropUsd: number,
): number {
  const R = demand.length;
  const seen = new Map<string, number>();
  const serve = (from: number, left: number, room: number[]): number => {
    if (from === R) return 0;
    if (left === 0) return serve(from + 1, demand[from + 1] ?? 0, room);
    const key = `${from}/${left}/${room.join()}`;
    const known = seen.get(key);
    if (known !== undefined) return known;
    let best = dropUsd + serve(from, left - 1, room);
    for (let to = 0; to < R; to++) {
      if (room[to] === 0 || price(from, to) === Infinity) continue;
      const less = [...room];
      less[to]--;
      best = Math.min(best, price(from, to) + serve(from, left - 1, less));
    }
    seen.set(key, best);
    return best;
  };
  return serve(0, demand[0], capacity);
}

describe('transport', () => {
  it('carries all that capacity and residency let it, at the least cost', () => {
    const small = fc.integer({ min: 0, max: 3 });
    const three = fc.tuple(small, small, small);
    const row = fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(three, three, fc.array(row, { minLength: 9, maxLength: 9 }), (demand, capacity, prices) => {
        const price = Float64Array.from(prices, (usd, at) => (at % 4 === 0 ? 0 : usd));
        const result = transport({
          demand: Float64Array.from(demand),
          capacity: Float64Array.from(capacity),
          price,
          droppableCheaply: new Float64Array(3),
          cheapUsd: 50,
          dearUsd: 100,
        });
        for (let r = 0; r < 3; r++) {
          const out = sum(result.flow.subarray(3 * r, 3 * r + 3));
          expect(out + result.dearlyDropped[r] + result.cheaplyDropped[r]).toBe(demand[r]);
          expect(result.flow[r] + result.flow[3 + r] + result.flow[6 + r]).toBeLessThanOrEqual(capacity[r]);
          for (let to = 0; to < 3; to++) if (price[3 * r + to] === Infinity) expect(result.flow[3 * r + to]).toBe(0);
        }
        const usd = result.flowUsd + 100 * sum(result.dearlyDropped);
        expect(usd).toBeCloseTo(
          cheapest(demand, capacity, (from, to) => price[3 * from + to], 100),
          9,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('drops what is cheap to drop first, whosever demand it is', () => {
    const { cheaplyDropped, dearlyDropped, flow } = transport({
      demand: Float64Array.of(10, 10),
      capacity: Float64Array.of(12, 0),
      price: undefined,
      droppableCheaply: Float64Array.of(6, 3),
      cheapUsd: 1,
      dearUsd: 10,
    });
    expect(sum(cheaplyDropped)).toBe(8);
    expect(sum(dearlyDropped)).toBe(0);
    expect(sum(flow)).toBe(12);
  });

  it('names the regions that would have to hold more', () => {
    const price = Float64Array.of(0, 0, Infinity, 0, 0, Infinity, 0, 0, 0);
    const { saturated } = transport({
      demand: Float64Array.of(5, 5, 1),
      capacity: Float64Array.of(3, 3, 9),
      price,
      droppableCheaply: new Float64Array(3),
      cheapUsd: 1,
      dearUsd: 2,
    });
    expect(saturated).toEqual([0, 1]);
  });
});
