import { maxOf, modelId, PlacementGrid, type PlacementProblem, regionId, type Rng, skuId } from '@sageserve/core';

export function grid(
  models: number,
  regions: number,
  skus: number,
  value: (m: number, r: number, k: number) => number,
): PlacementGrid {
  const made = new PlacementGrid(models, regions, skus);
  for (let m = 0; m < models; m++)
    for (let r = 0; r < regions; r++) for (let k = 0; k < skus; k++) made.set(m, r, k, value(m, r, k));
  return made;
}

export interface RandomSize {
  readonly models: number;
  readonly regions: number;
  readonly skus: number;
  readonly windows: number;
  /** Chance of a cap on a cell's GPUs, and how tight it is: GPUs beside what the demand takes. */
  readonly capped: number;
  readonly room: number;
}

/**
 * A problem as fleets have them, from a seed: instances of 1 to 8 GPUs, some pairs that can't run,
 * demand of a few instances in each region, prices that grow with capacity.
 */
export function randomProblem(
  rng: Rng,
  { models: M, regions: R, skus: K, windows: W, capped, room }: RandomSize,
): PlacementProblem {
  const whole = (least: number, most: number): number => least + Math.floor(rng.next() * (most - least + 1));
  const size = Array.from({ length: M }, () => [1, 2, 4, 8][whole(0, 3)]);
  const usd = Float64Array.from({ length: K }, () => whole(10, 120));
  const tokens = grid(M, 1, K, (_m, _r, k) =>
    k > 0 && rng.next() < 0.2 ? 0 : Math.round(usd[k] * (20 + 30 * rng.next())),
  );
  const demand = Array.from({ length: W }, () =>
    grid(M, R, 1, (m) => (rng.next() < 0.1 ? 0 : Math.round(tokens.at(m, 0, 0) * 4 * rng.next()))),
  );
  const need = (m: number): number =>
    maxOf(demand.map((window) => maxOf(Array.from({ length: R }, (_, r) => window.at(m, r, 0))))) / tokens.at(m, 0, 0);
  const perCell = Array.from({ length: M }, (_, m) => Math.ceil(need(m)) * size[m]).reduce((a, b) => a + b, 0);
  return {
    models: Array.from({ length: M }, (_, m) => modelId(`model-${m}`)),
    regions: Array.from({ length: R }, (_, r) => regionId(`region-${r}`)),
    skus: Array.from({ length: K }, (_, k) => skuId(`sku-${k}`)),
    current: grid(M, R, K, (m, _r, k) => (tokens.at(m, 0, k) > 0 && rng.next() < 0.6 ? whole(0, 4) : 0)),
    minInstances: grid(M, R, K, (m, _r, k) => (tokens.at(m, 0, k) > 0 && rng.next() < 0.1 ? 1 : 0)),
    maxInstances: grid(M, R, K, () => (rng.next() < 0.1 ? whole(1, 6) : Infinity)),
    tokensPerSPerInstance: tokens,
    gpusPerInstance: grid(M, 1, K, (m) => size[m]),
    gpuCapacity: grid(1, R, K, () =>
      rng.next() < capped ? Math.round((perCell * (room + 0.5 * rng.next())) / K) : Infinity,
    ),
    usdPerInstanceHour: grid(M, 1, K, (_m, _r, k) => usd[k]),
    startUsd: grid(M, 1, K, () => whole(0, 60)),
    demandTokensPerS: demand,
    localShare: [0, 0.5, 0.8, 1][whole(0, 3)],
  };
}

/** The same with prices of distance, and regions in which some demand has to stay. */
export function withFlows(rng: Rng, problem: PlacementProblem): PlacementProblem {
  const [M, R] = [problem.models.length, problem.regions.length];
  return {
    ...problem,
    flowUsdPerMillionTokens: grid(M, R, R, (_m, from, to) =>
      from === to ? 0 : rng.next() < 0.3 ? Infinity : Math.round(40 * rng.next()) / 100,
    ),
  };
}
