import { maxOf, type PlacementProblem } from '@sageserve/core';
import { compare, type Decimal, decimalOf, dividedUp, largest, plus, times, ZERO } from './exact.js';
import { type Cover, MICRO_PLACES, microOf, type PlacementTask, type ShortageStep } from './task.js';

/** What covers are made of: a task that has none yet. */
export type Draft = Pick<
  PlacementTask,
  | 'problem'
  | 'variant'
  | 'models'
  | 'regions'
  | 'skus'
  | 'windows'
  | 'fastShare'
  | 'flowUsd'
  | 'unmetUsd'
  | 'demand'
  | 'due'
>;

/** What capacity each model needs of each set of regions that has to serve by itself. */
export function coversOf(draft: Draft): Cover[] {
  const { problem, variant, regions: R } = draft;
  const share = variant === 'artifact' ? decimalOf(1) : decimalOf(problem.localShare);
  const covers: Cover[] = [];
  for (const [m, model] of problem.models.entries()) {
    for (const [r, region] of problem.regions.entries()) {
      const peak = largest(problem.demandTokensPerS.map((_, w) => worstOf(problem, m, [r], w)));
      const required = microOf(times(share, peak), 'up');
      const shortage: ShortageStep[] = [{ kind: 'local-share', most: required, usdPerMicro: draft.unmetUsd.local }];
      if (required > 0)
        covers.push({
          kind: 'local-service',
          name: `local service of ${model} in ${region}`,
          model: m,
          regions: [r],
          required,
          expected: required,
          shortage,
        });
    }
    if (variant === 'artifact') continue;
    const everywhere = Array.from({ length: R }, (_, r) => r);
    covers.push(...coverOf(draft, m, everywhere, everywhere, 'global-service', `global service of ${model}`));
    for (const allowed of closedSets(draft, m))
      covers.push(
        ...coverOf(
          draft,
          m,
          originsWithin(draft, m, allowed),
          allowed,
          'residency',
          `residency of ${model} in ${allowed.map((r) => problem.regions[r]).join(' + ')}`,
        ),
      );
  }
  return covers;
}

/**
 * What regions `origins` need of regions `serving` at the worst window, deferrable work too where
 * all serve.
 */
function coverOf(
  draft: Draft,
  model: number,
  origins: readonly number[],
  serving: readonly number[],
  kind: Cover['kind'],
  name: string,
): Cover[] {
  const { problem, regions: R } = draft;
  const byWindow = problem.demandTokensPerS.map((_, w) => worstOf(problem, model, origins, w));
  const peak = largest(byWindow);
  const most = microOf(withDue(draft, model, serving, byWindow), 'up');
  const withoutBudget = { ...problem, demandBudget: undefined };
  const expected =
    problem.demandBudget === undefined
      ? most
      : microOf(
          withDue(
            draft,
            model,
            serving,
            byWindow.map((_, w) => worstOf(withoutBudget, model, origins, w)),
          ),
          'up',
        );
  if (most === 0) return [];
  const interactive = microOf(peak, 'up');
  let fast = 0;
  for (const r of origins)
    fast += maxOf(draft.demand.map((window) => window[model * R + r] * draft.fastShare[model * R + r]));
  fast = Math.min(Math.round(fast), interactive);
  const { unmetUsd } = draft;
  const shortage: ShortageStep[] = [
    { kind: 'non-interactive' as const, most: most - interactive, usdPerMicro: unmetUsd.deferrable },
    { kind: 'interactive-normal' as const, most: interactive - fast, usdPerMicro: unmetUsd.normal },
    { kind: 'interactive-fast' as const, most: fast, usdPerMicro: unmetUsd.fast },
  ]
    .filter((step) => step.most > 0)
    .sort((a, b) => a.usdPerMicro - b.usdPerMicro);
  return [{ kind, name, model, regions: serving, required: most, expected, shortage }];
}

/** The peak over windows, or more where deferrable work asks for it. */
function withDue(
  { due, windows: W, regions: R }: Draft,
  model: number,
  serving: readonly number[],
  byWindow: readonly Decimal[],
): Decimal {
  let required = largest(byWindow);
  if (serving.length < R) return required;
  // With one capacity for all windows, work fits before its deadlines if, and only if, what is left
  // over up to each deadline is enough (earliest deadline first).
  let sum = ZERO;
  for (let w = 0; w < W; w++) {
    sum = plus(sum, byWindow[w]);
    const owed = { digits: BigInt(due[model * W + w]), places: MICRO_PLACES };
    if (owed.digits > 0n) required = largest([required, dividedUp(plus(sum, owed), decimalOf(w + 1), MICRO_PLACES)]);
  }
  return required;
}

/**
 * Demand of a model over regions in a window; with a budget Γ, as many of the regions as it says at
 * their worst.
 */
function worstOf(
  problem: Omit<PlacementProblem, 'demandBudget'> & { readonly demandBudget?: number | undefined },
  model: number,
  regions: readonly number[],
  window: number,
): Decimal {
  let sum = ZERO;
  for (const r of regions) sum = plus(sum, decimalOf(problem.demandTokensPerS[window].at(model, r, 0)));
  const { demandExcessTokensPerS: excess, demandBudget: budget } = problem;
  if (excess === undefined || budget === undefined) return sum;
  const worst = regions.map((r) => decimalOf(excess[window].at(model, r, 0))).sort((a, b) => compare(b, a));
  for (const [at, more] of worst.entries())
    if (at < budget) sum = plus(sum, at + 1 <= budget ? more : times(more, decimalOf(budget - at)));
  return sum;
}

/**
 * Most distinct unions of residency sets for which covers are written down; flows find the others.
 */
const MOST_CLOSED_SETS = 64;

/**
 * Unions of the sets of regions that origins allow, but for the whole. Gale's condition: all demand
 * can be served if each of them can carry those origins that allow nothing else.
 */
function closedSets(draft: Draft, model: number): number[][] {
  const { flowUsd, regions: R } = draft;
  if (flowUsd === undefined) return [];
  const setOf = (origin: number): number[] =>
    Array.from({ length: R }, (_, r) => r).filter((r) => flowUsd[(model * R + origin) * R + r] < Infinity);
  const found = new Map<string, number[]>();
  const single = Array.from({ length: R }, (_, r) => setOf(r));
  const queue = [...single];
  while (queue.length > 0 && found.size < MOST_CLOSED_SETS) {
    const set = queue.shift()!;
    if (set.length === R || found.has(set.join())) continue;
    for (const other of [...single, ...found.values()]) {
      const union = [...new Set([...set, ...other])].sort((a, b) => a - b);
      if (!found.has(union.join())) queue.push(union);
    }
    found.set(set.join(), set);
  }
  return [...found.values()];
}

function originsWithin({ flowUsd, regions: R }: Draft, model: number, serving: readonly number[]): number[] {
  const within = (origin: number): boolean => {
    for (let r = 0; r < R; r++)
      if (flowUsd![(model * R + origin) * R + r] < Infinity && !serving.includes(r)) return false;
    return true;
  };
  return Array.from({ length: R }, (_, r) => r).filter(within);
}

/** A cover that residency needs and the task did not write down. */
export function withCover(task: PlacementTask, model: number, serving: readonly number[]): PlacementTask {
  const name =
    `residency of ${task.problem.models[model]} in ` + serving.map((r) => task.problem.regions[r]).join(' + ');
  return {
    ...task,
    covers: [...task.covers, ...coverOf(task, model, originsWithin(task, model, serving), serving, 'residency', name)],
  };
}
