import { describe, expect, it } from 'vitest';
import { extremes, format, ticks, withLine } from './numbers.js';

describe('numbers of figures', () => {
  it('are shown short, and as a dash where there is none', () => {
    expect([1_234.5, 0.123456, -2_000, 0].map(format)).toEqual(['1,235', '0.1235', '-2,000', '0']);
    expect([null, undefined].map(format)).toEqual(['–', '–']);
  });

  it('part an axis at round steps', () => {
    expect(ticks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks(97, 101, 6)).toEqual([97, 98, 99, 100, 101]);
    const few = ticks(0.011, 0.019, 4);
    expect(few.map((tick) => tick.toFixed(3))).toEqual(['0.012', '0.014', '0.016', '0.018']);
  });

  it('have extremes however many there are', () => {
    expect(extremes(Array.from({ length: 200_000 }, (_, i) => i))).toEqual([0, 199_999]);
  });

  it('are shown with a level near them, and without one that is far away', () => {
    expect(withLine([90, 100], 95)).toEqual([90, 100, 95]);
    expect(withLine([90, 100], 60)).toEqual([90, 100]);
    expect(withLine([90, 100], undefined)).toEqual([90, 100]);
  });
});
