import type { WorkloadTier } from '@sageserve/core';
import { type LowerBound, preset } from '@sageserve/scenario';
import { describe, expect, it } from 'vitest';
import { type Attainment, meetsObjectives, worstAttainment } from './attainment.js';
import { compareRuns } from './comparison-rows.js';
import { comparisonFacts } from './facts.js';
import type { ComparedRun } from './run-comparison.js';
import { verdict } from './verdict.js';

const cell = (modelId: string, tier: WorkloadTier, attainment: number): Attainment => ({
  modelId,
  tier,
  attainment,
  target: tier === 'non-interactive' ? 1 : 0.95,
});

/** A run that holds `held` GPU-hours and leaves work for `left` more. */
function run(strategy: string, held: number, left: number, iwf: number, more: Partial<ComparedRun> = {}): ComparedRun {
  const total = { arrived: 1_000, completed: 1_000, rejected: 0, unfinished: 0 };
  return {
    strategy,
    seed: 1,
    attainments: [cell('large', 'interactive-fast', iwf), cell('small', 'interactive-fast', 1)],
    foresight: false,
    forecastWape: undefined,
    degradations: 0,
    record: undefined,
    result: {
      total,
      byTier: { 'interactive-fast': { ...total, ttftMs: {}, e2eMs: {} } },
      capacity: { gpuHours: held, wastedGpuHoursByWay: {} },
      atEqualWork: { gpuHours: held + left, costUsd: held + left },
      bill: {},
      actions: {},
      inFlightAtDurationEnd: 0,
      servedAway: 0,
    },
    ...more,
  } as unknown as ComparedRun;
}

const scenario = preset('small-fleet');
const bounds = new Map([[1, { gpuHours: 50 } as LowerBound]]);
const said = (runs: readonly ComparedRun[], known: typeof bounds | undefined = bounds) =>
  verdict(scenario, runs, compareRuns(runs, known), known);

describe('the worst model and tier', () => {
  it('is the one that has used most of what it may miss', () => {
    const fast = cell('m', 'interactive-fast', 0.96);
    const batch = cell('m', 'non-interactive', 1);
    expect(worstAttainment([fast, batch])).toBe(fast);
    const late = cell('m', 'non-interactive', 0.9999);
    expect(worstAttainment([fast, late])).toBe(late);
    expect(worstAttainment([])).toBeUndefined();
  });

  it('decides whether objectives are met, and not the mean', () => {
    const cells = [cell('large', 'interactive-fast', 0.94), cell('small', 'interactive-fast', 1)];
    expect(meetsObjectives(cells)).toBe(false);
    expect(meetsObjectives([cell('large', 'interactive-fast', 0.95)])).toBe(true);
  });
});

