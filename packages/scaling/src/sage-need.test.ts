import { type BacklogSnapshot, type FleetSnapshot, PlacementGrid, type PlacementPlan } from '@sageserve/core';
import { fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { correctedNeed, DemandCorrection } from './sage-need.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const TERMS = { drainMs: 4 * HOUR, slackMs: 2 * HOUR, arrivalShare: 0.5 };
const WINDOWS = 12;

const endpoints = fakeEndpoints(() => ({ minInstances: 0, maxInstances: 20 }));
const models = [...new Set(endpoints.map((one) => one.modelId))];
const regions = [...new Set(endpoints.map((one) => one.regionId))];
const skus = [...new Set(endpoints.map((one) => one.skuId))];

/**
 * Two models, regions and SKUs: an instance carries 100 tokens/s on the first SKU and 200 on the
 * second, of the second model half of that. `counts` and `demand` are by model, region (and SKU),
 * the same in each window.
 */
function planOf(
  counts: readonly number[],
  demand: readonly number[],
  fields: Partial<PlacementPlan> = {},
): PlacementPlan {
  const each = <T>(make: () => T): T[] => Array.from({ length: WINDOWS }, make);
  const tokens = () => new PlacementGrid(2, 2, 1, Float64Array.from(demand));
  return {
    models,
    regions,
    skus,
    target: new PlacementGrid(2, 2, 2, Float64Array.from(counts)),
    validFromMs: 0,
    validUntilMs: HOUR,
    schedule: each(() => new PlacementGrid(2, 2, 2, Float64Array.from(counts))),
    demand: {
      startMs: 0,
      stepMs: 10 * MINUTE,
      expectedTokensPerS: each(tokens),
      upperTokensPerS: each(tokens),
      mix: [
        { promptTokens: 80, outputTokens: 20 },
        { promptTokens: 50, outputTokens: 50 },
      ],
    },
    tokensPerSPerInstance: new PlacementGrid(2, 1, 2, Float64Array.of(100, 200, 50, 100)),
    ...fields,
  };
}

interface FleetFields {
  /** Observed tokens/s by model and region; the forecast's where it is not given. */
  readonly observed?: readonly (number | undefined)[];
  readonly backlog?: readonly Partial<BacklogSnapshot>[];
  readonly of?: readonly FleetSnapshot['endpoints'][number][];
}

function fleetOf({ observed = [], backlog, of = endpoints }: FleetFields = {}): FleetSnapshot {
  const empty = { requests: 0, promptTokens: 0, earliestDeadlineAtMs: Infinity, due: [], arrivedTokensPerS: 0 };
  return {
    ...fakeFleet(of),
    demand: models.flatMap((modelId, m) =>
      regions.map((regionId, r) => ({ modelId, regionId, interactiveTokensPerS: observed[2 * m + r] })),
    ),
    ...(backlog === undefined ? {} : { backlog: models.map((modelId, m) => ({ modelId, ...empty, ...backlog[m] })) }),
  };
}

/** Counts of a window by model, region and SKU. */
function needOf(
  plan: PlacementPlan,
  fields: FleetFields = {},
  window = 0,
  nowMs = 0,
  correction = new DemandCorrection(),
): number[] {
  const needs = correctedNeed(fleetOf(fields), plan, correction, TERMS, nowMs);
  return [0, 1].flatMap((m) => [0, 1].flatMap((r) => [0, 1].map((k) => needs.at(window, { m, r, k }))));
}

describe('correctedNeed', () => {
  it('is the plan where that carries what is wanted, and no more', () => {
    expect(needOf(planOf([2, 1, 1, 0, 4, 0, 0, 1], [400, 100, 200, 100]))).toEqual([2, 1, 1, 0, 4, 0, 0, 1]);
  });

  it('adds where the most is missing at home, the faster SKU first', () => {
    // Of 500 in the first region and 150 in the second, and then one of the slow is not needed any
    // more.
    expect(needOf(planOf([1, 0, 1, 0, 0, 0, 0, 0], [600, 250, 0, 0]))).toEqual([0, 3, 1, 1, 0, 0, 0, 0]);
  });

  it(
    'adds the slower SKU where there is no room for more of the faster, and in the other region where there is ' +
      'none at all',
    () => {
      const narrow = fakeEndpoints(({ r, k }) => ({ minInstances: 0, maxInstances: r === 0 ? 2 - k : 20 }));
      expect(needOf(planOf([1, 0, 0, 0, 0, 0, 0, 0], [800, 0, 0, 0]), { of: narrow })).toEqual([
        2, 1, 0, 2, 0, 0, 0, 0,
      ]);
    },
  );

  it('stops where there is room nowhere', () => {
    const full = fakeEndpoints(() => ({ minInstances: 0, maxInstances: 1 }));
    expect(needOf(planOf([1, 0, 0, 0, 0, 0, 0, 0], [5_000, 0, 0, 0]), { of: full })).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  });

  it('takes away where the most is left over, never below what a region is to serve at home', () => {
    // 1,000 are held and 700 wanted, 600 of them in the second region: four fifths of those, 480,
    // stay servable there.
    expect(needOf(planOf([5, 0, 5, 0, 0, 0, 0, 0], [100, 600, 0, 0]))).toEqual([2, 0, 5, 0, 0, 0, 0, 0]);
    // 900 are held and 300 wanted, all of them in the second region: three stay, and none is needed
    // in the first.
    expect(needOf(planOf([3, 0, 6, 0, 0, 0, 0, 0], [0, 300, 0, 0]))).toEqual([0, 0, 3, 0, 0, 0, 0, 0]);
  });

  it('never takes away what an endpoint must have at least', () => {
    const floor = fakeEndpoints(({ r, k }) => ({ minInstances: r === 0 && k === 0 ? 4 : 0, maxInstances: 20 }));
    expect(needOf(planOf([5, 0, 5, 0, 0, 0, 0, 0], [100, 100, 0, 0]), { of: floor })).toEqual([4, 0, 1, 0, 0, 0, 0, 0]);
  });

  it('adds up the bounds of several pools of one deployment', () => {
    const pools = endpoints.flatMap((one) =>
      ['one', 'two'].map((pool) => ({ ...one, pool, minInstances: 1, maxInstances: 2 })),
    );
    expect(needOf(planOf([1, 0, 1, 0, 0, 0, 0, 0], [900, 0, 0, 0]), { of: pools })).toEqual([1, 4, 1, 0, 0, 0, 0, 0]);
    expect(needOf(planOf([5, 0, 5, 0, 0, 0, 0, 0], [0, 0, 0, 0]), { of: pools })).toEqual([2, 0, 2, 0, 0, 0, 0, 0]);
  });

  it('leaves a region as it is planned of whose demand nothing is known, and the other to its own', () => {
    expect(needOf(planOf([1, 0, 6, 0, 0, 0, 0, 0], [NaN, 200, 0, 0]))).toEqual([1, 0, 2, 0, 0, 0, 0, 0]);
    expect(needOf(planOf([6, 0, 1, 0, 0, 0, 0, 0], [NaN, 300, 0, 0]))).toEqual([6, 0, 1, 1, 0, 0, 0, 0]);
  });

  it('keeps at home what the plan was made to, four fifths where it does not say', () => {
    // 1,000 are held and 700 wanted, 600 of them in the second region.
    const spread = (fields: Partial<PlacementPlan>) =>
      needOf(planOf([5, 0, 5, 0, 0, 0, 0, 0], [100, 600, 0, 0], fields)).slice(0, 4);
    expect(spread({})).toEqual([2, 0, 5, 0]);
    expect(spread({ localShare: 0.8 })).toEqual([2, 0, 5, 0]);
    expect(spread({ localShare: 0 })).toEqual([3, 0, 4, 0]);
    expect(spread({ localShare: 1 })).toEqual([2, 0, 5, 0]);
  });

  it('is the plan’s for windows that are over, and without speeds', () => {
    const plan = planOf([9, 0, 0, 0, 0, 0, 0, 0], [100, 0, 0, 0]);
    expect(needOf(plan, {}, 1, 25 * MINUTE)[0]).toBe(9);
    expect(needOf(plan, {}, 2, 25 * MINUTE)[0]).toBe(1);
    const { tokensPerSPerInstance: _, ...slow } = plan;
    expect(needOf(slow, {}, 2, 25 * MINUTE)[0]).toBe(9);
  });

  it('has the plan’s target in each window where there is no schedule', () => {
    const { schedule: _, ...plan } = planOf([3, 0, 0, 0, 0, 0, 0, 0], [250, 0, 0, 0]);
    expect(needOf(plan, {}, 7)[0]).toBe(3);
  });
});

describe('work that can wait', () => {
  const plan = planOf([0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0]);
  const need = (...backlog: Partial<BacklogSnapshot>[]) => needOf(plan, { backlog });
  const total = (counts: readonly number[], m: number) =>
    counts.slice(4 * m, 4 * m + 4).reduce((sum, n, i) => sum + n * [100, 200][i & 1]! * (m === 0 ? 1 : 0.5), 0);

  it('asks for its share of what arrives, each model for its own', () => {
    expect(total(need({ arrivedTokensPerS: 800 }), 0)).toBe(400);
    expect(total(need({}, { arrivedTokensPerS: 400 }), 1)).toBe(200);
    expect(total(need({}, { arrivedTokensPerS: 400 }), 0)).toBe(0);
  });

  it('asks for its backlog, outputs and all, within the time to drain', () => {
    // 4 h × 600 tokens/s; a fifth of a request of the first model is output, and half of one of the
    // second.
    expect(total(need({ requests: 100, promptTokens: 0.8 * 600 * 4 * 3_600 }), 0)).toBe(600);
    expect(total(need({}, { requests: 100, promptTokens: 0.5 * 600 * 4 * 3_600 }), 1)).toBe(600);
  });

  it('asks for what is due sooner than that by its deadline, less the slack, and gives what is overdue half an hour', () => {
    const tokens = 3_600_000;
    const due = (hours: number, requests: number) =>
      total(
        need({
          requests: 100,
          promptTokens: 0.8 * tokens,
          due: [
            { atMs: hours * HOUR, requests: 0 },
            { atMs: hours * HOUR, requests },
          ],
        }),
        0,
      );
    // All of it takes 250 tokens/s over four hours.
    expect(due(24, 100)).toBe(400);
    expect(due(4, 100)).toBe(600);
    expect(due(4, 50)).toBe(400);
    expect(due(3, 100)).toBe(1_000);
    expect(due(1, 100)).toBe(2_000);
    expect(due(-5, 100)).toBe(2_000);
  });
});

describe('work that can wait, later in the day', () => {
  const plan = planOf([0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0]);
  it('has its deadlines counted from now, and is nothing where none is there to be due', () => {
    const at = (nowMs: number, backlog: Partial<BacklogSnapshot>) =>
      needOf(plan, { backlog: [backlog] }, 11, nowMs)
        .slice(0, 4)
        .reduce((sum, n, i) => sum + n * [100, 200][i & 1]!, 0);
    const tokens = 3_600_000;
    const due = { requests: 100, promptTokens: 0.8 * tokens, due: [{ atMs: 4 * HOUR, requests: 100 }] };
    expect([at(0, due), at(HOUR, due), at(1.5 * HOUR, due)]).toEqual([600, 1_000, 2_000]);
    expect(at(0, { requests: 0, arrivedTokensPerS: 800, due: [{ atMs: 4 * HOUR, requests: 0 }] })).toBe(400);
    const { demand } = plan;
    const blind = { ...plan, demand: { ...demand!, mix: [undefined, undefined] } };
    expect(needOf(blind, { backlog: [{ requests: 1, promptTokens: 4 * 3_600 * 600 }] }).slice(0, 4)).toEqual([
      0, 2, 0, 1,
    ]);
  });

  it('asks for nothing of a SKU on which the model does not run, nor of what stands on it', () => {
    const slow = planOf([5, 5, 0, 0, 0, 0, 0, 0], [700, 0, 0, 0], {
      tokensPerSPerInstance: new PlacementGrid(2, 1, 2, Float64Array.of(100, 0, 50, 100)),
    });
    expect(needOf(slow)).toEqual([7, 5, 0, 0, 0, 0, 0, 0]);
    expect(
      needOf({
        ...slow,
        demand: {
          ...slow.demand!,
          upperTokensPerS: slow.demand!.upperTokensPerS.map(() => new PlacementGrid(2, 2, 1)),
        },
      }),
    ).toEqual([0, 5, 0, 0, 0, 0, 0, 0]);
  });
});

describe('DemandCorrection', () => {
  const plan = planOf(Array<number>(8).fill(1), [100, 200, 300, 400]);
  const watched = (observed: readonly (number | undefined)[], untilMs: number) => {
    const correction = new DemandCorrection();
    for (let nowMs = 0; nowMs <= untilMs; nowMs += 15_000) correction.observe(fleetOf({ observed }), plan, nowMs);
    return correction;
  };

  it('follows each model and region by itself', () => {
    const correction = watched([200, 200, 150, undefined], 40 * MINUTE);
    expect(
      [
        correction.factor(0, 0, 0),
        correction.factor(0, 1, 0),
        correction.factor(1, 0, 0),
        correction.factor(1, 1, 0),
      ].map((f) => Math.round(f * 1e6) / 1e6),
    ).toEqual([2, 1, 0.5, 1]);
  });

  it('takes two minutes to believe what it sees, which begins where the plan’s own minutes do', () => {
    // The first three minutes are from before the plan.
    expect(watched([200], 2 * MINUTE).factor(0, 0, 0)).toBe(1);
    const one = watched([200], 150_000).factor(0, 0, 0);
    expect(one).toBeCloseTo(1.12, 9);
    expect(watched([200], 150_000 + 2 * MINUTE).factor(0, 0, 0)).toBeCloseTo(2 - 0.88 ** 9, 9);
  });

  it('believes a look at the usual cadence to the last bit as it always did', () => {
    const correction = new DemandCorrection();
    let expected = 1;
    for (let nowMs = 150_000; nowMs <= HOUR; nowMs += 15_000) {
      correction.observe(fleetOf({ observed: [137] }), plan, nowMs);
      expected += 0.12 * (1.37 - expected);
      expect(correction.factor(0, 0, 0)).toBe(expected);
    }
  });

  it('takes as long whatever the cadence', () => {
    for (const everyMs of [1_000, 5_000, 15_000, 30_000, 50_000]) {
      const correction = new DemandCorrection();
      for (let nowMs = 0; nowMs <= 10 * MINUTE; nowMs += everyMs)
        correction.observe(fleetOf({ observed: [200] }), plan, nowMs);
      // The first that is believed is that of two and a half minutes.
      const looks = Math.floor((10 * MINUTE - 150_000) / everyMs) + 1;
      expect(correction.factor(0, 0, 0)).toBeCloseTo(2 - 0.88 ** ((looks * everyMs) / 15_000), 9);
    }
  });

  it('counts a second look at one moment for nothing, and goes on from what was saved', () => {
    const [first, second] = [watched([200], 5 * MINUTE), new DemandCorrection()];
    const before = first.factor(0, 0, 0);
    first.observe(fleetOf({ observed: [200] }), plan, 5 * MINUTE);
    expect(first.factor(0, 0, 0)).toBe(before);
    second.restore(first.save());
    for (const correction of [first, second]) correction.observe(fleetOf({ observed: [200] }), plan, 6 * MINUTE);
    expect(second.factor(0, 0, 0)).toBe(first.factor(0, 0, 0));
    expect(second.factor(0, 0, 0)).toBeCloseTo(2 - (2 - before) * 0.88 ** 4, 9);
  });

  it('forgets a difference the further ahead it looks: a third of it after an hour and a half', () => {
    const correction = watched([200], 2 * HOUR);
    const now = correction.factor(0, 0, 0);
    expect(correction.factor(0, 0, 1.5 * HOUR)).toBeCloseTo(now ** (1 / Math.E), 9);
    expect(correction.factor(0, 0, 15 * HOUR)).toBeCloseTo(1, 3);
    expect(correction.factor(0, 0, -HOUR)).toBe(now);
  });

  it('is held to a half and to four times', () => {
    const correction = watched([100_000, 0], 2 * HOUR);
    expect(correction.factor(0, 0, 0)).toBeCloseTo(4, 6);
    expect(correction.factor(0, 1, 0)).toBeCloseTo(0.5, 6);
  });

  it('begins anew with a new plan', () => {
    const correction = watched([200], HOUR);
    correction.observe(fleetOf({ observed: [200] }), { ...plan, validFromMs: HOUR }, 0);
    expect(correction.factor(0, 0, 0)).toBe(1);
  });

  it('compares what it sees with the forecast of that time, between the middles of its windows', () => {
    const rising = planOf(Array<number>(8).fill(1), [0, 0, 0, 0]);
    const { demand } = rising;
    const expectedTokensPerS = demand!.expectedTokensPerS.map(
      (_, w) => new PlacementGrid(2, 2, 1, new Float64Array(4).fill(100 * (w + 1))),
    );
    const at = (nowMs: number, observed: number) => {
      const correction = new DemandCorrection();
      correction.observe(
        fleetOf({ observed: [observed] }),
        { ...rising, demand: { ...demand!, expectedTokensPerS } },
        nowMs + 150_000,
      );
      return 1 + (correction.factor(0, 0, 0) - 1) / 0.12;
    };
    expect(at(5 * MINUTE, 100)).toBeCloseTo(1, 9);
    expect(at(10 * MINUTE, 300)).toBeCloseTo(2, 9);
    expect(at(0, 200)).toBeCloseTo(2, 9);
    expect(at(2 * HOUR, 600)).toBeCloseTo(0.5, 9);
    // In a plan that begins later, and of demand that is expected to be none.
    const later = new DemandCorrection();
    later.observe(
      fleetOf({ observed: [300, 5] }),
      {
        ...rising,
        demand: {
          ...demand!,
          startMs: HOUR,
          expectedTokensPerS: expectedTokensPerS.map((grid) => (grid.set(0, 1, 0, 0), grid)),
        },
      },
      HOUR + 10 * MINUTE + 150_000,
    );
    expect([1 + (later.factor(0, 0, 0) - 1) / 0.12, later.factor(0, 1, 0)]).toEqual([expect.closeTo(2, 9), 1]);
  });

  it('multiplies the need of the windows to come, the first the most', () => {
    const flat = planOf([10, 0, 0, 0, 0, 0, 0, 0], [1_000, 0, 0, 0]);
    const correction = new DemandCorrection();
    for (let nowMs = 0; nowMs <= 30 * MINUTE; nowMs += 15_000)
      correction.observe(fleetOf({ observed: [2_000] }), flat, nowMs);
    const carried = (w: number) => {
      const [slow, fast, slowAway, fastAway] = needOf(flat, {}, w, 30 * MINUTE, correction);
      return 100 * (slow! + slowAway!) + 200 * (fast! + fastAway!);
    };
    const wanted = (w: number) => 1_000 * 2 ** Math.exp(-((w - 3 + 0.5) * 10 * MINUTE) / (1.5 * HOUR));
    for (const w of [3, 4, 8, 11]) {
      expect(carried(w)).toBeGreaterThanOrEqual(wanted(w) - 1e-3);
      expect(carried(w)).toBeLessThan(wanted(w) + 200);
    }
    expect(carried(11)).toBeLessThan(carried(3));
  });
});
