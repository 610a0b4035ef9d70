import {
  answered,
  type BatchScheduler,
  type DeploymentPerformance,
  type IndexedMinHeap,
  InvariantError,
  PolicyContractError,
  type RequestView,
} from '@sageserve/core';
import { Batch } from './batch.js';
import type { EngineOptions } from './engine-options.js';
import { iterationsUntil, runMs } from './iteration-runs.js';
import { LateTokens } from './late-tokens.js';
import type { ModelWork } from './model-work.js';
import {
  AWAITS_DECODE,
  FIRST_TOKEN_AT,
  KEPT_UNTIL,
  LAST_ITERATION,
  OUTPUT,
  PREFILLED,
  PRIORITY,
  PROMPT,
  RECOMPUTE,
  type RequestTable,
  SEQUENCE,
  STARTED_AT,
} from './request-table.js';

/** What the engine tells its host. */
export interface EngineListener {
  /** A request produced its last token. The slot is free again when this returns. */
  onComplete(slot: number, instance: number, nowMs: number): void;
  /** All of an event's work is done; `completions` requests left the instance in it. */
  onSettled(instance: number, completions: number, nowMs: number): void;
}

/**
 * Phases of an instance. `install` and `takeAll` make it idle from any of them; a request that is
 * handed to it always joins the queue first.
 *
 * | phase      | what may happen in it                        | what ends it                      |
 * | ---------- | -------------------------------------------- | --------------------------------- |
 * | idle       | nothing is held and no event is due          | a request: an iteration begins    |
 * | decoding   | a run of decodes; a request that fits cuts   | its event, at the end of the run, |
 * |            | it at the next end of an iteration           | cut or whole: a boundary          |
 * | prefilling | an iteration with prompts, decodes beside,   | its event, at the end of the      |
 * |            | or several that one prompt fills with its    | iterations: a boundary            |
 * |            | chunks; a request waits for their end        |                                   |
 * | boundary   | no time passes: prompts are done, requests   | the next iteration or run begins: |
 * |            | end, waiting ones are let in or put back; a  | prefilling, decoding, or idle     |
 * |            | request is seen by the iteration to come     | where nothing is left             |
 */
const IDLE = 0;
const DECODING = 1;
const PREFILLING = 2;
const BOUNDARY = 3;

/** Numbers kept of an instance, together: every event reads and writes most of them. */
const STRIDE = 16;
const PHASE = 0;
/** KV tokens in use or set aside, as of the instance's last event. */
const KV_USED = 1;
const KV_CAPACITY = 2;
/**
 * KV tokens as a line in time, base + rate × now: a run of decodes adds tokens at a steady rate.
 */
const KV_BASE = 3;
const KV_RATE = 4;
/** Decode iterations done since the instance was last empty. */
const ITERATION = 5;
/** Context tokens of the running requests, in total. */
const CONTEXT = 6;
const RUN_START_MS = 7;
const RUN_ITERATIONS = 8;
const RUN_FIRST_MS = 9;
const RUN_SLOPE_MS = 10;
const QUEUED_REQUESTS = 11;
const RUNNING_REQUESTS = 12;
/** Tokens and requests that an iteration may take, kept while the slot is the same endpoint's. */
const MAX_TOKENS = 13;
const MAX_REQUESTS = 14;
/** Tokens that memory was ever given to, under `growth`. */
const KV_GIVEN = 15;

/** Tokens of a block of vLLM's memory. */
const KV_BLOCK = 16;

/**
 * Iteration-level continuous batching on many instances, in closed form: an instance has one event,
 * the end of its current iteration or of a run of decode iterations, and a running request is known
 * by the iteration at which it ends. An arrival that can be admitted cuts a run at the next
 * iteration boundary. During a run the iteration time changes linearly with the KV tokens held:
 * exact for models that are linear between the run's two ends. Chunks of one prompt that fill their
 * iterations are such a run too.
 */
export class InstanceEngine {
  /** Prompt tokens assigned and not prefilled, plus one for each unfinished request. */
  readonly outstandingTokens: Float64Array;
  /** Sum over the instances that are in a pool, kept so that a router reads it in O(1). */
  readonly poolQueuedTokens: Float64Array;
  /** Pool that an instance counts towards, −1 for none. */
  readonly poolOf: Int32Array;
  /** Requests put back and computed again because KV memory ran out. */
  preemptions = 0;
  /** Iterations executed, over all instances. */
  iterations = 0;

