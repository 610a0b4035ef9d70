import { MS_PER_HOUR, TIER_NON_INTERACTIVE } from '@sageserve/core';
import { HeldQueue } from './held-queue.js';
import { DEADLINE_AT, MODEL, PROMPT, REGION_LIST, type RequestTable, TIER } from './request-table.js';

/** Deadlines are counted in steps of this length for telemetry. */
const DUE_STEP_MS = MS_PER_HOUR / 6;

/** How many requests are due in one step. */
interface DueStep {
  readonly step: number;
  count: number;
}

/**
 * Requests by the step of their deadline: kept, since a backlog can hold millions. What comes and
 * what goes is mostly of the same step as the one before.
 */
class DueCounts {
  readonly #steps = new Map<number, DueStep>();
  #lastAdded: DueStep = { step: NaN, count: 0 };
  #lastTaken: DueStep = this.#lastAdded;

  add(deadlineAtMs: number): void {
    const step = Math.floor(deadlineAtMs / DUE_STEP_MS);
    if (this.#lastAdded.step !== step) this.#lastAdded = this.#at(step);
    this.#lastAdded.count++;
  }

  take(deadlineAtMs: number): void {
    const step = Math.floor(deadlineAtMs / DUE_STEP_MS);
    if (this.#lastTaken.step !== step) this.#lastTaken = this.#at(step);
    this.#lastTaken.count--;
  }

  /** Also forgets the steps in which nothing is left. */
  countBy(atMs: number): number {
    let due = 0;
    for (const at of this.#steps.values()) {
      if (at.count === 0 && at !== this.#lastAdded && at !== this.#lastTaken) this.#steps.delete(at.step);
      else if (at.step * DUE_STEP_MS <= atMs) due += at.count;
    }
    return due;
  }

  #at(step: number): DueStep {
    let at = this.#steps.get(step);
    if (at === undefined) {
      at = { step, count: 0 };
      this.#steps.set(step, at);
    }
    return at;
  }
}

export interface ResidencyQueue {
  /** Residency set, −1 for none. */
  readonly list: number;
  readonly queue: HeldQueue;
  /** By region: 1 where they may run; `undefined` where they may run in all. */
  readonly allowed: Uint8Array | undefined;
}

/**
 * Non-interactive requests that wait for room: one queue in deadline order for each model and
 * residency set.
 */
export class HeldRequests {
  /** Requests held, by model. */
  readonly count: Int32Array;
  /** Their prompt tokens, by model. */
  readonly promptTokens: Float64Array;
  readonly #due: readonly DueCounts[];
  readonly #queues: Map<number, ResidencyQueue>[];
  readonly #byRegion: (readonly ResidencyQueue[] | undefined)[][];

  constructor(models: number, regions: number) {
    this.count = new Int32Array(models);
    this.promptTokens = new Float64Array(models);
    this.#due = Array.from({ length: models }, () => new DueCounts());
    this.#queues = Array.from({ length: models }, () => new Map<number, ResidencyQueue>());
    this.#byRegion = Array.from({ length: models }, () => Array.from({ length: regions }, () => undefined));
  }

  /** Takes a request out of the table; `allowed` are the regions of its residency set. */
  hold(requests: RequestTable, slot: number, allowed: Uint8Array | undefined): void {
    const { doubles, ints } = requests;
    const model = ints[slot + MODEL];
    const list = ints[slot + REGION_LIST];
    const queues = this.#queues[model];
    let held = queues.get(list);
    if (held === undefined) {
      held = { list, queue: new HeldQueue(), allowed };
      queues.set(list, held);
      this.#byRegion[model].fill(undefined);
    }
    held.queue.push(requests, slot);
    this.count[model]++;
    this.promptTokens[model] += doubles[slot + PROMPT];
    this.#due[model].add(doubles[slot + DEADLINE_AT]);
    requests.free(slot);
  }

  /**
   * Requests of a model whose deadline is at or before `atMs`, to ten minutes, in whatever region
   * they may run.
   */
  countDueBy(model: number, atMs: number): number {
    return this.#due[model].countBy(atMs);
  }

  earliestDeadlineAtMs(model: number): number {
    let earliest = Infinity;
    for (const { queue } of this.#queues[model].values()) earliest = Math.min(earliest, queue.topKey());
    return earliest;
  }

  /** The queues whose requests may run in `region`. */
  queues(model: number, region: number): readonly ResidencyQueue[] {
    let queues = this.#byRegion[model][region];
    if (queues === undefined) {
      queues = [...this.#queues[model].values()].filter(
        ({ allowed }) => allowed === undefined || allowed[region] === 1,
      );
      this.#byRegion[model][region] = queues;
    }
    return queues;
  }

  /**
   * Puts the request with the earliest deadline that may run in `region` back into the table and
   * returns its slot, or −1.
   */
  take(requests: RequestTable, model: number, region: number): number {
    let best: ResidencyQueue | undefined;
    const queues = this.queues(model, region);
    for (let q = 0; q < queues.length; q++) {
      const held = queues[q];
      if (held.queue.size > 0 && (best === undefined || held.queue.topKey() < best.queue.topKey())) best = held;
    }
    if (best === undefined) return -1;
    const slot = best.queue.pop(requests);
    const { doubles, ints } = requests;
    ints[slot + MODEL] = model;
    ints[slot + TIER] = TIER_NON_INTERACTIVE;
    ints[slot + REGION_LIST] = best.list;
    this.count[model]--;
    this.promptTokens[model] -= doubles[slot + PROMPT];
    this.#due[model].take(doubles[slot + DEADLINE_AT]);
    return slot;
  }
}
