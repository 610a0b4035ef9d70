import type { PlacementTask } from '../task.js';
import { RegionalCover } from './regional-cover.js';

/**
 * Prices of what couples regions and models: GPUs by region × SKU, and capacity by cover of several
 * regions.
 */
export interface Prices {
  readonly gpuUsd: Float64Array;
  readonly coverUsd: Float64Array;
}

/** Covers of several regions, and those of one as a column. */
export interface CoverIndex {
  /** By model × region: micro-tokens/s that must be there, 0 where nothing must. */
  readonly local: Float64Array;
  readonly localUsd: Float64Array;
  /** Positions in `task.covers` of those of several regions, by model. */
  readonly joint: readonly (readonly number[])[];
  /** By cover × region: 1 where the region counts. */
  readonly includes: Uint8Array;
}

/**
 * With one region all covers of a model are of that region, and where none may fall short the
 * largest is all that counts.
 */
export function indexCovers({ covers, models: M, regions: R }: PlacementTask, elastic: boolean): CoverIndex {
  const local = new Float64Array(M * R);
  const localUsd = new Float64Array(M * R).fill(Infinity);
  const joint: number[][] = Array.from({ length: M }, () => []);
  const includes = new Uint8Array(covers.length * R);
  for (const [c, cover] of covers.entries()) {
    for (const r of cover.regions) includes[c * R + r] = 1;
    const only = cover.model * R + cover.regions[0];
    if (cover.regions.length === 1 && (cover.kind === 'local-service' || !elastic)) {
      local[only] = Math.max(local[only], cover.required);
      localUsd[only] = cover.shortage[0].usdPerMicro;
    } else joint[cover.model].push(c);
  }
  return { local, localUsd, joint, includes };
}

/** What the prices alone lead to. */
export interface Relaxed {
  /** No plan costs less. */
  readonly bound: number;
  readonly counts: Float64Array;
  /**
   * How far each cover is from what it needs, and each cell's GPUs from their cap; positive is too
   * little, or too much used.
   */
  readonly coverMissing: Float64Array;
  readonly gpuExcess: Float64Array;
}

/**
 * Lagrangian relaxation: at given prices, regions and models decide apart. Held, Wolfe and Crowder,
 * Validation of subgradient optimization (1974). `elastic` lets covers fall short at their prices.
 */
export function createRelaxation(
  task: PlacementTask,
  index: CoverIndex,
  elastic: boolean,
): (prices: Prices) => Relaxed {
  const { models: M, regions: R, skus: K, covers, capacity, gpus, gpuCapacity } = task;
  const regional = new RegionalCover(task);
  const counts = new Float64Array(M * R * K);
  const coverMissing = new Float64Array(covers.length);
  const gpuExcess = new Float64Array(R * K);
  return ({ gpuUsd, coverUsd }) => {
    let bound = 0;
    for (let at = 0; at < R * K; at++) {
      gpuExcess[at] = gpuCapacity[at] === Infinity ? 0 : -gpuCapacity[at];
      if (gpuCapacity[at] < Infinity) bound -= gpuUsd[at] * gpuCapacity[at];
    }
    for (let m = 0; m < M; m++) {
      for (const c of index.joint[m]) {
        coverMissing[c] = covers[c].required;
        bound += coverUsd[c] * covers[c].required;
        if (!elastic) continue;
        for (const step of covers[c].shortage) {
          if (step.usdPerMicro >= coverUsd[c]) continue;
          coverMissing[c] -= step.most;
          bound += (step.usdPerMicro - coverUsd[c]) * step.most;
        }
      }
      for (let r = 0; r < R; r++) {
        let tokenUsd = 0;
        for (const c of index.joint[m]) if (index.includes[c * R + r] === 1) tokenUsd += coverUsd[c];
        const mr = m * R + r;
        regional.solve(m, r, index.local[mr], tokenUsd, gpuUsd, r * K, elastic ? index.localUsd[mr] : Infinity);
        bound += regional.bound;
        let tokens = 0;
        for (let k = 0; k < K; k++) {
          const count = regional.counts[k];
          counts[mr * K + k] = count;
          tokens += count * capacity[m * K + k];
          if (gpuCapacity[r * K + k] < Infinity) gpuExcess[r * K + k] += count * gpus[m * K + k];
        }
        for (const c of index.joint[m]) if (index.includes[c * R + r] === 1) coverMissing[c] -= tokens;
      }
    }
    return { bound, counts, coverMissing, gpuExcess };
  };
}

/**
 * Prices to start from: for each joint cover that of its marginal instance if nothing else
 * mattered, and no price on GPUs.
 */
export function firstPrices(task: PlacementTask, index: CoverIndex): Prices {
  const { models: M, regions: R, skus: K, covers, capacity, current, upper } = task;
  const coverUsd = new Float64Array(covers.length);
  for (let m = 0; m < M; m++) {
    for (const c of index.joint[m]) {
      if (covers[c].kind === 'residency') continue;
      const steps: { ratio: number; tokens: number }[] = [];
      for (let k = 0; k < K; k++) {
        const tokens = capacity[m * K + k];
        if (tokens === 0) continue;
        let held = 0;
        let more = 0;
        for (let r = 0; r < R; r++) {
          if (index.includes[c * R + r] === 0) continue;
          const e = (m * R + r) * K + k;
          held += Math.min(current[e], upper[e]);
          more += Math.max(0, upper[e] - current[e]);
        }
        steps.push(
          { ratio: task.belowUsd[m * K + k] / tokens, tokens: held * tokens },
          { ratio: task.aboveUsd[m * K + k] / tokens, tokens: more * tokens },
        );
      }
      steps.sort((a, b) => a.ratio - b.ratio);
      let open = covers[c].required;
      for (const { ratio, tokens } of steps) {
        if (open <= 0) break;
        open -= tokens;
        coverUsd[c] = Math.max(0, ratio);
      }
    }
  }
  return { gpuUsd: new Float64Array(R * K), coverUsd };
}
