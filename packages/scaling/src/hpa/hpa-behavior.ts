import { ConfigError } from '@sageserve/core';

/** How many pods may be added or removed within a time. */
export interface HpaPolicy {
  /** A number of pods, or a percentage of those that there were when the time began. */
  readonly type: 'pods' | 'percent';
  /** Above 0. */
  readonly value: number;
  /** (ms, above 0.) */
  readonly periodMs: number;
}

/** How fast a workload may change in one direction. */
export interface HpaRules {
  /**
   * Out: the lowest count asked for within this time is taken; in: the highest (ms, 0 or more).
   */
  readonly stabilizationMs: number;
  /** Of several the one that allows most is taken, or least. Without any nothing changes. */
  readonly policies: readonly HpaPolicy[];
  readonly select: 'max' | 'min';
}

/** Kubernetes' defaults: out at once, by four pods or to twice as many every 15 s. */
export const HPA_SCALE_OUT: HpaRules = {
  stabilizationMs: 0,
  policies: [
    { type: 'percent', value: 100, periodMs: 15_000 },
    { type: 'pods', value: 4, periodMs: 15_000 },
  ],
  select: 'max',
};

/** Kubernetes' defaults: in after five minutes, by any number. */
export const HPA_SCALE_IN: HpaRules = {
  stabilizationMs: 300_000,
  policies: [{ type: 'percent', value: 100, periodMs: 15_000 }],
  select: 'max',
};

/** Throws `ConfigError` for rules that are none. */
export function checkRules(path: string, { stabilizationMs, policies }: HpaRules): void {
  if (!(stabilizationMs >= 0 && stabilizationMs < Infinity))
    throw new ConfigError(`${path}.stabilizationMs`, `must be 0 or more milliseconds, not ${stabilizationMs}`);
  for (const [i, { value, periodMs }] of policies.entries()) {
    if (!(value > 0)) throw new ConfigError(`${path}.policies[${i}].value`, `must be above 0, not ${value}`);
    if (!(periodMs > 0)) throw new ConfigError(`${path}.policies[${i}].periodMs`, `must be above 0, not ${periodMs}`);
  }
}

/** A count that was asked for at a time, or a change at a time. */
interface AtTime {
  readonly atMs: number;
  readonly count: number;
}

/** What one workload has been asked to be, as far as the rules look back. */
export interface HpaHistory {
  /** Counts that metrics asked for, the oldest first. */
  readonly recommended: readonly AtTime[];
  /** Instances added, and removed (counts above 0), the oldest first. */
  readonly added: readonly AtTime[];
  readonly removed: readonly AtTime[];
}

/** What counts of a workload are held to. */
export interface HpaBehavior {
  readonly scaleOut: HpaRules;
  readonly scaleIn: HpaRules;
}

/**
 * The history of a workload that is seen for the first time: its count counts as a recommendation,
 * so that nothing is scaled in before a window of readings.
 */
export function firstHistory(nowMs: number, count: number): HpaHistory {
  return { recommended: [{ atMs: nowMs, count }], added: [], removed: [] };
}

/** The history after a change from one count to another, for whatever reason. */
export function withChange(history: HpaHistory, from: number, to: number, nowMs: number): HpaHistory {
  if (to > from) return { ...history, added: [...history.added, { atMs: nowMs, count: to - from }] };
  if (to < from) return { ...history, removed: [...history.removed, { atMs: nowMs, count: from - to }] };
  return history;
}

/**
 * The count that the rules make of one that metrics ask for, within `least` and `most`, and the
 * history after it. `wanted` is what was asked for last. Source: Kubernetes, "Configurable scaling
 * behavior", and `horizontal.go`.
 */
export function behave(
  { scaleOut, scaleIn }: HpaBehavior,
  asked: number,
  wanted: number,
  { least, most }: { readonly least: number; readonly most: number },
  nowMs: number,
  history: HpaHistory,
): { readonly count: number; readonly history: HpaHistory } {
  const after = (changes: readonly AtTime[], ms: number): AtTime[] => changes.filter(({ atMs }) => nowMs - atMs < ms);
  const window = Math.max(scaleOut.stabilizationMs, scaleIn.stabilizationMs);
  const before = after(history.recommended, window);
  const counts = (ms: number): number[] => [asked, ...after(before, ms).map(({ count }) => count)];
  // Out to the lowest of late, in to the highest of late.
  const lowest = Math.min(...counts(scaleOut.stabilizationMs));
  const highest = Math.max(...counts(scaleIn.stabilizationMs));
  const settled = wanted < lowest ? lowest : Math.min(wanted, highest);

  const period = Math.max(0, ...[...scaleOut.policies, ...scaleIn.policies].map(({ periodMs }) => periodMs));
  const added = after(history.added, period);
  const removed = after(history.removed, period);
  const sum = (changes: readonly AtTime[], ms: number): number =>
    after(changes, ms).reduce((all, { count }) => all + count, 0);
  const startOf = ({ periodMs }: HpaPolicy): number => wanted - sum(added, periodMs) + sum(removed, periodMs);
  let count = settled;
  if (settled > wanted) count = Math.min(settled, Math.max(wanted, limit(scaleOut, wanted, 1, startOf)));
  if (settled < wanted) count = Math.max(settled, Math.min(wanted, limit(scaleIn, wanted, -1, startOf)));
  count = Math.min(most, Math.max(least, count));
  const seen = { recommended: [...before, { atMs: nowMs, count: asked }], added, removed };
  return { count, history: withChange(seen, wanted, count, nowMs) };
}

/** How far the policies of one direction allow to go: `sign` 1 is out, −1 in. */
function limit(
  { policies, select }: HpaRules,
  wanted: number,
  sign: 1 | -1,
  startOf: (policy: HpaPolicy) => number,
): number {
  const limits = policies.map((policy) => {
    const start = startOf(policy);
    if (policy.type === 'pods') return start + sign * policy.value;
    const share = start * (1 + (sign * policy.value) / 100);
    return sign === 1 ? Math.ceil(share) : Math.trunc(share);
  });
  if (limits.length === 0) return wanted;
  return (select === 'max') === (sign === 1) ? Math.max(...limits) : Math.min(...limits);
}
