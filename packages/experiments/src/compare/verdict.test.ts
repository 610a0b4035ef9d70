import type { WorkloadTier } from '@sageserve/core';
import { type LowerBound, preset, type Scenario } from '@sageserve/scenario';
import { describe, expect, it } from 'vitest';
import { type Attainment, meetsObjectives, worstAttainment } from './attainment.js';
import { compareRuns } from './comparison-rows.js';
import { comparisonFacts } from './facts.js';
import type { TurnedKnob } from './pareto.js';
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
const said = (
  runs: readonly ComparedRun[],
  known: typeof bounds | undefined = bounds,
  turned: readonly TurnedKnob[] = [],
) => verdict(scenario, runs, compareRuns(runs, known), known, turned);

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

  it('says of whom it speaks where some see the future, and what those came to', () => {
    const seer = run('clairvoyant', 5, 0, 0.99, { foresight: true });
    expect(said([seer], new Map())[1]).toBe(
      "Whoever was compared sees the future, which nobody can run; clairvoyant meets every model's objectives with 5.00 GPU-hours.",
    );
    expect(said([{ ...seer, attainments: [cell('m', 'interactive-fast', 0.9)] }], new Map())[1]).toContain(
      'nobody can run; none of them meets',
    );
    const [, none] = said([run('a', 10, 0, 0.9), seer]);
    expect(none).toMatch(/^None that can be run meets .*; a comes nearest/);
    expect(none).toContain(
      "; clairvoyant, which sees the future, meets every model's objectives with 5.00 GPU-hours, 0.10 times the bound.",
    );
    expect(said([run('a', 10, 0, 0.99), run('b', 9, 0, 0.9), seer])[1]).toContain('; no other that can be run does;');
    expect(said([{ ...seer, attainments: [] }])[1]).toBe('Nothing arrived that has an objective.');
  });

  it('names no winner among those that take the same', () => {
    const [, same] = said([run('a', 1.2340001, 0, 0.99), run('b', 1.234, 0, 0.99), run('c', 2, 0, 0.99)], new Map());
    expect(same).toBe(
      "At equal work a and b are the cheapest of those that meet every model's objectives, with 1.23 GPU-hours each, " +
        '38.30 % under c, the next.',
    );
    expect(compareRuns([run('a', 1.2340001, 0, 0.99), run('b', 1.234, 0, 0.99)]).cheapest).toBe('a');
    expect(said([run('a', 1, 0, 0.99), run('b', 1, 0, 0.99)], new Map())[1]).toContain('each; no other was compared.');
  });

  it('says whether the seeds tell the cheapest from the next', () => {
    const over = (strategy: string, hours: readonly number[]) =>
      hours.map((held, i) => run(strategy, held, 0, 0.99, { seed: i + 1 }));
    expect(said([...over('a', [90, 91, 89]), ...over('b', [100, 100, 100])], new Map())[1]).toContain(
      '10.00 % under b, the next (±2.48 %).',
    );
    expect(said([...over('a', [80, 110, 80]), ...over('b', [100, 100, 100])], new Map())[1]).toContain(
      '10.00 % under b, the next, from which 3 seeds do not tell it (±43.03 %).',
    );
    // Seed by seed: however much traffic differs from one to the next.
    expect(said([...over('a', [9, 900]), ...over('b', [10, 1_000])], new Map())[1]).toContain(
      '10.00 % under b, the next.',
    );
  });

  it('says whose objectives other seeds may turn', () => {
    const seeds = (strategy: string, ...iwf: number[]) =>
      iwf.map((one, i) => run(strategy, 10, 0, one, { seed: i + 1 }));
    const notShown = said([...seeds('a', 0.99, 0.94), ...seeds('b', 0.99, 0.99), ...seeds('c', 0.5, 0.51)])[2];
    expect(notShown).toContain('whether a would meet them with other seeds');
    expect(said(seeds('c', 0.9, 0.96))[2]).toContain('whether c would meet them');
    expect(said(seeds('b', 0.99, 0.99))[2]).not.toContain('whether');
  });

  it('goes by the settings that were run, where knobs were turned', () => {
    const runs = [run('a', 10, 0, 0.99), run('b', 9, 0, 0.9)];
    const knob = (hours: number, iwf: number, strategy = 'b'): TurnedKnob => ({
      strategy,
      option: 'headroom',
      settings: [
        { value: undefined, runs: runs.filter((one) => one.strategy === strategy) },
        { value: 0.2, runs: [run(strategy, hours, 0, iwf)] },
      ],
    });
    const [, found, notShown] = said(runs, new Map(), [knob(9.5, 0.97)]);
    expect(found).toContain('no other does; of all settings that were run b with headroom 0.2 takes the fewest, 9.50.');
    expect(notShown).not.toContain('would cost with objectives met');
    expect(notShown).toContain('strategies with other options than these and their main knobs');
    expect(said(runs, new Map(), [knob(10.5, 0.97)])[1]).not.toContain('of all settings');
    const missed = said(runs, new Map(), [knob(9.5, 0.9)]);
    expect(missed[1]).not.toContain('of all settings');
    expect(missed[2]).toContain('what b would cost with objectives met, which no setting that was run does');
    expect(said([run('b', 9, 0, 0.9)], new Map(), [knob(9.5, 0.97)])[1]).toContain(
      'of all settings that were run b with headroom 0.2 meets them with the fewest, 9.50.',
    );
  });

  it('says what of the traffic lies after the end, and nothing of one seed where a trace is replayed', () => {
    const runs = [run('a', 10, 0, 0.99)];
    const of = (given: Scenario): string => verdict(given, runs, compareRuns(runs))[2];
    expect(of({ ...preset('step'), duration: '2h' })).toContain(
      'the change of traffic at 6.0 h, after the end of the run',
    );
    expect(of(preset('step'))).not.toContain('after the end');
    const { requestsPerDay: _, ...traffic } = scenario.traffic;
    const replayed = of({ ...scenario, traffic: { ...traffic, trace: 'a.csv' } });
    expect(replayed).toContain('other days than those of the trace');
    expect(replayed).not.toContain('this one seed');
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

  it('says who costs least where that is another, at equal work', () => {
    const priced = (one: ComparedRun, costUsd: number, netUsd: number, spotGpuHours: number): ComparedRun => ({
      ...one,
      result: {
        ...one.result,
        // A third of it is for what was left.
        capacity: { ...one.result.capacity, costUsd: (2 * costUsd) / 3 },
        atEqualWork: { ...one.result.atEqualWork, costUsd },
        bill: { ...one.result.bill, netUsd },
        spotGpuHours,
      },
    });
    const [, found] = said(
      [priced(run('a', 10, 0, 0.99), 30, 90, 5), priced(run('b', 12, 0, 0.99), 15, 94, 3)],
      new Map(),
    );
    expect(found).toBe(
      "At equal work a is the cheapest of those that meet every model's objectives, with 10.0 GPU-hours, 16.67 % " +
        'under b, the next (1.01 % over it in a bill with donated GPUs); in dollars b is, with $15.0 against $30.0.',
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
        { name: 'b', headroom: 0.2 },
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
