import { createRng, modelId, PlacementGrid, type PlacementPlan, regionId } from '@sageserve/core';
import { fakeRegionPool, fakeRequest, regionRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createPlannedRouter } from './planned.js';
import { createUtilizationRouter } from './utilization.js';

const MINUTE = 60_000;

/** A plan of two windows for one model and three regions; flows from the first region. */
function plan(first: number[], second: number[], validFromMs = 0): PlacementPlan {
  const flows = (row: number[]) => new PlacementGrid(1, 3, 3, Float64Array.from([...row, 0, 0, 0, 0, 0, 0]));
  return {
    models: [modelId('model-a')],
    regions: ['region-0', 'region-1', 'region-2'].map(regionId),
    skus: [],
    target: new PlacementGrid(1, 3, 0),
    validFromMs,
    validUntilMs: validFromMs + 20 * MINUTE,
    flowTokensPerS: [flows(first), flows(second)],
  };
}

const router = (current: () => PlacementPlan | undefined, threshold = 0.85) =>
  createPlannedRouter({ plan: current, otherwise: createUtilizationRouter(), threshold, rng: createRng(1) });
const idle = fakeRegionPool([{}, {}, {}]);

describe('createPlannedRouter', () => {
  for (const check of regionRouterConformance(() => router(() => plan([1, 1, 1], [1, 1, 1]))))
    it(check.name, check.run);

  it('sends requests where the flows of the present window say, in proportion', () => {
    const route = router(() => plan([6, 3, 1], [0, 0, 1]));
    const counts = [0, 0, 0];
    for (let n = 0; n < 5_000; n++) counts[route.route(fakeRequest(), idle, n)]!++;
    expect(counts.map((n) => Math.round(n / 500))).toEqual([6, 3, 1]);
    expect(route.route(fakeRequest(), idle, 10 * MINUTE)).toBe(2);
    expect(route.route(fakeRequest(), idle, HOUR)).toBe(2);
  });

  it('goes from window to window, by the plan’s own clock, and stays with the last', () => {
    const rows = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ];
    const flows = (row: number[]) => new PlacementGrid(1, 3, 3, Float64Array.from([...row, 0, 0, 0, 0, 0, 0]));
    const base = plan([0, 0, 0], [0, 0, 0], 5 * MINUTE);
    const windows: PlacementPlan = {
      ...base,
      flowTokensPerS: rows.map(flows),
      demand: { startMs: 5 * MINUTE, stepMs: MINUTE, expectedTokensPerS: [], upperTokensPerS: [], mix: [] },
    };
    const route = router(() => windows);
    const at = (nowMs: number) => route.route(fakeRequest(), idle, nowMs);
    expect([0, 5, 5.99, 6, 6.99, 7, 7.99, 8, 30].map((minute) => at(minute * MINUTE))).toEqual([
      0, 0, 0, 1, 1, 2, 2, 0, 0,
    ]);
    // Without a demand of its own the windows share the plan's validity: four of five minutes.
    const { demand: _, ...undated } = windows;
    const even = router(() => ({ ...undated }));
    expect([0, 5, 9.9, 10, 14.9, 15, 20, 99].map((minute) => even.route(fakeRequest(), idle, minute * MINUTE))).toEqual(
      [0, 0, 0, 1, 1, 2, 0, 0],
    );
  });

  it('knows each model’s and each origin’s own flows, and what a model may be filled to', () => {
    const regions = ['region-0', 'region-1', 'region-2'].map(regionId);
    const grid = new PlacementGrid(2, 3, 3);
    grid.set(0, 0, 1, 5);
    grid.set(0, 2, 0, 5);
    grid.set(1, 0, 2, 5);
    grid.set(1, 1, 1, 5);
    const two: PlacementPlan = {
      models: ['model-a', 'model-b'].map(modelId),
      regions,
      skus: [],
      target: new PlacementGrid(2, 3, 0),
      validFromMs: 0,
      validUntilMs: HOUR,
      flowTokensPerS: [grid],
    };
    const asked: string[] = [];
    const route = createPlannedRouter({
      plan: () => two,
      otherwise: { name: 'never', route: () => -1 },
      threshold: (model) => (asked.push(model), model === 'model-a' ? 0.5 : 0.9),
      rng: createRng(1),
    });
    const to = (model: string, originRegion: number, kvCacheUtilization = 0) =>
      route.route(
        fakeRequest({ modelId: modelId(model), originRegion }),
        fakeRegionPool([{ kvCacheUtilization }, { kvCacheUtilization }, { kvCacheUtilization }]),
        0,
      );
    expect([
      to('model-a', 0),
      to('model-a', 1),
      to('model-a', 2),
      to('model-b', 0),
      to('model-b', 1),
      to('model-b', 2),
    ]).toEqual([1, -1, 0, 2, 1, -1]);
    expect([to('model-a', 0, 0.49), to('model-a', 0, 0.5), to('model-b', 0, 0.89), to('model-b', 0, 0.9)]).toEqual([
      1, -1, 2, -1,
    ]);
    expect(asked).toEqual(['model-a', 'model-b']);
  });

  it('finds regions that stand elsewhere in the fleet than in the plan', () => {
    const base = plan([0, 0, 0], [0, 0, 0]);
    const regions = ['region-2', 'gone', 'region-0'].map(regionId);
    const flows = new PlacementGrid(1, 3, 3);
    flows.set(0, 2, 0, 1);
    flows.set(0, 0, 1, 1);
    const route = createPlannedRouter({
      plan: () => ({ ...base, regions, flowTokensPerS: [flows] }),
      otherwise: { name: 'never', route: () => -1 },
      rng: createRng(1),
    });
    expect(route.route(fakeRequest({ originRegion: 0 }), idle, 0)).toBe(2);
    expect(route.route(fakeRequest({ originRegion: 2 }), idle, 0)).toBe(-1);
    expect(() =>
      createPlannedRouter({
        plan: () => undefined,
        otherwise: createUtilizationRouter(),
        threshold: 0,
        rng: createRng(1),
      }),
    ).toThrow('threshold: must be above 0 and at most 1, not 0');
    expect(() => router(() => undefined, 1)).not.toThrow();
  });

  it('spreads evenly over any stretch, and goes on from where it was when the plan changes', () => {
    let current = plan([1, 1, 0], [1, 1, 0]);
    const route = router(() => current);
    const seen: number[] = [];
    for (let n = 0; n < 400; n++) {
      if (n % 10 === 9) current = { ...current };
      seen.push(route.route(fakeRequest(), idle, n));
    }
    for (let from = 0; from + 20 <= seen.length; from++) {
      const first = seen.slice(from, from + 20).filter((r) => r === 0).length;
      expect(Math.abs(first - 10)).toBeLessThanOrEqual(2);
    }
  });

  it('follows a new plan at once', () => {
    let current = plan([0, 1, 0], [0, 1, 0]);
    const route = router(() => current);
    expect(route.route(fakeRequest(), idle, 0)).toBe(1);
    current = plan([0, 0, 1], [0, 0, 1]);
    expect(route.route(fakeRequest(), idle, 1)).toBe(2);
  });

  it('falls back where the plan says nothing, and where what it says is full, gone or forbidden', () => {
    const planned = router(() => plan([0, 1, 0], [0, 1, 0]));
    const to = (regions: Parameters<typeof fakeRegionPool>[0]) =>
      planned.route(fakeRequest(), fakeRegionPool(regions), 0);
    expect(to([{}, { kvCacheUtilization: 0.84 }, {}])).toBe(1);
    expect(to([{}, { kvCacheUtilization: 0.85 }, {}])).toBe(0);
    expect(to([{}, { hosts: false }, {}])).toBe(0);
    expect(to([{}, { allowed: false }, {}])).toBe(0);
    expect(planned.route(fakeRequest({ originRegion: 2 }), idle, 0)).toBe(0);
    expect(planned.route(fakeRequest({ modelId: modelId('other') }), idle, 0)).toBe(0);
    expect(router(() => undefined).route(fakeRequest(), idle, 0)).toBe(0);
  });
});

const HOUR = 60 * MINUTE;
