import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRng, murmur3x86128, nextUint32 } from './rng.js';

describe('createRng', () => {
  it('steps as the reference implementation of xoshiro128** 1.1 does from the state 1, 2, 3, 4', () => {
    const state = Uint32Array.of(1, 2, 3, 4);
    expect(Array.from({ length: 6 }, () => nextUint32(state))).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492,
    ]);
  });

  it('hashes seeds as the reference implementation of MurmurHash3 x86 128 does', () => {
    const hex = (text: string) => [...murmur3x86128(text)].map((word) => word.toString(16).padStart(8, '0')).join('');
    expect(hex('')).toBe('00000000000000000000000000000000');
    expect(hex('a')).toBe('a794933c5556b01b5556b01b5556b01b');
    expect(hex('#42/o365/gaps')).toBe('368bc88674d2a718813387971cc21f62');
    expect(hex('The quick brown fox jumps over the lazy dog')).toBe('2f1583c3ecee2c675d7bf66ce5e91d2c');
  });

  it('gives the same first numbers on every machine', () => {
    const rng = createRng(42);
    expect([rng.next(), rng.next(), rng.next()]).toMatchInlineSnapshot(`
      [
        0.22386597608104275,
        0.6967454897097979,
        0.8396421748378609,
      ]
    `);
  });

  it('stays in [0, 1) and forks streams that do not depend on what was drawn', () => {
    fc.assert(
      fc.property(fc.integer(), fc.string(), fc.nat(50), (seed, name, drawn) => {
        const used = createRng(seed);
        for (let i = 0; i < drawn; i++) {
          const value = used.next();
          expect(value >= 0 && value < 1).toBe(true);
        }
        expect(used.fork(name).next()).toBe(createRng(seed).fork(name).next());
      }),
    );
  });

  it('is uniform: means of a hundred thousand draws in ten bins', () => {
    const rng = createRng('uniform');
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) bins[Math.floor(rng.next() * 10)]!++;
    // χ² with 9 degrees of freedom: 27.9 is exceeded by chance once in a thousand seeds.
    expect(bins.reduce((chi, n) => chi + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
  });
});
