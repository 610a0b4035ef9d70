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
  for (const check of regionRouterConformance(() => router(() => plan([1, 1, 1], [1, 1, 1])))) it(check.name, check.run);

  it('sends requests where the flows of the present window say, in proportion', () => {
    const route = router(() => plan([6, 3, 1], [0, 0, 1]));
    const counts = [0, 0, 0];
    for (let n = 0; n < 5_000; n++) counts[route.route(fakeRequest(), idle, n)]!++;
    expect(counts.map((n) => Math.round(n / 500))).toEqual([6, 3, 1]);
    expect(route.route(fakeRequest(), idle, 10 * MINUTE)).toBe(2);
    expect(route.route(fakeRequest(), idle, HOUR)).toBe(2);
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
    const to = (regions: Parameters<typeof fakeRegionPool>[0]) => planned.route(fakeRequest(), fakeRegionPool(regions), 0);
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
