import { maxOf, type PlacementProblem, type PlacementSolution } from '@sageserve/core';

/** Why a plan is as it is, a sentence for each change, shortfall and large flow, in plain words. */
export function explainPlan(problem: PlacementProblem, solution: PlacementSolution): string[] {
  const { models, regions, skus } = problem;
  if (solution.target === undefined) return [`No plan: ${solution.status}.`, ...(solution.notes ?? [])];
  const lines: string[] = [];
  const peakOf = (m: number, r: number): number => maxOf(problem.demandTokensPerS.map((window) => window.at(m, r, 0)));
  for (const [m, model] of models.entries()) {
    for (const [r, region] of regions.entries()) {
      for (const [k, sku] of skus.entries()) {
        const held = problem.current.at(m, r, k);
        const target = solution.target.at(m, r, k);
        if (target === held) continue;
        const each = problem.tokensPerSPerInstance.at(m, 0, k);
        const why =
          each === 0 ? `${model} cannot run there` : target > held ? whyMore(m, r, k, each) : whyFewer(m, r, k, each);
        lines.push(`${target > held ? '+' : '−'}${Math.abs(target - held)} ${model} on ${sku} in ${region}: ${why}`);
      }
    }
  }
  if (lines.length === 0) lines.push('Nothing changes: what is held serves the forecast at the least cost.');
  for (const { kind, modelId, regionId, window, amount, binding } of solution.shortfall ?? []) {
    const what = kind === 'min-instances' ? `${amount} instances` : `${tokens(amount)} of ${kind} demand`;
    lines.push(
      `Short of ${what} for ` +
        `${modelId}${regionId === undefined ? '' : ` in ${regionId}`}${window === undefined ? '' : `, window ${window + 1}`}: ` +
        (binding.length === 0
          ? 'more instances would cost more than the price of what is unmet'
          : 'no room, since of ' +
            `${binding.slice(0, 3).join(', ')}${binding.length > 3 ? ` and ${binding.length - 3} more` : ''}`),
    );
  }
  return lines;

  function carriedBy(m: number, counts: (k: number) => number): number {
    let sum = 0;
    for (let k = 0; k < skus.length; k++) sum += counts(k) * problem.tokensPerSPerInstance.at(m, 0, k);
    return sum;
  }

  /** Tokens/s of other regions that a region serves at its busiest. */
  function fromElsewhere(m: number, r: number): { readonly tokensPerS: number; readonly origin: number } {
    let most = { tokensPerS: 0, origin: -1 };
    for (const grid of solution.flowTokensPerS ?? [])
      for (let from = 0; from < regions.length; from++)
        if (from !== r && grid.at(m, from, r) > most.tokensPerS)
          most = { tokensPerS: grid.at(m, from, r), origin: from };
    return most;
  }

  function whyMore(m: number, r: number, k: number, each: number): string {
    const local = problem.localShare * peakOf(m, r);
    const heldCarries = carriedBy(m, (sku) => problem.current.at(m, r, sku));
    const held = problem.current.at(m, r, k);
    const minimum = problem.minInstances.at(m, r, k);
    const needed = Math.ceil((local - (heldCarries - held * each)) / each);
    // What demand asks for explains no more than itself.
    if (held < minimum && needed <= minimum && solution.target!.at(m, r, k) === minimum)
      return `the minimum is ${minimum}, ${held} ${held === 1 ? 'is' : 'are'} held`;
    if (heldCarries < local) {
      return (
        'local peak ' +
        `${tokens(peakOf(m, r))}${
          problem.localShare < 1 ? `, ${Math.round(100 * problem.localShare)} % of it ` + 'servable here,' : ''
        } ` +
        `needs ${needed}, ${held} ${held === 1 ? 'is' : 'are'} held`
      );
    }
    const inflow = fromElsewhere(m, r);
    if (inflow.tokensPerS > 0)
      return `serves ${tokens(inflow.tokensPerS)} of ${regions[inflow.origin]} beside its own ${tokens(peakOf(m, r))}`;
    if (skus.some((_, other) => solution.target!.at(m, r, other) < problem.current.at(m, r, other)))
      return `takes the place of another SKU, at less cost`;
    const heldByAll = regions.reduce(
      (sum, _, region) => sum + carriedBy(m, (sku) => problem.current.at(m, region, sku)),
      0,
    );
    const waits = (problem.deferrable ?? []).some((work) => work.modelId === models[m] && work.tokens > 0);
    if (waits && globalPeak(m) <= heldByAll)
      return 'work that can wait is to be served too, and what is held is too little for both';
    return `all regions together peak at ${tokens(globalPeak(m))}, more than is held`;
  }

  function whyFewer(m: number, r: number, k: number, each: number): string {
    if (skus.some((_, other) => solution.target!.at(m, r, other) > problem.current.at(m, r, other)))
      return 'another SKU takes its place, at less cost';
    const carries = carriedBy(m, (sku) => solution.target!.at(m, r, sku));
    const peak = peakOf(m, r);
    const target = solution.target!.at(m, r, k);
    const least = target > 0 && target === problem.minInstances.at(m, r, k) ? ` (${target} is the minimum)` : '';
    if (carries >= peak)
      return (
        `local peak ${tokens(peak)} needs ${Math.ceil(Math.max(0, peak - (carries - target * each)) / each)}, ` +
        `${problem.current.at(m, r, k)} are held${least}`
      );
    return `${tokens(peak - carries)} of its peak of ${tokens(peak)} is served by other regions`;
  }

  function globalPeak(m: number): number {
    return maxOf(problem.demandTokensPerS.map((window) => regions.reduce((sum, _, r) => sum + window.at(m, r, 0), 0)));
  }
}

function tokens(perS: number): string {
  return perS >= 10_000
    ? `${Math.round(perS / 1_000)} k tokens/s`
    : `${Math.round(perS).toLocaleString('en-US')} tokens/s`;
}
