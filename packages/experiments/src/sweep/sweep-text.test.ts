import { expect, it } from 'vitest';
import { estimate } from '../compare/statistics.js';
import type { SweepSetting } from './analysis.js';
import { bestText } from './sweep-text.js';

const setting = (strategy: string, hours: readonly number[], fields: Partial<SweepSetting> = {}): SweepSetting => ({
  scenario: 's',
  condition: {},
  group: 's',
  strategy,
  parameters: {},
  seeds: hours.length,
  gpuHours: estimate(hours)!,
  attainment: estimate([0.98])!,
  target: 0.95,
  worst: estimate([1])!,
  margin: 0,
  meetsObjectives: true,
  foresight: false,
  onFront: true,
  measures: {},
  ...fields,
});

it('names beside the best setting those that its seeds do not tell it from', () => {
  const best = setting('a', [10, 12, 11]);
  const text = bestText(best, [
    best,
    setting('b', [10.5, 11.8, 11.3]),
    setting('c', [20, 24, 22]),
    setting('d', [10, 12, 11], { meetsObjectives: false }),
    setting('e', [10, 12, 11], { foresight: true }),
    setting('f', [10.001, 12.001, 11.001]),
  ]);
  expect(text).toBe(
    'best: the cheapest that meets every objective: a, 11.0 ±2.5 GPU-hours, 98.00 % of its worst interactive model ' +
      'and tier; its seeds do not tell it from b',
  );
  const missed = setting('a', [10], { meetsObjectives: false, worst: estimate([0.9])! });
  expect(bestText(missed, [missed, setting('b', [10])])).toBe(
    'no setting meets every objective; the nearest: a, 10.0 GPU-hours, 90.00 % of the model and tier that is furthest ' +
      'under its target',
  );
});