  readonly #requests: RequestTable;
  readonly #events: IndexedMinHeap;
  readonly #listener: EngineListener;
  readonly #scheduler: BatchScheduler;
  readonly #view: (slot: number) => RequestView;
  readonly #batches: Batch[] = [];
  readonly #state: Float64Array;
  readonly #maxBatchRequests: number;
  readonly #chunked: boolean;
  readonly #reserve: boolean;
  readonly #watermark: number;
  readonly #keeps: boolean;
  /** Counts them where a tier has an objective on the time between tokens. */
  readonly #late: LateTokens | undefined;
  /** KV tokens of a pool: its instances' lines added up. */
  readonly #poolKvBase: Float64Array;
  readonly #poolKvRate: Float64Array;

  constructor(init: {
    instances: number;
    pools: number;
    options: EngineOptions;
    requests: RequestTable;
    events: IndexedMinHeap;
    scheduler: BatchScheduler;
    /** A borrowed view of a request, for schedulers that ask. */
    view: (slot: number) => RequestView;
    listener: EngineListener;
    /** Longest time between tokens by tier (ms), `Infinity` for any: longer ones are counted. */
    slowMs?: Float64Array | undefined;
  }) {
    const n = init.instances;
    this.#maxBatchRequests = init.options.maxBatchRequests;
    this.#chunked = init.options.chunkedPrefill;
    this.#reserve = init.options.kvAllocation === 'reserve';
    this.#watermark = init.options.kvWatermark;
    this.#keeps = init.options.keepsPutBack;
    this.#late = init.slowMs === undefined ? undefined : new LateTokens(n, init.slowMs, init.requests);
    this.#requests = init.requests;
    this.#events = init.events;
    this.#scheduler = init.scheduler;
    this.#view = init.view;
    this.#listener = init.listener;
    this.#state = new Float64Array(n * STRIDE);
    this.outstandingTokens = new Float64Array(n);
    this.#poolKvBase = new Float64Array(init.pools);
    this.#poolKvRate = new Float64Array(init.pools);
    this.poolQueuedTokens = new Float64Array(init.pools);
    this.poolOf = new Int32Array(n).fill(-1);
  }

