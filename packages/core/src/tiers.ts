/**
 * Service class of a request: interactive fast (IW-F), interactive normal (IW-N) or non-interactive
 * (NIW).
 */
export type WorkloadTier = 'interactive-fast' | 'interactive-normal' | 'non-interactive';

/** Every tier, most urgent first. Columns store a tier as its position in this list. */
export const WORKLOAD_TIERS = [
  'interactive-fast',
  'interactive-normal',
  'non-interactive',
] as const satisfies readonly WorkloadTier[];

/** Position of interactive-fast in {@link WORKLOAD_TIERS}. */
export const TIER_INTERACTIVE_FAST = 0;
/** Position of interactive-normal there. */
export const TIER_INTERACTIVE_NORMAL = 1;
/** Position of non-interactive there. */
export const TIER_NON_INTERACTIVE = 2;

/**
 * What counts as success for one tier: a request meets its objective that is within every limit
 * which is given. Without one on its first token it has to end by its deadline.
 */
export interface TierObjective {
  /** Longest time to first token, in milliseconds; undefined where the deadline counts instead. */
  readonly ttftMs: number | undefined;
  /**
   * Longest mean time between the tokens of a request, in milliseconds; any unless given. A request
   * of one token has none.
   */
  readonly tbtMs?: number;
  /**
   * Longest time between tokens that 95 % of those of a request may take, in milliseconds; any
   * unless given.
   */
  readonly tbtP95Ms?: number;
  /** Longest time from arrival to the last token, in milliseconds; any unless given. */
  readonly e2eMs?: number;
  /** Share of requests (0–1) that must meet it. */
  readonly attainmentTarget: number;
  /** Deadline given to a request that brings none, in milliseconds after its arrival. */
  readonly defaultDeadlineMs: number;
}

/** Objectives of the SageServe paper (arXiv 2502.14617, section 2). */
export const DEFAULT_OBJECTIVES: Readonly<Record<WorkloadTier, TierObjective>> = {
  'interactive-fast': { ttftMs: 1_000, attainmentTarget: 0.95, defaultDeadlineMs: 1_000 },
  'interactive-normal': { ttftMs: 60_000, attainmentTarget: 0.95, defaultDeadlineMs: 60_000 },
  'non-interactive': { ttftMs: undefined, attainmentTarget: 1, defaultDeadlineMs: 86_400_000 },
};
