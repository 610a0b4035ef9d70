import { describe, expect, it } from 'vitest';
import { maxOf, minOf } from './extremes.js';

describe('extremes', () => {
  it('are found among more values than a function takes arguments', () => {
    const values = Array.from({ length: 1_000_000 }, (_, i) => (i * 7) % 1_000_003);
    expect([minOf(values), maxOf(values)]).toEqual([
      values.reduce((a, b) => Math.min(a, b)),
      values.reduce((a, b) => Math.max(a, b)),
    ]);
    expect([minOf([]), maxOf([])]).toEqual([Infinity, -Infinity]);
  });
});