  /**
   * Prepares a slot for a new instance that counts towards `pool` and whose iterations take
   * `maxBatchTokens`.
   */
  install(instance: number, pool: number, performance: DeploymentPerformance, maxBatchTokens: number): void {
    const batch = (this.#batches[instance] ??= new Batch(this.#requests, performance));
    batch.performance = performance;
    const at = instance * STRIDE;
    this.#state.fill(0, at, at + STRIDE);
    this.#state[at + KV_CAPACITY] = performance.kvCapacityTokens;
    this.#state[at + MAX_TOKENS] = maxBatchTokens;
    this.#state[at + MAX_REQUESTS] = this.#chunked
      ? Math.min(this.#maxBatchRequests, maxBatchTokens - 1)
      : this.#maxBatchRequests;
    this.outstandingTokens[instance] = 0;
    this.#late?.install(instance);
    this.poolOf[instance] = pool;
  }

  /**
   * KV tokens in use or set aside, as of the instance's last event; {@link kvTokens} has what a run
   * has added since.
   */
  kvUsed(instance: number): number {
    return this.#state[instance * STRIDE + KV_USED];
  }

  kvCapacity(instance: number): number {
    return this.#state[instance * STRIDE + KV_CAPACITY];
  }

  queuedRequests(instance: number): number {
    return this.#state[instance * STRIDE + QUEUED_REQUESTS];
  }

  runningRequests(instance: number): number {
    return this.#state[instance * STRIDE + RUNNING_REQUESTS];
  }

  /** Takes an instance out of its pool (it drains) or puts it back. */
  setPool(instance: number, pool: number): void {
    const old = this.poolOf[instance];
    if (old === pool) return;
    const queued = this.#queuedPromptTokens(instance);
    const base = this.#state[instance * STRIDE + KV_BASE];
    const rate = this.#state[instance * STRIDE + KV_RATE];
    if (old >= 0) {
      this.#poolKvBase[old] -= base;
      this.#poolKvRate[old] -= rate;
      this.poolQueuedTokens[old] -= queued;
    }
    if (pool >= 0) {
      this.#poolKvBase[pool] += base;
      this.#poolKvRate[pool] += rate;
      this.poolQueuedTokens[pool] += queued;
    }
    this.poolOf[instance] = pool;
  }

  /** KV tokens in use at `nowMs`: those at the last event and what decoding has added since. */
  kvTokens(instance: number, nowMs: number): number {
    const state = this.#state;
    return state[instance * STRIDE + KV_BASE] + state[instance * STRIDE + KV_RATE] * nowMs;
  }

  /** KV tokens in use over the instances of a pool at `nowMs`. */
  poolKvTokens(pool: number, nowMs: number): number {
    const tokens = this.#poolKvBase[pool] + this.#poolKvRate[pool] * nowMs;
    return tokens > 0 ? tokens : 0;
  }

  isIdle(instance: number): boolean {
    return this.#state[instance * STRIDE + PHASE] === IDLE;
  }

  /** Whether the instance holds any request, waiting or running. */
  hasWork(instance: number): boolean {
    return this.outstandingTokens[instance] > 0;
  }

  /** Hands a request to an instance. */
  assign(instance: number, slot: number, nowMs: number): void {
    const key = this.#scheduler.priority(this.#view(slot), nowMs);
    if (!Number.isFinite(key)) throw schedulerBreach(this.#scheduler, key);
    const doubles = this.#requests.doubles;
    const state = this.#state;
    const at = instance * STRIDE;
    const batch = this.#batches[instance];
    const prompt = doubles[slot + PROMPT];
    doubles[slot + PRIORITY] = key;
    state[at + QUEUED_REQUESTS]++;
    this.outstandingTokens[instance] += prompt + 1;
    const pool = this.poolOf[instance];
    if (pool >= 0) this.poolQueuedTokens[pool] += prompt;
    batch.waiting.push(key, doubles[slot + SEQUENCE], slot);
    const phase = state[at + PHASE];
    if (phase === IDLE) {
      this.#begin(instance, batch, nowMs);
      this.#report(instance, batch, nowMs);
    } else if (phase === DECODING && state[at + RUN_ITERATIONS] > 1 && this.#headFits(at, batch)) {
      this.#cut(instance, nowMs);
    }
  }

  /** Takes the requests that wait and have not begun from an instance, in no particular order. */
  takeWaiting(instance: number): number[] {
    const requests = this.#requests;
    const waiting = this.#batches[instance].waiting;
    const taken: number[] = [];
    const kept: number[] = [];
    while (waiting.size > 0) {
      const slot = waiting.pop();
      if (requests.awaitsDecode[slot] === 1) kept.push(slot);
      else taken.push(slot);
    }
    for (const slot of kept) waiting.push(requests.priorityKey[slot], requests.sequence[slot], slot);
    let tokens = 0;
    for (const slot of taken) tokens += requests.promptTokens[slot] + requests.recomputeTokens[slot];
    this.#state[instance * STRIDE + QUEUED_REQUESTS] -= taken.length;
    this.outstandingTokens[instance] -= tokens + taken.length;
    const pool = this.poolOf[instance];
    if (pool >= 0) this.poolQueuedTokens[pool] -= tokens;
    return taken;
  }

  /**
   * Empties an instance that is lost, in whatever phase it is, and returns the requests that it
   * held in order of arrival. It must be in no pool.
   */
  takeAll(instance: number): number[] {
    if (this.poolOf[instance] >= 0) throw new InvariantError(`instance ${instance} is emptied while it is in a pool`);
    const { waiting, running, prefilling, prefillCount } = this.#batches[instance];
    const taken: number[] = [...prefilling.subarray(0, prefillCount)];
    while (waiting.size > 0) taken.push(waiting.pop());
    while (running.size > 0) taken.push(running.pop());
    this.#batches[instance].prefillCount = 0;
    this.outstandingTokens[instance] = 0;
    const at = instance * STRIDE;
    // What an instance holds and does goes, what it is stays.
    const was = this.#state.slice(at, at + STRIDE);
    this.#state.fill(0, at, at + STRIDE);
    for (const fact of [KV_CAPACITY, MAX_TOKENS, MAX_REQUESTS]) this.#state[at + fact] = was[fact];
    this.#events.set(instance, Infinity);
    return taken.sort((a, b) => this.#requests.sequence[a] - this.#requests.sequence[b]);
  }

  /** Carries out the event that is due on an instance. */
  advance(instance: number, nowMs: number): void {
    const state = this.#state;
    const at = instance * STRIDE;
    const batch = this.#batches[instance];
    const running = batch.running;
    const wasPrefill = state[at + PHASE] === PREFILLING;
    const steps = state[at + RUN_ITERATIONS];
    const grown = steps * running.size;
    const iteration = state[at + ITERATION] + steps;
    state[at + PHASE] = BOUNDARY;
    state[at + ITERATION] = iteration;
    state[at + CONTEXT] += grown;
    if (!this.#reserve) {
      state[at + KV_USED] += grown;
      state[at + KV_GIVEN] += grown;
    }
    this.iterations += steps;
    if (this.#late !== undefined) this.#late.count(instance, steps, state[at + RUN_FIRST_MS], state[at + RUN_SLOPE_MS]);
    let completions = 0;
    if (wasPrefill) completions = this.#finishPrefills(instance, batch, iteration, nowMs);
    while (running.topKey() <= iteration) {
      const slot = running.pop();
      const doubles = this.#requests.doubles;
      const tokens = doubles[slot + PROMPT] + doubles[slot + OUTPUT];
      state[at + CONTEXT] -= tokens;
      state[at + KV_USED] -= tokens;
      this.#complete(instance, slot, nowMs);
      completions++;
    }
    this.#begin(instance, batch, nowMs);
    this.#report(instance, batch, nowMs);
    this.#listener.onSettled(instance, completions, nowMs);
  }

  /**
   * Moves finished prompts on to decoding; returns how many requests were done with their first
   * token.
   */
  #finishPrefills(instance: number, batch: Batch, iteration: number, nowMs: number): number {
    const state = this.#state;
    const at = instance * STRIDE;
    const { prefilling, chunks, prefillCount } = batch;
    const pool = this.poolOf[instance];
    let completions = 0;
    let kept = 0;
    for (let p = 0; p < prefillCount; p++) {
      const doubles = this.#requests.doubles;
      const slot = prefilling[p];
      const recompute = doubles[slot + RECOMPUTE];
      const prompt = doubles[slot + PROMPT] + recompute;
      const done = doubles[slot + PREFILLED] + chunks[p];
      if (done < prompt) {
        doubles[slot + PREFILLED] = done;
        prefilling[kept++] = slot;
        continue;
      }
      doubles[slot + PREFILLED] = 0;
      this.outstandingTokens[instance] -= prompt;
      if (pool >= 0) this.poolQueuedTokens[pool] -= prompt;
      if (this.#late !== undefined) this.#late.start(instance, slot);
      if (!(doubles[slot + FIRST_TOKEN_AT] >= 0)) doubles[slot + FIRST_TOKEN_AT] = nowMs;
      const left = doubles[slot + OUTPUT] - recompute - 1;
      if (left === 0) {
        state[at + KV_USED] -= prompt + 1;
        this.#complete(instance, slot, nowMs);
        completions++;
      } else if (this.#reserve) {
        this.#requests.ints[slot + AWAITS_DECODE] = 1;
        batch.waiting.push(doubles[slot + PRIORITY], doubles[slot + SEQUENCE], slot);
        state[at + QUEUED_REQUESTS]++;
      } else {
        state[at + CONTEXT] += prompt + 1;
        batch.running.push(iteration, left, slot);
      }
    }
    batch.prefillCount = kept;
    return completions;
  }

  #complete(instance: number, slot: number, nowMs: number): void {
    this.outstandingTokens[instance] -= 1;
    if (this.#late !== undefined) this.#late.end(instance, slot);
    this.#listener.onComplete(slot, instance, nowMs);
    this.#requests.free(slot);
  }

  /** Starts the next iteration or run of iterations at `nowMs`, or goes idle. */
  #begin(instance: number, batch: Batch, nowMs: number): void {
    const chunked = this.#chunked;
    const state = this.#state;
    const at = instance * STRIDE;
    const doubles = this.#requests.doubles;
    const { waiting, running } = batch;
    let admits = true;
    if (!this.#reserve && state[at + KV_USED] + running.size > state[at + KV_CAPACITY]) {
      this.#makeRoom(instance, batch);
      admits = false;
    }
    let prefillTokens = 0;
    let prefillContext = 0;
    let budget = chunked ? state[at + MAX_TOKENS] - running.size : state[at + MAX_TOKENS];
    for (let p = 0; p < batch.prefillCount; p++) {
      const slot = batch.prefilling[p];
      const done = doubles[slot + PREFILLED];
      const chunk = Math.min(budget, doubles[slot + PROMPT] + doubles[slot + RECOMPUTE] - done);
      batch.chunks[p] = chunk;
      budget -= chunk;
      prefillTokens += chunk;
      if (chunk > 0) prefillContext += done;
    }
    while (admits && waiting.size > 0) {
      if (!this.#headFits(at, batch)) {
        if (running.size > 0 || batch.prefillCount > 0 || !this.#evictWaiting(instance)) break;
        continue;
      }
      const slot = waiting.topSlot();
      const prompt = doubles[slot + PROMPT] + doubles[slot + RECOMPUTE];
      if (this.#requests.ints[slot + AWAITS_DECODE] === 1) {
        this.#beginDecode(at, batch, slot, prompt);
        continue;
      }
      if (budget <= 0 || (!chunked && batch.prefillCount > 0 && prompt > budget)) break;
      waiting.pop();
      state[at + QUEUED_REQUESTS]--;
      if (!(doubles[slot + STARTED_AT] >= 0)) doubles[slot + STARTED_AT] = nowMs;
      const done = doubles[slot + PREFILLED] > 0 ? this.#resume(at, slot, prompt) : 0;
      prefillContext += done;
      const chunk = chunked ? Math.min(prompt - done, budget) : prompt - done;
      budget -= chunk;
      prefillTokens += chunk;
      state[at + KV_USED] += prompt + 1;
      state[at + KV_GIVEN] += prompt + 1 - done;
      batch.prefill(slot, chunk);
    }
    const decoding = running.size;
    const count = batch.prefillCount;
    // Nothing refers to the count of iterations: it starts again, so that it stays small however
    // long the instance lives.
    if (decoding === 0) state[at + ITERATION] = 0;
    state[at + RUNNING_REQUESTS] = decoding + count;
    if (prefillTokens > 0) {
      state[at + PHASE] = PREFILLING;
      if (budget === 0 && count === 1 && this.#beginChunks(instance, batch, nowMs)) return;
      const ms = batch.performance.iterationMs(prefillTokens, decoding, state[at + CONTEXT], prefillContext, count);
      state[at + RUN_ITERATIONS] = 1;
      state[at + RUN_FIRST_MS] = ms;
      state[at + RUN_SLOPE_MS] = 0;
      this.#events.set(instance, nowMs + ms);
    } else if (decoding > 0) {
      // Who may not come in now may at the next iteration.
      this.#beginRun(instance, batch, nowMs, !admits && waiting.size > 0 && this.#headFits(at, batch));
    } else {
      if (waiting.size > 0) throw stuck(instance, waiting.size);
      state[at + PHASE] = IDLE;
      this.#events.set(instance, Infinity);
    }
  }

  /**
   * Under `reserve`: a request goes on whose prompt is done, and which waited for memory to decode.
   */
  #beginDecode(at: number, { waiting, running }: Batch, slot: number, prompt: number): void {
    const { doubles, ints } = this.#requests;
    const state = this.#state;
    waiting.pop();
    state[at + QUEUED_REQUESTS]--;
    ints[slot + AWAITS_DECODE] = 0;
    if (this.#late !== undefined) this.#late.waited(at / STRIDE, slot);
    const left = doubles[slot + OUTPUT] - doubles[slot + RECOMPUTE] - 1;
    state[at + KV_USED] += left;
    state[at + CONTEXT] += prompt + 1;
    running.push(state[at + ITERATION], left, slot);
  }

  /**
   * Iterations that one prompt fills with its chunks, up to its end, the next completion, or until
   * KV memory is full: nothing can join them. Returns whether there is more than one.
   */
  #beginChunks(instance: number, batch: Batch, nowMs: number): boolean {
    const state = this.#state;
    const doubles = this.#requests.doubles;
    const at = instance * STRIDE;
    const slot = batch.prefilling[0];
    const chunk = batch.chunks[0];
    const done = doubles[slot + PREFILLED];
    let steps = Math.floor((doubles[slot + PROMPT] + doubles[slot + RECOMPUTE] - done) / chunk);
    const { performance, running } = batch;
    const decoding = running.size;
    // Decodes that joined in this iteration leave less for the next.
    if (chunk + decoding !== state[at + MAX_TOKENS]) return false;
    if (decoding > 0) {
      steps = Math.min(steps, running.topKey() - state[at + ITERATION]);
      if (!this.#reserve)
        steps = Math.min(steps, Math.floor((state[at + KV_CAPACITY] - state[at + KV_USED]) / decoding));
    }
    if (steps < 2) return false;
    const context = state[at + CONTEXT];
    const more = steps - 1;
    const first = performance.iterationMs(chunk, decoding, context, done, 1);
    const last = performance.iterationMs(chunk, decoding, context + more * decoding, done + more * chunk, 1);
    batch.chunks[0] = steps * chunk;
    state[at + RUN_ITERATIONS] = steps;
    state[at + RUN_FIRST_MS] = first;
    state[at + RUN_SLOPE_MS] = (last - first) / more;
    this.#events.set(instance, nowMs + (steps * (first + last)) / 2);
    return true;
  }

  /**
   * A run of decode iterations up to the next completion, or until KV memory is full; of a single
   * one where somebody waits for its end.
   */
  #beginRun(instance: number, batch: Batch, nowMs: number, single: boolean): void {
    const state = this.#state;
    const at = instance * STRIDE;
    const { performance, running } = batch;
    const decoding = running.size;
    const context = state[at + CONTEXT];
    let steps = single ? 1 : running.topKey() - state[at + ITERATION];
    if (!this.#reserve) {
      // #makeRoom left room for one token each, so that a run has at least one iteration.
      steps = Math.min(steps, Math.floor((state[at + KV_CAPACITY] - state[at + KV_USED]) / decoding));
    }
    const first = performance.iterationMs(0, decoding, context, 0, 0);
    const last = steps > 1 ? performance.iterationMs(0, decoding, context + (steps - 1) * decoding, 0, 0) : first;
    state[at + PHASE] = DECODING;
    state[at + RUN_START_MS] = nowMs;
    state[at + RUN_ITERATIONS] = steps;
    state[at + RUN_FIRST_MS] = first;
    state[at + RUN_SLOPE_MS] = steps > 1 ? (last - first) / (steps - 1) : 0;
    this.#events.set(instance, nowMs + (steps * (first + last)) / 2);
  }

  /** Ends the current run at its first iteration boundary at or after `nowMs`. */
  #cut(instance: number, nowMs: number): void {
    const state = this.#state;
    const at = instance * STRIDE;
    const elapsed = nowMs - state[at + RUN_START_MS];
    const first = state[at + RUN_FIRST_MS];
    const slope = state[at + RUN_SLOPE_MS];
    const steps = state[at + RUN_ITERATIONS];
    const m = iterationsUntil(elapsed, steps, first, slope);
    if (m === steps) return;
    state[at + RUN_ITERATIONS] = m;
    this.#events.set(instance, state[at + RUN_START_MS] + runMs(first, slope, m));
  }

  /** Whether the request at the head of the queue could join the batch now. */
  #headFits(at: number, batch: Batch): boolean {
    const busy = batch.running.size + batch.prefillCount;
    if (busy >= this.#state[at + MAX_REQUESTS]) return false;
    const doubles = this.#requests.doubles;
    const slot = batch.waiting.topSlot();
    const recompute = doubles[slot + RECOMPUTE];
    const used = this.#state[at + KV_USED];
    const capacity = this.#state[at + KV_CAPACITY];
    if (this.#requests.ints[slot + AWAITS_DECODE] === 1)
      return used + doubles[slot + OUTPUT] - recompute - 1 <= capacity;
    const need = doubles[slot + PROMPT] + recompute + 1;
    if (this.#reserve || busy === 0) return used + need <= capacity;
    return used + need + busy <= capacity * (1 - this.#watermark);
  }

  /**
   * Under `growth`: puts back requests, lowest priority first, until every remaining one that
   * decodes has room for its next token. One that is half-way through its prompt goes as one that
   * decodes.
   */
  #makeRoom(instance: number, batch: Batch): void {
    const state = this.#state;
    const at = instance * STRIDE;
    const { running, waiting } = batch;
    while (state[at + KV_USED] + running.size > state[at + KV_CAPACITY]) {
      const { doubles, ints } = this.#requests;
      let slot = -1;
      for (const other of running.members()) if (slot === -1 || this.#isBehind(other, slot)) slot = other;
      const place = this.#lastPrompt(batch, slot);
      if (place >= 0) {
        slot = batch.takePrefill(place);
        this.#keep(at, slot, doubles[slot + PREFILLED]);
        state[at + KV_USED] -= doubles[slot + PROMPT] + doubles[slot + RECOMPUTE] + 1;
        this.preemptions++;
      } else {
        const left = ints[slot + LAST_ITERATION] - state[at + ITERATION];
        running.remove(slot);
        const generated = doubles[slot + OUTPUT] - left;
        const held = doubles[slot + PROMPT] + generated;
        state[at + CONTEXT] -= held;
        // The last token has no memory yet: the iteration that was to come would have filled it.
        this.#keep(at, slot, held - 1);
        this.#putBack(instance, slot, generated, held);
      }
      waiting.push(doubles[slot + PRIORITY], doubles[slot + SEQUENCE], slot);
      state[at + QUEUED_REQUESTS]++;
    }
  }

  /**
   * Notes what is in memory of a request that is put back. Free memory is given out first, and then
   * that of its last tokens before that of its first.
   */
  #keep(at: number, slot: number, tokens: number): void {
    const { doubles } = this.#requests;
    const state = this.#state;
    doubles[slot + PREFILLED] = this.#keeps ? tokens : 0;
    doubles[slot + KEPT_UNTIL] = state[at + KV_GIVEN] + state[at + KV_CAPACITY] - state[at + KV_USED];
  }

  /**
   * How much of a request that goes on is still in memory, in whole blocks and never all of it: its
   * last token is computed again, since the next comes of that.
   */
  #resume(at: number, slot: number, prompt: number): number {
    const { doubles } = this.#requests;
    const gone = Math.max(0, this.#state[at + KV_GIVEN] - doubles[slot + KEPT_UNTIL]);
    const kept = Math.max(0, Math.min(doubles[slot + PREFILLED] - gone, prompt - 1));
    return (doubles[slot + PREFILLED] = kept - (kept % KV_BLOCK));
  }

  /** Place of the prompt with the lowest priority of all that is behind `slot`, −1 for none. */
  #lastPrompt({ prefilling, prefillCount }: Batch, slot: number): number {
    let place = -1;
    for (let p = 0; p < prefillCount; p++)
      if (this.#isBehind(prefilling[p], place === -1 ? slot : prefilling[place])) place = p;
    return place;
  }

  /** Whether a request has lower priority than another. */
  #isBehind(slot: number, other: number): boolean {
    const { priorityKey, sequence } = this.#requests;
    return (
      priorityKey[slot] > priorityKey[other] ||
      (priorityKey[slot] === priorityKey[other] && sequence[slot] > sequence[other])
    );
  }

  /**
   * Under `reserve`: prompts that were prefilled and wait to decode can hold all memory between
   * them. Puts back the last of them; returns whether there was one behind the head.
   */
  #evictWaiting(instance: number): boolean {
    const requests = this.#requests;
    const waiting = this.#batches[instance].waiting;
    let last = -1;
    for (let i = 1; i < waiting.size; i++) {
      const slot = waiting.slotAt(i);
      if (requests.awaitsDecode[slot] === 1 && (last === -1 || this.#isBehind(slot, last))) last = slot;
    }
    if (last === -1) return false;
    requests.awaitsDecode[last] = 0;
    const generated = requests.recomputeTokens[last] + 1;
    this.#putBack(instance, last, generated, requests.promptTokens[last] + generated);
    return true;
  }

  #putBack(instance: number, slot: number, generated: number, heldTokens: number): void {
    const requests = this.#requests;
    requests.recomputeTokens[slot] = generated;
    if (this.#late !== undefined) this.#late.end(instance, slot);
    this.#state[instance * STRIDE + KV_USED] -= heldTokens;
    const prompt = requests.promptTokens[slot] + generated;
    this.outstandingTokens[instance] += prompt;
    const pool = this.poolOf[instance];
    if (pool >= 0) this.poolQueuedTokens[pool] += prompt;
    this.preemptions++;
  }

  /**
   * Brings the pool's sum up to date with the instance, which has just begun an iteration or a run.
   */
  #report(instance: number, batch: Batch, nowMs: number): void {
    const state = this.#state;
    const at = instance * STRIDE;
    const phase = state[at + PHASE];
    const growing = !this.#reserve && (phase === DECODING || (phase === PREFILLING && state[at + RUN_ITERATIONS] > 1));
    const rate = growing
      ? (batch.running.size * state[at + RUN_ITERATIONS]) / (this.#events.keys[instance] - nowMs)
      : 0;
    const base = state[at + KV_USED] - rate * nowMs;
    const pool = this.poolOf[instance];
    if (pool >= 0) {
      this.#poolKvBase[pool] += base - state[at + KV_BASE];
      this.#poolKvRate[pool] += rate - state[at + KV_RATE];
    }
    state[at + KV_BASE] = base;
    state[at + KV_RATE] = rate;
  }

  #queuedPromptTokens(instance: number): number {
    // Outstanding counts one more for each request: those that wait, prefill or run.
    return this.outstandingTokens[instance] - this.requestsHeld(instance);
  }

  /**
   * Adds what is done at `nowMs` of the requests that the instance holds to that of their models:
   * O(requests).
   */
  addDone(instance: number, nowMs: number, done: ModelWork): void {
    const requests = this.#requests;
    const { running, prefilling, prefillCount } = this.#batches[instance];
    const at = instance * STRIDE;
    // Memory grows by a token of each in every iteration, and not at all where it is set aside.
    const since = running.size === 0 ? 0 : (this.kvTokens(instance, nowMs) - this.#state[at + KV_USED]) / running.size;
    for (const slot of running.members()) {
      const output = requests.outputTokens[slot];
      const left = requests.lastIteration[slot] - this.#state[at + ITERATION];
      const answered = Math.max(1, Math.min(output, output - left + since));
      done.add(requests.model[slot], requests.promptTokens[slot], answered);
    }
    // A prompt that is computed again has tokens of the answer in it.
    for (const slot of prefilling.subarray(0, prefillCount))
      done.prompt[requests.model[slot]] += Math.min(requests.promptTokens[slot], requests.doubles[slot + PREFILLED]);
  }

  /** Requests that the instance holds in any phase. */
  requestsHeld(instance: number): number {
    const batch = this.#batches[instance];
    return batch === undefined ? 0 : batch.waiting.size + batch.running.size + batch.prefillCount;
  }

  /** KV tokens that the instance's requests account for one by one: for audits, O(requests). */
  auditKvTokens(instance: number): number {
    const requests = this.#requests;
    const { waiting, running, prefilling, prefillCount } = this.#batches[instance];
    let tokens = 0;
    for (const slot of running.members()) {
      const left = this.#reserve ? 0 : requests.lastIteration[slot] - this.#state[instance * STRIDE + ITERATION];
      tokens += requests.promptTokens[slot] + requests.outputTokens[slot] - left;
    }
    for (const slot of prefilling.subarray(0, prefillCount))
      tokens += requests.promptTokens[slot] + requests.recomputeTokens[slot] + 1;
    for (let i = 0; i < waiting.size; i++) {
      const slot = waiting.slotAt(i);
      if (requests.awaitsDecode[slot] === 1) tokens += requests.promptTokens[slot] + requests.recomputeTokens[slot] + 1;
    }
    return tokens;
  }
}

// Apart from the steps: what is inlined into them is what they do every time.

function schedulerBreach({ name }: BatchScheduler, key: number): PolicyContractError {
  return new PolicyContractError(
    `batch scheduler "${name}"`,
    `answered with ${answered(key)}`,
    'priority() returns a finite number.',
  );
}

function stuck(instance: number, waiting: number): InvariantError {
  return new InvariantError(`instance ${instance} has ${waiting} requests waiting and runs none`);
}
