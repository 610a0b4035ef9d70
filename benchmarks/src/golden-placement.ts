import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelId, PlacementGrid, type PlacementProblem, regionId, skuId } from 'sageserve';

/** A case of the folder, by the schema in its README. */
interface GoldenFile {
  readonly id: string;
  readonly dims: {
    readonly models: number;
    readonly regions: number;
    readonly gpuTypes: number;
    readonly windows: number;
  };
  readonly input: {
    readonly alpha: number[];
    readonly sigma: number[][];
    readonly theta: (number | null)[][];
    readonly gpusPerInstance: (number | null)[][];
    readonly cap: (number | null)[][];
    readonly n: number[][][];
    readonly min: number[][][];
    readonly epsilon: number;
    readonly rho: number[][][];
  };
  readonly expected: {
    readonly status: 'optimal' | 'infeasible' | 'best-known';
    readonly objective: number | null;
    readonly lowerBound?: number;
  };
  readonly solvers?: Readonly<
    Record<
      string,
      { readonly status: string; readonly cpuS?: number; readonly wallS?: number; readonly objective?: number | null }
    >
  >;
}

export interface GoldenPlacement {
  readonly id: string;
  readonly problem: PlacementProblem;
  readonly expected: GoldenFile['expected'];
  readonly solvers: NonNullable<GoldenFile['solvers']>;
}

/** Every case of a folder, in order of its name. */
export function readGoldenPlacements(dir: string): GoldenPlacement[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const file = JSON.parse(readFileSync(join(dir, name), 'utf8')) as GoldenFile;
      return { id: file.id, problem: problemOf(file), expected: file.expected, solvers: file.solvers ?? {} };
    });
}

function problemOf({ dims, input }: GoldenFile): PlacementProblem {
  const { models: M, regions: R, gpuTypes: K, windows: W } = dims;
  const names = (what: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${what}${i + 1}`);
  return {
    models: names('model', M).map(modelId),
    regions: names('region', R).map(regionId),
    skus: names('gpu', K).map(skuId),
    current: grid(M, R, K, (i, j, k) => input.n[i]![j]![k]!),
    minInstances: grid(M, R, K, (i, j, k) => input.min[i]![j]![k]!),
    maxInstances: grid(M, R, K, () => Infinity),
    tokensPerSPerInstance: grid(M, 1, K, (i, _, k) => input.theta[i]![k] ?? 0),
    gpusPerInstance: grid(M, 1, K, (i, _, k) => input.gpusPerInstance[i]![k] ?? 0),
    gpuCapacity: grid(1, R, K, (_, j, k) => input.cap[j]![k] ?? Infinity),
    usdPerInstanceHour: grid(M, 1, K, (_i, _j, k) => input.alpha[k]!),
    startUsd: grid(M, 1, K, (i, _, k) => input.sigma[i]![k] ?? 0),
    demandTokensPerS: Array.from({ length: W }, (_, w) => grid(M, R, 1, (i, j) => input.rho[i]![j]![w]!)),
    localShare: input.epsilon,
  };
}

function grid(
  models: number,
  regions: number,
  skus: number,
  value: (i: number, j: number, k: number) => number,
): PlacementGrid {
  const made = new PlacementGrid(models, regions, skus);
  for (let i = 0; i < models; i++)
    for (let j = 0; j < regions; j++) for (let k = 0; k < skus; k++) made.set(i, j, k, value(i, j, k));
  return made;
}
