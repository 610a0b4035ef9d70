import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SimulationResult } from '@sageserve/sim';
import { knobSettings, parseKnob } from './main-knobs.js';
import { paretoCurves } from './pareto.js';
import { paretoText } from './pareto-text.js';
import type { ComparedRun } from './run-comparison.js';

/** A run with so many GPU-hours and, in thousandths, these attainments. */
function run(gpuHours: number, thousandths: readonly number[], foresight = false): ComparedRun {
  return {
    strategy: 'x',
    seed: 1,
    result: { atEqualWork: { gpuHours } } as SimulationResult,
    attainments: thousandths.map((one, i) => ({
      modelId: `model-${i}`,
      tier: 'interactive-fast',
      attainment: one / 1_000,
      target: 0.95,
    })),
    foresight,
    forecastWape: undefined,
    degradations: 0,
    record: undefined,
  };
}

type Point = readonly [gpuHours: number, worst: number];
const curveOf = (strategy: string, points: readonly Point[], foresight = false) => ({
  strategy,
  option: 'knob',
  settings: points.map(([gpuHours, worst], value) => ({ value, runs: [run(gpuHours, [1_000, worst], foresight)] })),
});
const hours = (...points: readonly Point[]) => paretoCurves([curveOf('one', points)])[0]!.at;

describe('the hours that a strategy takes at an attainment', () => {
  it('are between its settings, by the straight line', () => {
    expect(hours([100, 940], [200, 980], [400, 1_000]).map(({ gpuHours }) => Math.round(gpuHours!))).toEqual([
      125, 175, 300,
    ]);
  });

  it('are those of a setting that attains just as much', () => {
    expect(hours([100, 950], [200, 970], [400, 990]).map(({ gpuHours, atMost }) => [gpuHours, atMost])).toEqual([
      [100, false],
      [200, false],
      [400, false],
    ]);
  });

  it('are known to be no more where every setting attains more', () => {
    expect(hours([100, 980]).map(({ gpuHours, atMost }) => [gpuHours, atMost])).toEqual([
      [100, true],
      [100, true],
      [undefined, false],
    ]);
  });

  it('are not those of a setting that costs more and gives less', () => {
    expect(hours([100, 990], [150, 960])[0]).toMatchObject({ gpuHours: 100, atMost: true });
  });

  it('are not those of a setting that misses deadlines of which none may be missed', () => {
    const late = run(100, [990, 995]);
    const deadlines = { ...late.attainments[1]!, tier: 'non-interactive', target: 1 } as const;
    const [curve] = paretoCurves([
      {
        strategy: 'one',
        option: 'knob',
        settings: [
          { value: 1, runs: [{ ...late, attainments: [late.attainments[0]!, deadlines] }] },
          { value: 2, runs: [run(200, [990, 1_000])] },
        ],
      },
    ]);
    expect(curve!.points.map(({ misses }) => misses)).toEqual([true, false]);
    expect(curve!.at.map(({ gpuHours }) => gpuHours)).toEqual([200, 200, 200]);
  });

  it('are of the model and tier that has the lowest, as the mean over seeds', () => {
    const [curve] = paretoCurves([
      {
        strategy: 'one',
        option: undefined,
        settings: [{ value: undefined, runs: [run(90, [960, 999]), run(110, [999, 940])] }],
      },
    ]);
    expect(curve!.points[0]!.worst.mean).toBeCloseTo(0.95, 12);
    expect(curve!.at[0]!.gpuHours).toBe(100);
    expect(curve!.at[1]!.gpuHours).toBeUndefined();
  });

  it('have their gap to the cheapest that does not see the future', () => {
    const [dear, cheap, seer] = paretoCurves([
      curveOf('dear', [
        [140, 940],
        [150, 1_000],
      ]),
      curveOf('cheap', [
        [90, 940],
        [100, 1_000],
      ]),
      curveOf(
        'seer',
        [
          [40, 940],
          [50, 1_000],
        ],
        true,
      ),
    ]);
    expect(cheap!.at[2]).toMatchObject({ gap: 0 });
    const ten = (50 / 60) * 10;
    expect(dear!.at[2]!.gap).toBeCloseTo((140 + ten) / (90 + ten) - 1, 12);
    expect(seer!.at[2]!.gap).toBeCloseTo((40 + ten) / (90 + ten) - 1, 12);
    const text = paretoText([dear!, cheap!, seer!]);
    expect(text).toMatch(/^ {2}dear +142 \(\+54\.5 %\)/m);
    expect(text).toMatch(/^ {2}seer \(sees the future\) +41\.7 \(-54\.5 %\)/m);
  });

  it('have no gap where all that was run attains more, and at least that to others then', () => {
    const [exact, lax] = paretoCurves([
      curveOf('exact', [
        [90, 940],
        [100, 960],
      ]),
      curveOf('lax', [[80, 980]]),
    ]);
    expect(lax!.at[0]).toMatchObject({ gpuHours: 80, atMost: true, gap: undefined, gapAtLeast: false });
    expect(exact!.at[0]!.gap).toBeCloseTo(95 / 80 - 1, 12);
    expect(paretoText([exact!, lax!])).toMatch(/^ {2}exact +95\.0 \(≥ \+18\.[78] %\)/m);
  });

  it('never fall as attainment rises, and lie within what was run', () => {
    const point = fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 900, max: 1_000 }));
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 12 }), (points) => {
        const at = hours(...points);
        const known = at.flatMap(({ gpuHours }) => (gpuHours === undefined ? [] : [gpuHours]));
        for (let i = 1; i < known.length; i++) expect(known[i]).toBeGreaterThanOrEqual(known[i - 1]!);
        for (const { level, gpuHours } of at) {
          const able = points.filter(([, worst]) => worst / 1_000 >= level).map(([gpu]) => gpu);
          if (able.length === 0) expect(gpuHours).toBeUndefined();
          else expect(gpuHours).toBeLessThanOrEqual(Math.min(...able));
        }
      }),
    );
  });
});

