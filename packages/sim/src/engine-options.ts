import {
  ConfigError,
  type EndpointSpec,
  type TierObjective,
  UnknownPolicyError,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from '@sageserve/core';
import { CHUNK_MS, chunkTokens } from '@sageserve/perf';

/** How an instance batches. Every field has a default in {@link DEFAULT_ENGINE}. */
export interface EngineOptions {
  /**
   * Requests that one batch may hold. With chunked prefill never more than the iteration's tokens,
   * less one: a batch that takes them all would leave none for prompts.
   */
  readonly maxBatchRequests: number;
  /**
   * Tokens that one iteration may take: prompt tokens only, or prompt plus decode tokens with
   * chunked prefill. `Infinity` lifts the limit. Where it is undefined, each endpoint has as many
   * as its model and SKU take in `chunkMs`; an endpoint that states its own goes by that.
   */
  readonly maxBatchTokens: number | undefined;
  /**
   * Cut prompts into chunks that fill the iteration's token budget, as vLLM does, instead of taking
   * each whole.
   */
  readonly chunkedPrefill: boolean;
  /**
   * How long an iteration of prompt tokens alone may last (ms), where it decides how many there
   * are.
   */
  readonly chunkMs: number;
  /**
   * `growth`: KV memory grows by a token per request and iteration, and when it runs out the
   * request of lowest priority is put back and computed again. `reserve`: memory for the whole
   * output is set aside when decoding begins, as the paper's artifact does.
   */
  readonly kvAllocation: 'growth' | 'reserve';
  /**
   * Share (0–1) of KV memory that admission leaves free under `growth`, so that running requests
   * can grow.
   */
  readonly kvWatermark: number;
  /**
   * What is still in memory of a request that was put back under `growth` is not computed again, as
   * vLLM's prefix cache has it: its memory is given out last, its end before its beginning.
   */
  readonly keepsPutBack: boolean;
}

/**
 * Engines by name.
 *
 * - `vllm-v1`: what fleets run today. Prompts in chunks beside the decodes; memory is given out to
 *   the last token, and when it runs out the request of lowest priority, decoding or half-way
 *   through its prompt, is put back, and none is let in at that iteration; what is gone of it by
 *   the time that it goes on is computed again. The budget is what an iteration of prompt tokens
 *   takes 150 ms for. Not like vLLM: a request joins the iteration after the one in which it
 *   comes (with asynchronous scheduling, the default since 0.14, often the one after that), memory
 *   is given out by the token (there in blocks of 16), and that of a prompt all at once.
 * - `paper`: arXiv 2502.14617 and engines of its time. Whole prompts, up to 8,192 tokens of them in
 *   an iteration.
 * - `artifact`: the paper's published code. Whole prompts without limit, 512 requests, memory for
 *   all of an answer set aside.
 */
export const ENGINES = {
  'vllm-v1': {
    maxBatchRequests: 1_024,
    maxBatchTokens: undefined,
    chunkedPrefill: true,
    chunkMs: CHUNK_MS,
    kvAllocation: 'growth',
    kvWatermark: 0,
    keepsPutBack: true,
  },
  paper: {
    maxBatchRequests: 1_024,
    maxBatchTokens: 8_192,
    chunkedPrefill: false,
    chunkMs: CHUNK_MS,
    kvAllocation: 'growth',
    kvWatermark: 0.01,
    keepsPutBack: false,
  },
  artifact: {
    maxBatchRequests: 512,
    maxBatchTokens: Infinity,
    chunkedPrefill: false,
    chunkMs: CHUNK_MS,
    kvAllocation: 'reserve',
    kvWatermark: 0.01,
    keepsPutBack: false,
  },
} as const satisfies Readonly<Record<string, EngineOptions>>;

/** Name of an engine whose defaults are known. */
export type EngineName = keyof typeof ENGINES;

/** Names of {@link ENGINES}. */
export const ENGINE_NAMES = Object.keys(ENGINES) as readonly EngineName[];

/** vLLM V1. */
export const DEFAULT_ENGINE: EngineOptions = ENGINES['vllm-v1'];

/** An engine by name, vLLM V1 unless given, and what differs from it. */
export interface EngineChoice extends Partial<EngineOptions> {
  readonly like?: EngineName;
}

/**
 * An engine with its defaults filled in. Throws `ConfigError` with the field's path for one that
 * cannot work, `UnknownPolicyError` for a name that is not known.
 */
export function resolveEngine({ like = 'vllm-v1', ...given }: EngineChoice = {}): EngineOptions {
  if (!Object.hasOwn(ENGINES, like)) throw new UnknownPolicyError('engine', like, ENGINE_NAMES);
  const engine: EngineOptions = { ...ENGINES[like], ...given };
  requireBatch('engine.maxBatchRequests', engine.maxBatchRequests);
  if (engine.maxBatchTokens !== undefined) requireTokens('engine.maxBatchTokens', engine.maxBatchTokens, engine);
  else if (!engine.chunkedPrefill)
    throw new ConfigError('engine.maxBatchTokens', 'is needed where prompts are not cut into chunks', {
      hint: 'The engine "paper" takes 8192.',
    });
  // What is not asked for follows the tokens, as in vLLM; what is asked for has to fit.
  if (engine.chunkedPrefill && given.maxBatchRequests !== undefined && engine.maxBatchTokens !== undefined)
    if (!(engine.maxBatchTokens > engine.maxBatchRequests))
      throw new ConfigError(
        'engine.maxBatchTokens',
        `must be above maxBatchRequests (${engine.maxBatchRequests}) with chunked prefill, or a full batch leaves ` +
          'no room for prompts',
      );
  if (!(engine.chunkMs > 0 && engine.chunkMs < Infinity))
    throw new ConfigError('engine.chunkMs', `must be a finite number above 0, not ${engine.chunkMs}`);
  if (!(engine.kvWatermark >= 0 && engine.kvWatermark < 1))
    throw new ConfigError('engine.kvWatermark', `must be from 0 to under 1, not ${engine.kvWatermark}`);
  return engine;
}

/**
 * Tokens that an iteration of an endpoint's engine takes: its own, the engine's, or what its GPUs
 * manage in time.
 */
export function maxBatchTokensOf(
  { maxBatchTokens, performance }: Pick<EndpointSpec, 'maxBatchTokens' | 'performance'>,
  engine: EngineOptions,
): number {
  return maxBatchTokens ?? engine.maxBatchTokens ?? chunkTokens(performance, engine.chunkMs);
}

/** Throws `ConfigError` for a budget that an engine can't work with. */
export function requireTokens(
  path: string,
  most: number,
  { chunkedPrefill }: Pick<EngineOptions, 'chunkedPrefill'>,
): void {
  requireBatch(path, most);
  if (chunkedPrefill && most < 2)
    throw new ConfigError(path, `must be 2 or more, not ${most}: a prompt goes on beside a request that decodes`);
}

/** Throws `ConfigError` for what is no number of tokens or requests. */
function requireBatch(path: string, most: number): void {
  if (!(most >= 1 && (Number.isInteger(most) || most === Infinity)))
    throw new ConfigError(path, `must be a whole number of 1 or more, not ${most}`);
}

/**
 * Longest times between tokens by tier (ms), `Infinity` for any; undefined where no tier has an
 * objective on them.
 */
export function slowMsOf(objectives: Readonly<Record<WorkloadTier, TierObjective>>): Float64Array | undefined {
  const limits = Float64Array.from(WORKLOAD_TIERS, (tier) => objectives[tier].tbtP95Ms ?? Infinity);
  return limits.every((limit) => limit === Infinity) ? undefined : limits;
}
