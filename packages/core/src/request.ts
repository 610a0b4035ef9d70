import type { ModelId, RegionIndex } from './ids.js';
import type { WorkloadTier } from './tiers.js';

/**
 * What a policy may know of a request. Borrowed: the host reuses the object, so copy what must
 * outlive the call. The true output length is not in it, and hosts must not let it leak through any
 * other field.
 */
export interface RequestView {
  /** Names it within its host, as long as it is there. */
  readonly requestId: number;
  /** The model that it asks for. */
  readonly modelId: ModelId;
  /** What it is promised. */
  readonly tier: WorkloadTier;
  /** Where it came from, as a position in the view that is passed with it. */
  readonly originRegion: RegionIndex;
  /** When it came, in the host's time (ms). */
  readonly arrivedAtMs: number;
  /** When its objective ends: its first token, or its end where it is non-interactive (ms). */
  readonly deadlineAtMs: number;
  /** Tokens of its prompt: counted, or estimated from its length where `isPromptEstimated`. */
  readonly promptTokens: number;
  /** Whether `promptTokens` is an estimate. */
  readonly isPromptEstimated: boolean;
  /**
   * The limit that the client set on the output, which is usually far above what will be produced;
   * `undefined` where it set none.
   */
  readonly maxOutputTokens: number | undefined;
  /**
   * What makes requests alike: those with one key share a prefix (a conversation, a system
   * prompt), so that an instance that had one has part of the next. `undefined` where nothing is
   * known.
   */
  readonly affinityKey: string | undefined;
  /** How often it was sent before without an answer: 0 the first time. */
  readonly attempt: number;
}
