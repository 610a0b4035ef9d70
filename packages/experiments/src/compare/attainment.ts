import { DEFAULT_OBJECTIVES, type TierObjective, type WorkloadTier } from '@sageserve/core';
import type { SimulationResult } from '@sageserve/sim';
import { estimate } from './statistics.js';

/** Attainment of one model and tier, with what it is to be. */
export interface Attainment {
  readonly modelId: string;
  readonly tier: WorkloadTier;
  /** Share (0–1) of its requests that met their objective. */
  readonly attainment: number;
  readonly target: number;
}

/** Of every model and tier that had requests. */
export function attainments(
  { byModel }: SimulationResult,
  objectives: Readonly<Record<WorkloadTier, TierObjective>> = DEFAULT_OBJECTIVES,
): Attainment[] {
  return byModel.flatMap(({ modelId, tier, requests }) =>
    requests.sloAttainment === undefined
      ? []
      : [{ modelId, tier, attainment: requests.sloAttainment, target: objectives[tier].attainmentTarget }],
  );
}

/**
 * Attainment of each model and tier in the mean over runs of one strategy: what it is judged by,
 * since one seed's chance is not the strategy's.
 */
export function meanAttainments(runs: readonly { readonly attainments: readonly Attainment[] }[]): Attainment[] {
  const cells = new Map<string, Attainment[]>();
  for (const one of runs.flatMap(({ attainments: own }) => own)) {
    const key = `${one.modelId}/${one.tier}`;
    const cell = cells.get(key);
    if (cell === undefined) cells.set(key, [one]);
    else cell.push(one);
  }
  return [...cells.values()].map((all) => ({
    ...all[0]!,
    attainment: estimate(all.map(({ attainment }) => attainment))!.mean,
  }));
}

/**
 * The one that has used most of what its objective lets it miss, or missed it by most; undefined
 * where nothing arrived.
 */
export function worstAttainment(all: readonly Attainment[]): Attainment | undefined {
  return all.length === 0 ? undefined : all.reduce((a, b) => (missed(b) > missed(a) ? b : a));
}

/** Whether every model meets every tier's objective: the mean of all hides those that do not. */
export function meetsObjectives(all: readonly Attainment[]): boolean {
  return all.every(({ attainment, target }) => attainment >= target);
}

/** What was missed, in units of what may be: above 1 the objective is not met. */
export function missed({ attainment, target }: Attainment): number {
  if (target < 1) return (1 - attainment) / (1 - target);
  return attainment < 1 ? 1 + LIKE_A_MISS * (1 - attainment) : 0;
}

/** A miss where none is allowed weighs as much as it would where a thousandth may be missed. */
const LIKE_A_MISS = 1_000;
