import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger.js';

/** What happens to a ledger, a step of time after what happened before. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('begin' as const), instance: fc.nat(2), tokens: fc.nat(5_000) }),
  fc.record({ kind: fc.constant('end' as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant('read' as const), instance: fc.nat(2), agoMs: fc.nat(5) }),
  fc.record({ kind: fc.constant('expire' as const), instance: fc.nat(2), agoMs: fc.nat(20) }),
  fc.record({ kind: fc.constant('drop' as const), instance: fc.nat(2) }),
);

/** The same, slowly: every lease by itself, and what a perfect reading would have said. */
class Model {
  readonly leases: { instance: number; tokens: number; sentAtMs: number; endedAtMs: number }[] = [];
  readonly readAtMs = [-Infinity, -Infinity, -Infinity];
  inFlightAt(instance: number, atMs: number): number {
    return this.leases
      .filter((one) => one.instance === instance && one.sentAtMs <= atMs && one.endedAtMs > atMs)
      .reduce((sum, one) => sum + one.tokens, 0);
  }
}

describe('a ledger', () => {
  it('is what a reading said and what happened since, never below zero, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const ledger = new Ledger();
        const model = new Model();
        const ids: number[] = [];
        for (const [nowMs, one] of steps.entries()) {
          if (one.kind === 'begin') {
            ids.push(ledger.begin(one.instance, one.tokens, nowMs));
            model.leases.push({ instance: one.instance, tokens: one.tokens, sentAtMs: nowMs, endedAtMs: Infinity });
          } else if (one.kind === 'end') {
            const which = ids.length === 0 ? -1 : one.which % ids.length;
            const lease = model.leases[which];
            if (lease === undefined) continue;
            expect(ledger.end(ids[which]!, nowMs)).toBe(lease.endedAtMs === Infinity);
            lease.endedAtMs = Math.min(lease.endedAtMs, nowMs);
          } else if (one.kind === 'read') {
            // Readings may come late, and then say what was a while ago; none is older than the one
            // before.
            const readAtMs = Math.max(model.readAtMs[one.instance]!, nowMs - one.agoMs);
            ledger.read(one.instance, readAtMs);
            model.readAtMs[one.instance] = readAtMs;
          } else if (one.kind === 'expire') {
            const due = model.leases.filter(
              (lease) =>
                lease.instance === one.instance && lease.endedAtMs === Infinity && lease.sentAtMs < nowMs - one.agoMs,
            );
            expect(ledger.expire(one.instance, nowMs - one.agoMs, nowMs)).toBe(due.length);
            for (const lease of due) lease.endedAtMs = nowMs;
          } else {
            ledger.drop(one.instance, nowMs);
            for (const lease of model.leases)
              if (lease.instance === one.instance) lease.endedAtMs = Math.min(lease.endedAtMs, nowMs);
            model.readAtMs[one.instance] = -Infinity;
            for (const lease of model.leases) if (lease.instance === one.instance) lease.sentAtMs = Infinity;
          }
          for (const instance of [0, 1, 2]) {
            const now = model.inFlightAt(instance, nowMs);
            expect(ledger.tokensInFlight(instance)).toBe(now);
            const readAtMs = model.readAtMs[instance]!;
            if (readAtMs === -Infinity) expect(ledger.tokensSinceReading(instance)).toBe(now);
            else expect(model.inFlightAt(instance, readAtMs) + ledger.tokensSinceReading(instance)).toBe(now);
          }
          expect(ledger.open).toBe(model.leases.filter((lease) => lease.endedAtMs === Infinity).length);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('ends nothing by the number of a lease that is over, also when its place was given anew', () => {
    const ledger = new Ledger();
    const first = ledger.begin(0, 10, 0);
    expect([ledger.end(first, 1), ledger.end(first, 2)]).toEqual([true, false]);
    const second = ledger.begin(0, 20, 3);
    expect([ledger.end(first, 4), ledger.tokensInFlight(0), ledger.requestsInFlight(0)]).toEqual([false, 20, 1]);
    expect([ledger.end(-1, 5), ledger.end(1e15, 5), ledger.end(NaN, 5)]).toEqual([false, false, false]);
    expect(ledger.end(second, 5)).toBe(true);
    expect([ledger.open, ledger.tokensInFlight(0), ledger.tokensInFlight(9)]).toEqual([0, 0, 0]);
  });

  it('counts right when readings overlap: one is taken while another is on its way', () => {
    const ledger = new Ledger();
    const lease = ledger.begin(0, 15, 15);
    ledger.end(lease, 25);
    ledger.read(0, 10);
    ledger.read(0, 20);
    expect(ledger.tokensSinceReading(0)).toBe(-15);
  });

  it('holds a hundred thousand at once, and comes back to nothing', () => {
    const ledger = new Ledger();
    const ids = Array.from({ length: 100_000 }, (_, i) => ledger.begin(i % 40, 1 + (i % 7), i));
    expect(ledger.open).toBe(100_000);
    for (const [i, id] of ids.entries()) ledger.end(id, 100_000 + i);
    for (let instance = 0; instance < 40; instance++) {
      ledger.read(instance, 1e9);
      expect([ledger.tokensInFlight(instance), ledger.tokensSinceReading(instance)]).toEqual([0, 0]);
    }
  });
});
