import { describe, expect, it } from 'vitest';
import { power, square } from './power.js';
import { createRng, murmur3x86128 } from './rng.js';

describe('power', () => {
  it('gives the same bits in every version of Node', () => {
    const rng = createRng('power');
    const bits = new Uint32Array(200_000);
    const values = new Float64Array(bits.buffer);
    for (let i = 0; i < values.length; i++)
      values[i] = power(Math.exp((rng.next() - 0.5) * (i % 2 === 0 ? 1_200 : 3)), (rng.next() - 0.5) * 12);
    expect([...murmur3x86128(bits.join())].map((word) => word.toString(16).padStart(8, '0')).join('')).toBe(
      '84e9530af493aabfad7577b53f67135e',
    );
  });

  it('is within a unit in the last place of the logarithm’s power, and exact where the result is', () => {
    const rng = createRng('close');
    for (let i = 0; i < 20_000; i++) {
      const x = Math.exp((rng.next() - 0.5) * 20);
      const y = (rng.next() - 0.5) * 10;
      expect(Math.abs(power(x, y) / Math.exp(y * Math.log(x)) - 1)).toBeLessThan(5e-14);
    }
    for (let n = -1_074; n <= 1_023; n++) expect(power(2, n)).toBe(exactPowerOfTwo(n));
    for (let n = 0; n <= 33; n++) expect(power(3, n)).toBe(Number(3n ** BigInt(n)));
    expect(power(9, 0.5)).toBe(3);
    expect(power(4, -1)).toBe(0.25);
    expect(power(7, 0)).toBe(1);
    expect(square(-3)).toBe(9);
  });

  it('goes to 0 and to infinity as it must', () => {
    expect([power(2, 1_024), power(2, -1_075), power(0.5, 2_000), power(0.5, -2_000)]).toEqual([
      Infinity,
      0,
      0,
      Infinity,
    ]);
    expect([power(1 + 2 ** -52, 1e300), power(1 - 2 ** -53, 1e300), power(1.5, 1e10), power(0.5, 1e10)]).toEqual([
      Infinity,
      0,
      Infinity,
      0,
    ]);
    expect(power(1 + 2 ** -30, 2 ** 32)).toBeCloseTo(Math.exp(4), 6);
  });

  it('is not defined for anything but a finite x above 0 and a finite y', () => {
    for (const [x, y] of [
      [0, 1],
      [-1, 2],
      [Infinity, 1],
      [NaN, 1],
      [2, Infinity],
      [2, NaN],
    ] as const)
      expect(() => power(x, y)).toThrow(RangeError);
  });
});

/** By halving or doubling, which is exact. */
function exactPowerOfTwo(n: number): number {
  let result = 1;
  for (let i = 0; i < Math.abs(n); i++) result = n < 0 ? result / 2 : result * 2;
  return result;
}
