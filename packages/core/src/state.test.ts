import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlacementGrid } from './placement.js';
import { stateFromText, stateOfVersion, stateText } from './state.js';

const number = fc.double();
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    number,
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.array(number).map((list) => Float64Array.from(list)),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '$' && key !== '__proto__'),
      tie('any'),
      { maxKeys: 4, noNullPrototype: true },
    ),
    fc.array(fc.tuple(fc.string(), tie('any')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(number, { minLength: 6, maxLength: 6 }).map((list) => new PlacementGrid(1, 2, 3, Float64Array.from(list))),
  ),
})).any;

describe('state as text', () => {
  it('comes back as it was, to the last bit of every number', () => {
    fc.assert(
      fc.property(value, (state) => {
        expect(stateFromText(stateText(state))).toStrictEqual(state);
      }),
      { examples: [[-0], [NaN], [-Infinity], [[undefined]], [0.1 + 0.2]] },
    );
    expect(stateFromText(stateText({ a: undefined, b: 1 }))).toStrictEqual({ b: 1 });
  });

  it('refuses what it could not give back', () => {
    for (const odd of [() => 1, new Set(), new Date(0), Symbol('x'), 1n, new Uint8Array(1), { $: 1 }])
      expect(() => stateText([odd])).toThrow(expect.objectContaining({ code: 'ERR_STATE' }));
  });

  it('refuses what it did not make', () => {
    for (const text of ['', '{', '{"$":"fraction"}', '{"$":"map","of":3}', '{"$":"grid","shape":[1,1,1],"of":[1,2]}'])
      expect(() => stateFromText(text), text).toThrow(expect.objectContaining({ name: 'SageServeError' }));
  });

  it('is read in its own version alone', () => {
    expect(stateOfVersion('sage', { version: 2, state: 5 }, 2)).toBe(5);
    expect(() => stateOfVersion('sage', { version: 1, state: 5 }, 2)).toThrow(
      "sage can't go on from state of version 1",
    );
  });
});
