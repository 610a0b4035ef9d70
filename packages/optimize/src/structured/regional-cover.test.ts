import { createRng } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { randomProblem } from '../fixtures.js';
import { createTask } from '../create-task.js';
import { createModelOptimum } from './model-optimum.js';
import { createRelaxation, firstPrices, indexCovers } from './prices.js';
import { RegionalCover } from './regional-cover.js';

/** Every count vector within bounds, up to `most` of each. */
function* vectors(lower: number[], upper: number[]): Generator<number[]> {
  const counts = [...lower];
  for (;;) {
    yield [...counts];
    let k = 0;
    while (k < counts.length && counts[k] === upper[k]) counts[k] = lower[k++]!;
    if (k === counts.length) return;
    counts[k]++;
  }
}

describe('the structure of placement', () => {
  it('finds the cheapest way to serve a region, as trying all does', () => {
    for (let seed = 0; seed < 150; seed++) {
      const rng = createRng(`cover ${seed}`);
      const task = createTask(randomProblem(rng, { models: 1, regions: 1, skus: 3, windows: 1, capped: 0, room: 1 }), {
        variant: 'paper',
      });
      const index = indexCovers(task, false);
      const tokenUsd = rng.next() < 0.5 ? 0 : rng.next() * 4e-8;
      const gpuUsd = Float64Array.from({ length: 3 }, () => Math.floor(10 * rng.next()));
      const upper = [...task.upper].map((most, k) => Math.min(most, task.lower[k] + 12));
      const regional = new RegionalCover({ ...task, upper: Float64Array.from(upper) });
      regional.solve(0, 0, index.local[0], tokenUsd, gpuUsd, 0, Infinity);
      let best = Infinity;
      for (const counts of vectors([...task.lower], upper)) {
        const carried = counts.reduce((sum, count, k) => sum + count * task.capacity[k], 0);
        if (carried < index.local[0]) continue;
        let usd = -tokenUsd * carried;
        for (const [k, count] of counts.entries())
          usd +=
            (count - task.current[k]) * (count < task.current[k] ? task.belowUsd[k] : task.aboveUsd[k]) +
            count * gpuUsd[k] * task.gpus[k];
        best = Math.min(best, usd);
      }
      if (best === Infinity) expect(regional.missing).toBeGreaterThan(0);
      else expect(regional.cost).toBeCloseTo(best, 6);
    }
  });

  it('plans a model by itself exactly, and never above what prices bound', () => {
    for (let seed = 0; seed < 60; seed++) {
      const rng = createRng(`model ${seed}`);
      const task = createTask(randomProblem(rng, { models: 1, regions: 2, skus: 2, windows: 2, capped: 0, room: 1 }), {
        variant: 'paper',
      });
      const index = indexCovers(task, false);
      const upper = Float64Array.from(task.upper, (most, e) => Math.min(most, task.lower[e] + 8));
      const free = new Float64Array(4);
      const { bound, counts } = createModelOptimum({ ...task, upper }, index)(0, free);
      let best = Infinity;
      for (const tried of vectors([...task.lower], [...upper])) {
        const carried = [0, 1].map((r) => tried[2 * r] * task.capacity[0] + tried[2 * r + 1] * task.capacity[1]);
        if (task.covers.some((cover) => cover.regions.reduce((sum, r) => sum + carried[r], 0) < cover.required))
          continue;
        let usd = 0;
        for (const [e, count] of tried.entries())
          usd += (count - task.current[e]) * (count < task.current[e] ? task.belowUsd[e % 2] : task.aboveUsd[e % 2]);
        best = Math.min(best, usd);
      }
      if (best === Infinity) {
        expect(counts).toBeUndefined();
        continue;
      }
      expect(bound).toBeCloseTo(best, 6);
      expect(counts).toBeDefined();
      expect(createRelaxation({ ...task, upper }, index, false)(firstPrices(task, index)).bound).toBeLessThanOrEqual(
        best + 1e-6,
      );
    }
  });
});
