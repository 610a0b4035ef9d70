import { type BatchScheduler, type DeploymentPerformance, type IndexedMinHeap, InvariantError, type RequestView } from '@sageserve/core';
import { PackedHeap } from './packed-heap.js';
import type { RequestTable } from './request-table.js';
import { SlotHeap } from './slot-heap.js';

/** How an instance batches. Every field has a default in {@link DEFAULT_ENGINE}. */
export interface EngineOptions {
  /** Requests that one batch may hold. */
  readonly maxBatchRequests: number;
  /** Tokens that one iteration may take: prompt tokens only, or prompt plus decode tokens with chunked prefill. `Infinity` lifts the limit. */
  readonly maxBatchTokens: number;
  /** Cut prompts into chunks that fill the iteration's token budget, as vLLM does, instead of taking each whole. */
  readonly chunkedPrefill: boolean;
  /**
   * `growth`: KV memory grows by a token per request and iteration, and when it runs out the request of lowest priority is put back and computed again.
   * `reserve`: memory for the whole output is set aside when decoding begins, as the paper's artifact does.
   */
  readonly kvAllocation: 'growth' | 'reserve';
  /** Share (0–1) of KV memory that admission leaves free under `growth`, so that running requests can grow. */
  readonly kvWatermark: number;
}

/** Limits of vLLM V1 on data-centre GPUs. */
export const DEFAULT_ENGINE: EngineOptions = {
  maxBatchRequests: 1_024,
  maxBatchTokens: 8_192,
  chunkedPrefill: false,
  kvAllocation: 'growth',
  kvWatermark: 0.01,
};

/** What the engine tells its host. */
export interface EngineListener {
  /** A request produced its last token. The slot is free again when this returns. */
  onComplete(slot: number, instance: number, nowMs: number): void;
  /** All of an event's work is done; `completions` requests left the instance in it. */
  onSettled(instance: number, completions: number, nowMs: number): void;
}

const IDLE = 0;
const DECODING = 1;
const PREFILLING = 2;
/** Between two iterations: work that joins now is seen by the iteration about to begin. */
const BOUNDARY = 3;

/**
 * Iteration-level continuous batching on many instances, in closed form: an instance has one event, the end of its current iteration or of a run of decode iterations,
 * and a running request is known by the iteration at which it ends. An arrival that can be admitted cuts a run at the next iteration boundary.
 * During a run the iteration time changes linearly with the KV tokens held: exact for models that are linear between the run's two ends.
 */
