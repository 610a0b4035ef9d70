import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldList } from './held-list.js';

interface Held {
  readonly n: number;
  readonly view: { readonly deadlineAtMs: number };
  readonly allowed: ReadonlySet<number> | undefined;
}

describe('a list of held requests', () => {
  it('does as one that is sorted anew each time', () => {
    const act = fc.record({
      kind: fc.constantFrom('add', 'add', 'take', 'remove'),
      deadlineAtMs: fc.nat(6),
      allowed: fc.option(fc.uniqueArray(fc.nat(2), { maxLength: 3 }), { nil: undefined }),
      region: fc.nat(2),
      pick: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const list = new HeldList<Held>();
        let model: Held[] = [];
        const open = (region: number) =>
          model
            .filter(({ allowed }) => allowed?.has(region) ?? true)
            .sort((a, b) => a.view.deadlineAtMs - b.view.deadlineAtMs || a.n - b.n);
        for (const [n, { kind, deadlineAtMs, allowed, region, pick }] of acts.entries()) {
          const request: Held = { n, view: { deadlineAtMs }, allowed: allowed && new Set(allowed) };
          const due = open(region)[0]?.view.deadlineAtMs;
          if (kind === 'add') {
            list.add(request);
            model.push(request);
          } else if (kind === 'take') {
            const taken = list.take(region);
            // Of those that are due at one time, whichever group they are in.
            expect(taken?.view.deadlineAtMs).toBe(due);
            const alike = open(region).filter((one) => one.allowed === taken?.allowed);
            expect(taken).toBe(alike[0]);
            model = model.filter((one) => one !== taken);
          } else {
            const one = model[pick % Math.max(1, model.length)] ?? request;
            expect(list.remove(one)).toBe(model.includes(one));
            expect(list.remove(one)).toBe(false);
            model = model.filter((other) => other !== one);
          }
          expect(list.count).toBe(model.length);
          for (const at of [0, 1, 2]) {
            const seen = list.seenFrom(at);
            const all = open(at);
            expect([seen.count, seen.earliestDeadlineAtMs]).toEqual([
              all.length,
              all[0]?.view.deadlineAtMs ?? Infinity,
            ]);
            for (const dueBy of [-1, 2, 6])
              expect(seen.countDueBy(dueBy)).toBe(all.filter(({ view }) => view.deadlineAtMs <= dueBy).length);
          }
        }
      }),
    );
  });

  it('takes of two that are due at once the one whose group came first, and groups by set, not by its order', () => {
    const list = new HeldList<Held>();
    const held = (n: number, allowed?: readonly number[]): Held => ({
      n,
      view: { deadlineAtMs: 5 },
      allowed: allowed && new Set(allowed),
    });
    const all = [held(0, [10, 9]), held(1), held(2, [9, 10])];
    for (const one of all) list.add(one);
    expect([9, 9, 9, 9].map((region) => list.take(region)?.n)).toEqual([0, 2, 1, undefined]);
  });
});
