import fc from 'fast-check';
import { expect, it } from 'vitest';
import { told } from './told.js';

it('a number is told with as many digits as set it apart from its limit', () => {
  expect([told(0.2999, 0.3), told(0.296, 0.3), told(0.25, 0.3), told(0.3, 0.3), told(59.7, 60, 0)]).toEqual([
    '0.2999',
    '0.296',
    '0.25',
    '0.30',
    '59.7',
  ]);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 5, noNaN: true }), fc.constantFrom(0.3, 0.7, 0.9, 0.5, 5), (value, limit) => {
      const text = Number(told(value, limit));
      if (value < limit) expect(text).toBeLessThan(limit);
      else if (value > limit) expect(text).toBeGreaterThan(limit);
    }),
  );
});