export class InstanceEngine {
  /** Prompt tokens assigned and not prefilled, plus one for each unfinished request. */
  readonly outstandingTokens: Float64Array;
  readonly queuedRequests: Int32Array;
  readonly runningRequests: Int32Array;
  /** KV tokens in use or set aside, as of the instance's last event; {@link kvTokens} has what a run has added since. */
  readonly kvUsed: Float64Array;
  readonly kvCapacity: Float64Array;
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
  readonly #performance: DeploymentPerformance[] = [];
  readonly #waiting: SlotHeap[] = [];
  readonly #running: PackedHeap[] = [];
  /** Requests being prefilled, `maxBatchRequests` places for each instance as far as they are needed. */
  readonly #prefilling: Int32Array[] = [];
  readonly #chunks: Int32Array[] = [];
  readonly #prefillCount: Int32Array;
  readonly #maxBatchRequests: number;
  readonly #maxBatchTokens: number;
  readonly #chunked: boolean;
  readonly #reserve: boolean;
  readonly #watermark: number;
  readonly #phase: Uint8Array;
  /** An instance's KV tokens as a line in time, base + rate × now: a run of decodes adds tokens at a steady rate. */
  readonly #kvBase: Float64Array;
  readonly #kvRate: Float64Array;
  /** The same for a pool: its instances' lines added up. */
  readonly #poolKvBase: Float64Array;
  readonly #poolKvRate: Float64Array;
  /** Decode iterations done since the instance began. */
  readonly #iteration: Float64Array;
  /** Context tokens of the running requests, in total. */
  readonly #context: Float64Array;
  readonly #runStartMs: Float64Array;
  readonly #runIterations: Float64Array;
  readonly #runFirstMs: Float64Array;
  readonly #runSlopeMs: Float64Array;

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
  }) {
    const n = init.instances;
    this.#maxBatchRequests = init.options.maxBatchRequests;
    this.#maxBatchTokens = init.options.maxBatchTokens;
    this.#chunked = init.options.chunkedPrefill;
    this.#reserve = init.options.kvAllocation === 'reserve';
    this.#watermark = init.options.kvWatermark;
    this.#prefillCount = new Int32Array(n);
    this.#requests = init.requests;
    this.#events = init.events;
    this.#scheduler = init.scheduler;
    this.#view = init.view;
    this.#listener = init.listener;
    this.outstandingTokens = new Float64Array(n);
    this.queuedRequests = new Int32Array(n);
    this.runningRequests = new Int32Array(n);
    this.kvUsed = new Float64Array(n);
    this.kvCapacity = new Float64Array(n);
    this.#poolKvBase = new Float64Array(init.pools);
    this.#poolKvRate = new Float64Array(init.pools);
    this.#kvRate = new Float64Array(n);
    this.poolQueuedTokens = new Float64Array(init.pools);
    this.poolOf = new Int32Array(n).fill(-1);
    this.#phase = new Uint8Array(n);
    this.#kvBase = new Float64Array(n);
    this.#iteration = new Float64Array(n);
    this.#context = new Float64Array(n);
    this.#runStartMs = new Float64Array(n);
    this.#runIterations = new Float64Array(n);
    this.#runFirstMs = new Float64Array(n);
    this.#runSlopeMs = new Float64Array(n);
  }

  /** Prepares a slot for a new instance that counts towards `pool`. */
  install(instance: number, pool: number, performance: DeploymentPerformance): void {
    this.#performance[instance] = performance;
    this.#waiting[instance] ??= new SlotHeap();
    this.#running[instance] ??= new PackedHeap();
    this.#prefilling[instance] ??= new Int32Array(16);
    this.#chunks[instance] ??= new Int32Array(16);
    this.kvCapacity[instance] = performance.kvCapacityTokens;
    this.kvUsed[instance] = 0;
    this.#kvBase[instance] = 0;
    this.#kvRate[instance] = 0;
    this.outstandingTokens[instance] = 0;
    this.#iteration[instance] = 0;
    this.#context[instance] = 0;
    this.#phase[instance] = IDLE;
    this.poolOf[instance] = pool;
  }

  /** Takes an instance out of its pool (it drains) or puts it back. */
  setPool(instance: number, pool: number): void {
    const old = this.poolOf[instance];
    if (old === pool) return;
    const queued = this.#queuedPromptTokens(instance);
    if (old >= 0) {
      this.#poolKvBase[old] -= this.#kvBase[instance];
      this.#poolKvRate[old] -= this.#kvRate[instance];
      this.poolQueuedTokens[old] -= queued;
    }
    if (pool >= 0) {
      this.#poolKvBase[pool] += this.#kvBase[instance];
      this.#poolKvRate[pool] += this.#kvRate[instance];
      this.poolQueuedTokens[pool] += queued;
    }
    this.poolOf[instance] = pool;
  }

  /** KV tokens in use at `nowMs`: those at the last event and what decoding has added since. */
  kvTokens(instance: number, nowMs: number): number {
    return this.#kvBase[instance] + this.#kvRate[instance] * nowMs;
  }

  /** KV tokens in use over the instances of a pool at `nowMs`. */
  poolKvTokens(pool: number, nowMs: number): number {
    const tokens = this.#poolKvBase[pool] + this.#poolKvRate[pool] * nowMs;
    return tokens > 0 ? tokens : 0;
  }

  isIdle(instance: number): boolean {
    return this.#phase[instance] === IDLE;
  }

  /** Whether the instance holds any request, waiting or running. */
  hasWork(instance: number): boolean {
    return this.outstandingTokens[instance] > 0;
  }

  /** Hands a request to an instance. */
  assign(instance: number, slot: number, nowMs: number): void {
    const requests = this.#requests;
    const prompt = requests.promptTokens[slot];
    const key = this.#scheduler.priority(this.#view(slot), nowMs);
    requests.priorityKey[slot] = key;
    this.#waiting[instance].push(key, requests.sequence[slot], slot);
    this.queuedRequests[instance]++;
    this.outstandingTokens[instance] += prompt + 1;
    const pool = this.poolOf[instance];
    if (pool >= 0) this.poolQueuedTokens[pool] += prompt;
    const phase = this.#phase[instance];
    if (phase === IDLE) {
      this.#begin(instance, nowMs);
      this.#report(instance, nowMs);
    } else if (phase === DECODING && this.#runIterations[instance] > 1 && this.#headFits(instance)) {
      this.#cut(instance, nowMs);
    }
  }

  /** Takes the requests that wait and have not begun from an instance, in no particular order. */
  takeWaiting(instance: number): number[] {
    const requests = this.#requests;
    const waiting = this.#waiting[instance];
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
    this.queuedRequests[instance] -= taken.length;
    this.outstandingTokens[instance] -= tokens + taken.length;
    const pool = this.poolOf[instance];
    if (pool >= 0) this.poolQueuedTokens[pool] -= tokens;
    return taken;
  }

  /** Empties an instance that is lost, in whatever phase it is, and returns the requests that it held in order of arrival. It must be in no pool. */
  takeAll(instance: number): number[] {
    if (this.poolOf[instance] >= 0) throw new InvariantError(`instance ${instance} is emptied while it is in a pool`);
    const waiting = this.#waiting[instance];
    const running = this.#running[instance];
    const taken: number[] = [...this.#prefilling[instance].subarray(0, this.#prefillCount[instance])];
    while (waiting.size > 0) taken.push(waiting.pop());
    while (running.size > 0) taken.push(running.pop());
    this.#prefillCount[instance] = 0;
    this.queuedRequests[instance] = 0;
    this.runningRequests[instance] = 0;
    this.outstandingTokens[instance] = 0;
    this.kvUsed[instance] = 0;
    this.#kvBase[instance] = 0;
    this.#kvRate[instance] = 0;
    this.#context[instance] = 0;
    this.#iteration[instance] = 0;
    this.#phase[instance] = IDLE;
    this.#events.set(instance, Infinity);
    return taken.sort((a, b) => this.#requests.sequence[a] - this.#requests.sequence[b]);
  }

  /** Carries out the event that is due on an instance. */
  advance(instance: number, nowMs: number): void {
    const requests = this.#requests;
    const running = this.#running[instance];
    const wasPrefill = this.#phase[instance] === PREFILLING;
    const steps = this.#runIterations[instance];
    const grown = steps * running.size;
    const iteration = this.#iteration[instance] + steps;
    this.#phase[instance] = BOUNDARY;
    this.#iteration[instance] = iteration;
    this.#context[instance] += grown;
    if (!this.#reserve) this.kvUsed[instance] += grown;
    this.iterations += steps;
    let completions = 0;
    if (wasPrefill) completions = this.#finishPrefills(instance, iteration, nowMs);
    while (running.topKey() <= iteration) {
      const slot = running.pop();
      const tokens = requests.promptTokens[slot] + requests.outputTokens[slot];
      this.#context[instance] -= tokens;
      this.kvUsed[instance] -= tokens;
      this.#complete(instance, slot, nowMs);
      completions++;
    }
    this.#begin(instance, nowMs);
    this.#report(instance, nowMs);
    this.#listener.onSettled(instance, completions, nowMs);
  }

  /** Moves finished prompts on to decoding; returns how many requests were done with their first token. */
  #finishPrefills(instance: number, iteration: number, nowMs: number): number {
    const requests = this.#requests;
    const prefilling = this.#prefilling[instance];
    const chunks = this.#chunks[instance];
    const pool = this.poolOf[instance];
    const count = this.#prefillCount[instance];
    let completions = 0;
    let kept = 0;
    for (let p = 0; p < count; p++) {
      const slot = prefilling[p];
      const prompt = requests.promptTokens[slot] + requests.recomputeTokens[slot];
      const done = requests.prefilledTokens[slot] + chunks[p];
      if (done < prompt) {
        requests.prefilledTokens[slot] = done;
        prefilling[kept++] = slot;
        continue;
      }
      requests.prefilledTokens[slot] = 0;
      this.outstandingTokens[instance] -= prompt;
      if (pool >= 0) this.poolQueuedTokens[pool] -= prompt;
      if (!(requests.firstTokenAtMs[slot] >= 0)) requests.firstTokenAtMs[slot] = nowMs;
      const left = requests.outputTokens[slot] - requests.recomputeTokens[slot] - 1;
      if (left === 0) {
        this.kvUsed[instance] -= prompt + 1;
        this.#complete(instance, slot, nowMs);
        completions++;
      } else if (this.#reserve) {
        requests.awaitsDecode[slot] = 1;
        this.#waiting[instance].push(requests.priorityKey[slot], requests.sequence[slot], slot);
        this.queuedRequests[instance]++;
      } else {
        this.#running[instance].push(iteration + left, slot);
        this.#context[instance] += prompt + 1;
      }
    }
    this.#prefillCount[instance] = kept;
    return completions;
  }

  #complete(instance: number, slot: number, nowMs: number): void {
    this.outstandingTokens[instance] -= 1;
    this.#listener.onComplete(slot, instance, nowMs);
    this.#requests.free(slot);
  }

  /** Starts the next iteration or run of iterations at `nowMs`, or goes idle. */
  #begin(instance: number, nowMs: number): void {
    const chunked = this.#chunked;
    const requests = this.#requests;
    const waiting = this.#waiting[instance];
    const running = this.#running[instance];
    let prefilling = this.#prefilling[instance];
    let chunks = this.#chunks[instance];
    if (!this.#reserve) this.#makeRoom(instance);
    let prefillTokens = 0;
    let prefillContext = 0;
    let budget = chunked ? this.#maxBatchTokens - running.size : this.#maxBatchTokens;
    let count = this.#prefillCount[instance];
    for (let p = 0; p < count; p++) {
      const slot = prefilling[p];
      const done = requests.prefilledTokens[slot];
      const chunk = Math.min(budget, requests.promptTokens[slot] + requests.recomputeTokens[slot] - done);
      chunks[p] = chunk;
      budget -= chunk;
      prefillTokens += chunk;
      if (chunk > 0) prefillContext += done;
    }
    while (waiting.size > 0) {
      if (!this.#headFits(instance)) {
        if (running.size > 0 || count > 0 || !this.#evictWaiting(instance)) break;
        continue;
      }
      const slot = waiting.topSlot();
      if (requests.awaitsDecode[slot] === 1) {
        waiting.pop();
        this.queuedRequests[instance]--;
        requests.awaitsDecode[slot] = 0;
        const left = requests.outputTokens[slot] - requests.recomputeTokens[slot] - 1;
        this.kvUsed[instance] += left;
        this.#context[instance] += requests.promptTokens[slot] + requests.recomputeTokens[slot] + 1;
        running.push(this.#iteration[instance] + left, slot);
        continue;
      }
      const prompt = requests.promptTokens[slot] + requests.recomputeTokens[slot];
      if (budget <= 0 || (!chunked && count > 0 && prompt > budget)) break;
      const mustAdmit = running.size === 0 && count === 0;
      if (!mustAdmit && this.#scheduler.admit !== undefined && !this.#schedulerAdmits(instance, slot, budget)) break;
      waiting.pop();
      this.queuedRequests[instance]--;
      if (!(requests.startedAtMs[slot] >= 0)) requests.startedAtMs[slot] = nowMs;
      const chunk = chunked ? Math.min(prompt, budget) : prompt;
      budget -= chunk;
      prefillTokens += chunk;
      this.kvUsed[instance] += prompt + 1;
      if (count === prefilling.length) {
        prefilling = this.#prefilling[instance] = doubled(prefilling);
        chunks = this.#chunks[instance] = doubled(chunks);
      }
      prefilling[count] = slot;
      chunks[count++] = chunk;
      this.#prefillCount[instance] = count;
    }
    const batch = running.size;
    // Nothing refers to the count of iterations: it starts again, so that it stays small however long the instance lives.
    if (batch === 0) this.#iteration[instance] = 0;
    this.runningRequests[instance] = batch + count;
    if (prefillTokens > 0) {
      this.#phase[instance] = PREFILLING;
      this.#runIterations[instance] = 1;
      this.#events.set(instance, nowMs + this.#performance[instance].iterationMs(prefillTokens, batch, this.#context[instance], prefillContext, count));
    } else if (batch > 0) {
      this.#beginRun(instance, batch, nowMs);
    } else {
      if (waiting.size > 0) throw new InvariantError(`instance ${instance} has ${waiting.size} requests waiting and runs none`);
      this.#phase[instance] = IDLE;
      this.#events.set(instance, Infinity);
    }
  }

  /** A run of decode iterations up to the next completion, or until KV memory is full. */
  #beginRun(instance: number, batch: number, nowMs: number): void {
    const performance = this.#performance[instance];
    const context = this.#context[instance];
    let steps = this.#running[instance].topKey() - this.#iteration[instance];
    if (!this.#reserve) {
      // #makeRoom left room for one token each, so that a run has at least one iteration.
      steps = Math.min(steps, Math.floor((this.kvCapacity[instance] - this.kvUsed[instance]) / batch));
    }
    const first = performance.iterationMs(0, batch, context, 0, 0);
    const last = steps > 1 ? performance.iterationMs(0, batch, context + (steps - 1) * batch, 0, 0) : first;
    this.#phase[instance] = DECODING;
    this.#runStartMs[instance] = nowMs;
    this.#runIterations[instance] = steps;
    this.#runFirstMs[instance] = first;
    this.#runSlopeMs[instance] = steps > 1 ? (last - first) / (steps - 1) : 0;
    this.#events.set(instance, nowMs + (steps * (first + last)) / 2);
  }

  /** Ends the current run at its first iteration boundary at or after `nowMs`. */
  #cut(instance: number, nowMs: number): void {
    const elapsed = nowMs - this.#runStartMs[instance];
    const first = this.#runFirstMs[instance];
    const slope = this.#runSlopeMs[instance];
    const steps = this.#runIterations[instance];
    // Time of m iterations is slope/2 · m² + (first − slope/2) · m; the estimate is then corrected for rounding.
    let m: number;
    if (slope === 0) m = Math.ceil(elapsed / first);
    else {
      const b = first - slope / 2;
      m = Math.ceil((2 * elapsed) / (b + Math.sqrt(b * b + 2 * slope * elapsed)));
    }
    m = Math.min(steps, Math.max(1, m));
    while (m > 1 && runMs(first, slope, m - 1) >= elapsed) m--;
    while (m < steps && runMs(first, slope, m) < elapsed) m++;
    if (m === steps) return;
    this.#runIterations[instance] = m;
    this.#events.set(instance, this.#runStartMs[instance] + runMs(first, slope, m));
  }

  /** Whether the request at the head of the queue could join the batch now. */
  #headFits(instance: number): boolean {
    const requests = this.#requests;
    const busy = this.#running[instance].size + this.#prefillCount[instance];
    if (busy >= this.#maxBatchRequests) return false;
    const slot = this.#waiting[instance].topSlot();
    const recompute = requests.recomputeTokens[slot];
    const used = this.kvUsed[instance];
    const capacity = this.kvCapacity[instance];
    if (requests.awaitsDecode[slot] === 1) return used + requests.outputTokens[slot] - recompute - 1 <= capacity;
    const need = requests.promptTokens[slot] + recompute + 1;
    if (this.#reserve || busy === 0) return used + need <= capacity;
    return used + need + busy <= capacity * (1 - this.#watermark);
  }

  #schedulerAdmits(instance: number, slot: number, batchTokens: number): boolean {
    return this.#scheduler.admit!(this.#view(slot), {
      batchSlots: this.#maxBatchRequests - this.#running[instance].size - this.#prefillCount[instance],
      batchTokens,
      kvTokens: this.kvCapacity[instance] - this.kvUsed[instance],
      runningRequests: this.#running[instance].size + this.#prefillCount[instance],
    });
  }

  /** Under `growth`: puts back running requests, lowest priority first, until every remaining one has room for its next token. */
  #makeRoom(instance: number): void {
    const running = this.#running[instance];
    while (this.kvUsed[instance] + running.size > this.kvCapacity[instance]) {
      const requests = this.#requests;
      let victim = 0;
      for (let i = 1; i < running.size; i++) {
        const a = running.slotAt(i);
        const b = running.slotAt(victim);
        const keyA = requests.priorityKey[a];
        const keyB = requests.priorityKey[b];
        if (keyA > keyB || (keyA === keyB && requests.sequence[a] > requests.sequence[b])) victim = i;
      }
      const slot = running.slotAt(victim);
      const left = running.keyAt(victim) - this.#iteration[instance];
      running.removeAt(victim);
      const generated = requests.outputTokens[slot] - left;
      const held = requests.promptTokens[slot] + generated;
      this.#context[instance] -= held;
      this.#putBack(instance, slot, generated, held);
      this.#waiting[instance].push(requests.priorityKey[slot], requests.sequence[slot], slot);
      this.queuedRequests[instance]++;
    }
  }

  /**
   * Under `reserve`: prompts that were prefilled and wait to decode can hold all memory between them. Puts back the last of them; returns whether there was one
   * behind the head.
   */
  #evictWaiting(instance: number): boolean {
    const requests = this.#requests;
    const waiting = this.#waiting[instance];
    let last = -1;
    for (let i = 1; i < waiting.size; i++) {
      const slot = waiting.slotAt(i);
      if (requests.awaitsDecode[slot] === 0) continue;
      if (last === -1) last = slot;
      else {
        const keyA = requests.priorityKey[slot];
        const keyB = requests.priorityKey[last];
        if (keyA > keyB || (keyA === keyB && requests.sequence[slot] > requests.sequence[last])) last = slot;
      }
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
    this.kvUsed[instance] -= heldTokens;
    const prompt = requests.promptTokens[slot] + generated;
    this.outstandingTokens[instance] += prompt;
    const pool = this.poolOf[instance];
    if (pool >= 0) this.poolQueuedTokens[pool] += prompt;
    this.preemptions++;
  }

  /** Brings the pool's sum up to date with the instance, which has just begun an iteration or a run. */
  #report(instance: number, nowMs: number): void {
    const used = this.kvUsed[instance];
    const growing = this.#phase[instance] === DECODING && !this.#reserve;
    const rate = growing ? (this.#running[instance].size * this.#runIterations[instance]) / (this.#events.keys[instance] - nowMs) : 0;
    const base = used - rate * nowMs;
    const pool = this.poolOf[instance];
    if (pool >= 0) {
      this.#poolKvBase[pool] += base - this.#kvBase[instance];
      this.#poolKvRate[pool] += rate - this.#kvRate[instance];
    }
    this.#kvBase[instance] = base;
    this.#kvRate[instance] = rate;
  }

  #queuedPromptTokens(instance: number): number {
    // Outstanding counts one more for each request: those that wait, prefill or run.
    const requestsHeld = this.queuedRequests[instance] + this.#running[instance].size + this.#prefillCount[instance];
    return this.outstandingTokens[instance] - requestsHeld;
  }

  /** Requests that the instance holds in any phase: for audits. */
  requestsHeld(instance: number): number {
    if (this.#waiting[instance] === undefined) return 0;
    return this.#waiting[instance].size + this.#running[instance].size + this.#prefillCount[instance];
  }

  /** KV tokens that the instance's requests account for one by one: for audits, O(requests). */
  auditKvTokens(instance: number): number {
    const requests = this.#requests;
    let tokens = 0;
    const running = this.#running[instance];
    const waiting = this.#waiting[instance];
    for (let i = 0; i < running.size; i++) {
      const slot = running.slotAt(i);
      const left = this.#reserve ? 0 : running.keyAt(i) - this.#iteration[instance];
      tokens += requests.promptTokens[slot] + requests.outputTokens[slot] - left;
    }
    for (const slot of this.#prefilling[instance].subarray(0, this.#prefillCount[instance]))
      tokens += requests.promptTokens[slot] + requests.recomputeTokens[slot] + 1;
    for (let i = 0; i < waiting.size; i++) {
      const slot = waiting.slotAt(i);
      if (requests.awaitsDecode[slot] === 1) tokens += requests.promptTokens[slot] + requests.recomputeTokens[slot] + 1;
    }
    return tokens;
  }
}

function doubled(column: Int32Array): Int32Array {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}

function runMs(first: number, slope: number, m: number): number {
  return m * first + (slope * m * (m - 1)) / 2;
}
