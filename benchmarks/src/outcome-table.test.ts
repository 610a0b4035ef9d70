import { describe, expect, it } from 'vitest';
import type { OutcomeRun } from './outcome-runs.js';
import { outcomeFigures, outcomeOf, outcomeSummary, outcomeTable } from './outcome-table.js';

function run(strategy: string, seed: number, equalGpuHours: number, attainment: number): OutcomeRun {
  return {
    scenario: 's',
    strategy,
    seed,
    setting: '',
    gpuHours: equalGpuHours - 1,
    equalGpuHours,
    ownRateGpuHours: equalGpuHours + 1,
    wastedGpuHours: 0,
    equalUsd: 10,
    equalBillUsd: 20,
    attainments: [
      { modelId: 'm', tier: 'interactive-fast', attainment, target: 0.95 },
      { modelId: 'm', tier: 'non-interactive', attainment: 1, target: 1 },
    ],
    deadlineMisses: 0,
    arrived: 1,
    unfinished: 0,
    rejected: 0,
    leftAtEnd: 0,
    actions: 4,
    reversals: 2,
    forecastWape: undefined,
    cpuSeconds: 1,
  };
}

describe('the outcome of a scenario', () => {
  const bounds = new Map([
    [2, 50],
    [3, 100],
  ]);
  const outcome = outcomeOf(
    's',
    [
      run('hpa', 2, 120, 0.99),
      run('hpa', 3, 120, 0.94),
      run('lt-i', 2, 90, 0.96),
      run('lt-i', 3, 90, 0.92),
      run('clairvoyant', 2, 80, 0.99),
      run('clairvoyant', 3, 80, 0.99),
      run('sage', 2, 100, 0.96),
      run('sage', 3, 140, 0.96),
    ],
    bounds,
  );

  it('goes by the mean over seeds, and takes no one for a baseline who sees the future or is ours', () => {
    expect(outcome.best).toBe('hpa');
    expect(outcome.rows.map(({ strategy, meets, seedsMet }) => [strategy, meets, seedsMet])).toEqual([
      ['hpa', true, 1],
      ['lt-i', false, 1],
      ['clairvoyant', true, 2],
      ['sage', true, 2],
    ]);
  });

  it('takes ratios on the same traffic', () => {
    const sage = outcome.rows.at(-1)!;
    expect(sage.overBound.mean).toBeCloseTo((100 / 50 + 140 / 100) / 2, 12);
    expect(sage.overClairvoyant!.mean).toBeCloseTo((100 / 80 + 140 / 80) / 2, 12);
    expect(sage.overBest!.mean).toBeCloseTo(1, 12);
    expect(outcomeFigures(outcome)[0]).toMatchObject({
      name: 's: sage ÷ hpa, the best baseline that meets every objective',
      value: expect.closeTo(1, 12) as number,
    });
  });

  it('is shown with the cheapest first and those that miss objectives last', () => {
    const lines = outcomeTable(outcome).split('\n');
    expect(lines[0]).toBe('s, 2 seeds; best baseline: hpa');
    expect(lines.slice(2).map((line) => line.trim().split(/ {2,}/).slice(0, 3))).toEqual([
      ['clairvoyant', 'all', '2/2'],
      ['hpa', 'all', '1/2'],
      ['sage', 'all', '2/2'],
      ['lt-i', 'NO', '1/2'],
    ]);
  });

  it('says so where no baseline meets its objectives', () => {
    const none = outcomeOf('s', [run('hpa', 2, 120, 0.9), run('sage', 2, 100, 0.96)], new Map([[2, 50]]));
    expect(none.best).toBeUndefined();
    expect(outcomeTable(none)).toContain('no baseline meets every objective');
    expect(outcomeFigures(none)).toHaveLength(2);
  });

  it('has a line for each scenario, with the ablation beside ours', () => {
    const ablation = [run('sage last-value', 2, 110, 0.9), run('sage without plan', 2, 90, 0.97)];
    const all = [run('hpa', 2, 125, 0.99), run('sage', 2, 100, 0.96), ...ablation];
    const none = [run('hpa', 2, 125, 0.9), run('sage', 2, 100, 0.94), ...ablation];
    const lines = outcomeSummary([all, none].map((runs) => outcomeOf('s', runs, new Map([[2, 50]])))).split('\n');
    const cells = lines.slice(1).map((line) => line.trim().split(/ {2,}/));
    const after = ['1.100', 'NO, 90.00 %', '0.900', 'all'];
    expect(cells).toEqual([
      ['s', 'all', '100', '2.00', '–', 'hpa', '125', '0.800', decimalOf(101 / 126), ...after],
      ['s', 'NO, 94.00 %', '100', '2.00', '–', '–', '–', '–', '–', ...after],
    ]);
  });
});

const decimalOf = (value: number): string => value.toFixed(3);
