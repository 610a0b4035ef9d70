import { describe, expect, it } from 'vitest';
import { clock, clockTicks, extremes, format, logTicks, moment, ticks, withLevel } from './numbers.js';

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
    expect(withLevel([90, 100], 95)).toEqual([90, 100, 95]);
    expect(withLevel([90, 100], 60)).toEqual([90, 100]);
    expect(withLevel([90, 100], undefined)).toEqual([90, 100]);
    // What hardly differs is drawn as if it did.
    expect(withLevel([99.9, 100], 60, 30)).toEqual([99.9, 100, 60]);
  });

  it('part an axis of powers at powers, and at steps between them where there are few', () => {
    expect(logTicks(80, 70_000)).toEqual([100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]);
    expect(logTicks(0.5, 2_000_000)).toEqual([1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]);
    expect(logTicks(210, 480)).toEqual([250, 300, 350, 400, 450]);
    for (const tick of logTicks(37, 4_321)) expect(tick >= 37 && tick <= 4_321).toBe(true);
  });

  it('of time are told by the clock, midnight by its day', () => {
    expect(clockTicks(10, 34)).toEqual([10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34]);
    expect(clockTicks(10, 12)).toEqual([10, 10.25, 10.5, 10.75, 11, 11.25, 11.5, 11.75, 12]);
    expect(clockTicks(10, 34, 4)).toEqual([12, 24]);
    expect(moment(24, '2024-02-28')).toBe('2024-02-29 00:00');
    expect(moment(34.25, 6)).toBe('Sun 10:15');
    expect([10, 23.5, 24, 34.25].map((hours) => clock(hours, 6))).toEqual(['10:00', '23:30', 'Sun', '10:15']);
    expect([0, 10, 24].map((hours) => clock(hours, '2024-02-28'))).toEqual(['2024-02-28', '10:00', '2024-02-29']);
  });
});