describe('the verdict', () => {
  it('names the cheapest at equal work of those that meet every objective and see no future', () => {
    const [compared, found, notShown] = said([
      run('lazy', 70, 40, 0.97),
      run('cheap', 60, 0, 0.9),
      run('ours', 95, 5, 0.96),
      run('clairvoyant', 80, 0, 0.99, { foresight: true }),
    ]);
    expect(compared).toBe(
      '4 strategies on small-fleet: 1,000 requests for 1 model in 2 regions, up to 6 instances, seed 1.',
    );
    expect(found).toBe(
      "At equal work ours is the cheapest of those that meet every model's objectives, with 100 GPU-hours, 9.09 % " +
        'under lazy, the next; that is 2.00 times the bound and 1.25 times clairvoyant, which sees the future.',
    );
    expect(notShown).toContain('what cheap would cost with objectives met');
    expect(notShown).toContain('how much of the difference is this one seed');
    expect(notShown).toContain('IW-N and NIW requests, of which there are none');
  });

  it('says so where nothing meets them, and who comes nearest', () => {
    expect(said([run('a', 10, 0, 0.8), run('b', 20, 0, 0.94)])[1]).toBe(
      "None of them meets every model's objectives; b comes nearest, with 94.00 % of large IW-F where 95.00 % are to be.",
    );
  });

  it('says that there is no bound where none was reckoned', () => {
    const [, found, notShown] = said([run('a', 10, 0, 0.99)], new Map());
    expect(found).toBe(
      "At equal work a is the cheapest of those that meet every model's objectives, with 10.0 GPU-hours; no other was compared.",
    );
    expect(notShown).toContain('how far that is from what nothing can hold less than');
  });

  it('judges a strategy by the mean over its seeds, and names the nearest by the same figure', () => {
    const seeds = (strategy: string, hours: number, one: number, two: number) => [
      run(strategy, hours, 0, one),
      run(strategy, hours, 0, two, { seed: 2 }),
    ];
    expect(compareRuns([...seeds('a', 10, 0.99, 0.9), ...seeds('b', 20, 0.99, 0.99)]).cheapest).toBe('b');
    expect(compareRuns([...seeds('a', 10, 0.98, 0.94), ...seeds('b', 20, 0.99, 0.99)]).cheapest).toBe('a');
    expect(said([...seeds('a', 10, 0.96, 0.9), ...seeds('b', 20, 0.94, 0.94)], new Map())[1]).toContain(
      'b comes nearest, with 94.00 % of large IW-F',
    );
    const nothing = { ...run('a', 10, 0, 1, { seed: 3 }), attainments: [] };
    expect(compareRuns([...seeds('a', 10, 0.99, 0.99), nothing]).cheapest).toBe('a');
  });

  it('says of whom it speaks where some see the future', () => {
    const seer = run('clairvoyant', 5, 0, 0.99, { foresight: true });
    expect(said([seer], new Map())[1]).toBe('Whoever was compared sees the future: nobody can run that.');
    expect(said([run('a', 10, 0, 0.9), seer])[1]).toMatch(/^None that can be run meets .*; a comes nearest/);
    expect(said([run('a', 10, 0, 0.99), run('b', 9, 0, 0.9), seer])[1]).toContain('; no other that can be run does;');
    expect(said([{ ...seer, attainments: [] }])[1]).toBe('Nothing arrived that has an objective.');
  });

  it('says whether what was put off decides', () => {
    const own = (one: ComparedRun, gpuHours: number): ComparedRun => ({
      ...one,
      result: { ...one.result, atOwnRate: { gpuHours } },
    });
    const found = (theirs: number): string =>
      said([own(run('late', 8, 2, 0.99), 12), own(run('prompt', 10.5, 0, 0.99), theirs)], new Map())[1];
    expect(found(10.5)).toContain('; if what was left to do took what the rest did prompt is, with 10.5 against 12.0.');
    expect(found(12.5)).not.toContain('took what the rest did');
  });

  it('calls the same the same, and says who costs least where that is another', () => {
    const [, same] = said([run('a', 1.234, 0, 0.99), run('b', 1.234, 0, 0.99)], new Map());
    expect(same).toContain('with 1.23 GPU-hours, as much as b, the next.');
    const priced = (one: ComparedRun, costUsd: number, netUsd: number, spotGpuHours: number): ComparedRun => ({
      ...one,
      result: {
        ...one.result,
        atEqualWork: { ...one.result.atEqualWork, costUsd },
        bill: { ...one.result.bill, netUsd },
        spotGpuHours,
      },
    });
    const [, found] = said(
      [priced(run('a', 10, 0, 0.99), 30, 100, 5), priced(run('b', 12, 0, 0.99), 16, 99, 3)],
      new Map(),
    );
    expect(found).toBe(
      "At equal work a is the cheapest of those that meet every model's objectives, with 10.0 GPU-hours, 16.67 % " +
        'under b, the next (1.01 % over it in a bill with donated GPUs); in dollars b is, with $16.0 against $30.0.',
    );
  });
});

describe('the facts', () => {
  it('have what strategies and deployments were given, and seeds in a row by their ends', () => {
    const [model] = scenario.models;
    const given = {
      ...scenario,
      models: [{ ...model!, deployments: [{ ...model!.deployments[0]!, maxBatchTokens: 2_048 }] }],
    };
    const seeds = Array.from({ length: 12 }, (_, i) => run('a', 1, 0, 1, { seed: i + 3 }));
    const facts = Object.fromEntries(
      comparisonFacts(given, compareRuns([...seeds, run('b', 1, 0, 1, { seed: 3 })]), '1.2.3', [
        { name: 'a', scaleOutAbove: 0.9, measured: true },
        'b',
      ]),
    );
    expect(facts['options']).toBe('a: scaleOutAbove 0.9, measured true');
    expect(facts['fleet']).toContain('(2,048 tokens in an iteration)');
    expect(facts['seeds']).toBe('3 to 14');
  });
});

describe('ratios', () => {
  it('are at equal work, to the bound and to the cheapest', () => {
    const { rows } = compareRuns([run('lazy', 70, 40, 0.97), run('ours', 95, 5, 0.96)], bounds);
    const of = (key: string) => rows.find((row) => row.key === key)?.estimates.map((one) => one?.mean);
    expect(of('equal-gpu-hours/bound')).toEqual([2.2, 2]);
    expect(of('equal-gpu-hours/cheapest')).toEqual([1.1, 1]);
    expect(of('slo/large/interactive-fast')).toEqual([0.97, 0.96]);
  });
});
