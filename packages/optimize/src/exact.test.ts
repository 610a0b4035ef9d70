import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, decimalOf, dividedUp, minus, numberOf, plus, scaled, times } from './exact.js';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 });

describe('decimals', () => {
  it('are what a person would write, where floats are not', () => {
    const product = times(decimalOf(0.55), decimalOf(100));
    expect(0.55 * 100 > 55).toBe(true);
    expect(compare(product, decimalOf(55))).toBe(0);
    expect(numberOf(plus(decimalOf(0.1), decimalOf(0.2)))).toBe(0.3);
    expect(decimalOf(-1.5e-7)).toEqual({ digits: -15n, places: 8 });
    expect(decimalOf(1e21)).toEqual({ digits: 10n ** 21n, places: 0 });
  });

  it('give back the number they were made of, and keep the laws of arithmetic', () => {
    fc.assert(
      fc.property(finite, finite, finite, (a, b, c) => {
        const [x, y, z] = [decimalOf(a), decimalOf(b), decimalOf(c)];
        expect(numberOf(x)).toBe(a === 0 ? 0 : a);
        expect(compare(times(x, plus(y, z)), plus(times(x, y), times(x, z)))).toBe(0);
        expect(compare(minus(plus(x, y), y), x)).toBe(0);
        // -0 - 0 is -0, which decimals do not have.
        expect(Math.sign(compare(x, y))).toBe(Math.sign(a - b) + 0);
      }),
    );
  });

  it('round up and down to the whole numbers around them', () => {
    fc.assert(
      fc.property(finite, fc.integer({ min: 0, max: 8 }), (a, places) => {
        const unit = { digits: 1n, places };
        const [low, high] = [scaled(decimalOf(a), places, 'down'), scaled(decimalOf(a), places, 'up')];
        expect(compare({ digits: low, places }, decimalOf(a))).toBeLessThanOrEqual(0);
        expect(compare({ digits: high, places }, decimalOf(a))).toBeGreaterThanOrEqual(0);
        expect(high - low <= 1n).toBe(true);
        expect(compare(plus({ digits: low, places }, unit), decimalOf(a))).toBeGreaterThan(0);
      }),
    );
    expect(dividedUp(decimalOf(10), decimalOf(3), 2)).toEqual({ digits: 334n, places: 2 });
    expect(dividedUp(decimalOf(9), decimalOf(3), 2)).toEqual({ digits: 300n, places: 2 });
  });
});
