import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { preset } from '@sageserve/scenario';
import type { Comparison } from './comparison-rows.js';
import { estimateText } from './comparison-text.js';
import { seedsNote } from './seeds-note.js';
import { estimate } from './statistics.js';

describe('a share with its interval', () => {
  it('is never above 100 % or below 0', () => {
    expect(estimateText(estimate([0.9999, 1]), 'share')).toBe('100.00 % +0.00 −0.06');
    expect(estimateText(estimate([0.98, 0.99]), 'share')).toBe('98.50 % +1.50 −6.35');
    expect(estimateText(estimate([0.01, 0.0]), 'share')).toBe('0.50 % +6.35 −0.50');
    expect(estimateText(estimate([0.5, 0.51]), 'share')).toBe('50.50 % ±6.35');
    expect(estimateText(estimate([1, 1]), 'share')).toBe('100.00 %');
    const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(shares, (values) => {
        const text = estimateText(estimate(values), 'share');
        const [mean, above, below] = [/^([\d.]+) %/, /[±+]([\d.]+)/, /[±−]([\d.]+)/].map((part) =>
          Number(part.exec(text)?.[1] ?? 0),
        );
        expect(mean! + above!).toBeLessThan(100.011);
        expect(mean! - below!).toBeGreaterThan(-0.011);
      }),
    );
  });

  it('nor is anything else below 0; a few dollars have their cents', () => {
    expect(estimateText(estimate([100, 300]), 'ms')).toBe('200 ms +635 −100 %');
    expect(estimateText(estimate([100, 101]), 'count')).toBe('101 ±6');
    expect(estimateText(estimate([1, 3]), 'hours')).toBe('2.0 +12.7 −2.0');
    expect(estimateText(estimate([24.5, 24.6]), 'usd')).toBe('$24.55 ±0.64');
    expect(estimateText(estimate([-5, -4]), 'usd')).toBe('$-4.50 ±6.35');
    expect(estimateText(estimate([1_234, 1_234]), 'usd')).toBe('$1,234');
  });

  it('may be above where it is an error', () => {
    expect(estimateText(estimate([0.9, 1.1]), 'percent')).toBe('100.00 % ±127.06');
  });
});

describe('what stands behind the ±', () => {
  const comparison = (seeds: number, values: readonly number[]): Comparison => ({
    strategies: ['static'],
    seeds: Array.from({ length: seeds }, (_, i) => i),
    cheapest: undefined,
    rows: [{ section: 's', key: 'k', label: 'l', unit: 'hours', estimates: [estimate(values)] }],
  });
  const generated = preset('small');
  const replayed = { ...generated, traffic: { ...generated.traffic, trace: 'x.csv' } };

  it('is said: seeds, a trace that they leave as it is, or nothing at all', () => {
    expect(seedsNote(generated, comparison(1, [1]))).toBe(
      'one seed, and so no interval: --seeds 5 gives confidence intervals',
    );
    expect(seedsNote(generated, comparison(3, [1, 2, 3]))).toBe('± is the 95 % confidence interval over 3 seeds');
    expect(seedsNote(replayed, comparison(1, [1]))).toContain('for what the trace leaves to chance, if anything');
    expect(seedsNote(replayed, comparison(3, [1, 2, 3]))).toContain('it says nothing of other days');
    expect(seedsNote(replayed, comparison(3, [1, 1, 1]))).toContain(
      'the trace fixes everything, so there is no interval',
    );
    expect(seedsNote(generated, comparison(2, [1, 1]))).toContain('nothing here is left to chance');
  });
});