describe('main knobs', () => {
  it('keep everything else of the choice, and the share between two thresholds', () => {
    const { option, levels } = knobSettings({
      name: 'reactive',
      scaleOutAbove: 0.8,
      scaleInBelow: 0.2,
      cooldownMs: 5,
    })!;
    expect(option).toBe('scaleOutAbove');
    expect(levels[0]).toEqual({
      value: 0.1,
      choice: { name: 'reactive', scaleOutAbove: 0.1, scaleInBelow: 0.025, cooldownMs: 5 },
    });
  });

  it('do not run again what is compared already, and turn nothing that does not decide', () => {
    const { levels } = knobSettings({ name: 'hpa', kvCacheUtilization: 0.6 })!;
    expect(levels.map(({ value }) => value)).toEqual([0.1, 0.2, 0.3, 0.45, 0.75, 0.9]);
    expect(knobSettings({ name: 'hpa', runningRequests: 30 })).toBeUndefined();
    expect(knobSettings({ name: 'sage', plan: false })).toBeUndefined();
    const { levels: fixed } = knobSettings({ name: 'reactive', scaleInBelow: 0.25 })!;
    expect(fixed.map(({ choice }) => (choice as { scaleInBelow?: number }).scaleInBelow)).toEqual([
      0.09, 0.18, 0.25, 0.25, 0.25, 0.25, 0.25,
    ]);
  });

  it('are those given, of any strategy', () => {
    const given = [parseKnob('mine.speed=1,2,2')];
    expect(knobSettings('mine', given)).toEqual({
      option: 'speed',
      levels: [
        { value: 1, choice: { name: 'mine', speed: 1 } },
        { value: 2, choice: { name: 'mine', speed: 2 } },
      ],
    });
    expect(knobSettings('mine')).toBeUndefined();
    expect(knobSettings('constructor')).toBeUndefined();
  });

  it.each(['sage', 'sage=1,2', 'sage.headroom=1', 'sage.headroom=1,x', 'sage.headroom=1,', '.a=1,2'])(
    'can’t be %s',
    (text) => {
      expect(() => parseKnob(text)).toThrow('--knob: must be a strategy');
    },
  );
});
