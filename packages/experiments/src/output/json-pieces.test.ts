import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonPieces } from './json-pieces.js';

it('are together what JSON.stringify gives', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constant(undefined))),
        fc.array(fc.oneof(fc.jsonValue(), fc.constant(undefined))),
      ),
      (value) => {
        expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value, null, 2));
      },
    ),
  );
});
