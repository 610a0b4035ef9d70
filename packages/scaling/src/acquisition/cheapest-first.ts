import type { AcquisitionKind, AcquisitionPolicy, AcquisitionView } from '@sageserve/core';

/** How much has to be done until such an instance serves. */
const RANK: Readonly<Record<AcquisitionKind, number>> = { resume: 0, reclaim: 1, redeploy: 2, 'new-vm': 3 };

/**
 * The least that has to be done first, as in arXiv 2502.14617: what drains goes on, a donated
 * instance with the model's weights, one with another's, a new VM. Of several of a kind the
 * cheapest, then the quickest, then where the most are left: the model that has the most to spare.
 */
export function createCheapestFirstAcquisition(): AcquisitionPolicy {
  return {
    name: 'cheapest-first',
    choose(options) {
      let best = 0;
      for (let o = 1; o < options.count; o++) if (isBefore(options, o, best)) best = o;
      return best;
    },
  };
}

/** Whether a way goes before another; what is not known counts as the worst. */
function isBefore(options: AcquisitionView, a: number, b: number): boolean {
  const rank = RANK[options.kind(a)] - RANK[options.kind(b)];
  if (rank !== 0) return rank < 0;
  const usd = options.usdPerHour(a) ?? Infinity;
  const otherUsd = options.usdPerHour(b) ?? Infinity;
  if (usd !== otherUsd) return usd < otherUsd;
  const ms = options.expectedDelayMs(a) ?? Infinity;
  const otherMs = options.expectedDelayMs(b) ?? Infinity;
  if (ms !== otherMs) return ms < otherMs;
  return (options.available(a) ?? 0) > (options.available(b) ?? 0);
}
