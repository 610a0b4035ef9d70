import { MS_PER_HOUR } from '@sageserve/core';
import { SlotHeap } from './slot-heap.js';

/** Deadlines are counted in steps of this length for telemetry. */
const DUE_STEP_MS = MS_PER_HOUR / 6;

interface HeldQueue {
  readonly heap: SlotHeap;
  readonly allows: (region: number) => boolean;
}

/** Non-interactive requests that wait for room: one queue in deadline order for each model and residency set. */
export class HeldRequests {
  /** Requests held, by model. */
  readonly count: Int32Array;
  /** Their prompt tokens, by model. */
  readonly promptTokens: Float64Array;
  /** Requests by the step of their deadline, by model: kept, since a backlog can hold millions. */
  readonly #dueBySteps: Map<number, number>[];
  readonly #queues: Map<number, HeldQueue>[];
  readonly #byRegion: (readonly SlotHeap[] | undefined)[][];

  constructor(models: number, regions: number) {
    this.count = new Int32Array(models);
    this.promptTokens = new Float64Array(models);
    this.#dueBySteps = Array.from({ length: models }, () => new Map<number, number>());
    this.#queues = Array.from({ length: models }, () => new Map<number, HeldQueue>());
    this.#byRegion = Array.from({ length: models }, () => Array.from({ length: regions }, () => undefined));
  }

  hold(model: number, list: number, allows: (region: number) => boolean, deadlineAtMs: number, sequence: number, slot: number, promptTokens: number): void {
    const queues = this.#queues[model];
    let queue = queues.get(list);
    if (queue === undefined) {
      queue = { heap: new SlotHeap(), allows };
      queues.set(list, queue);
      this.#byRegion[model].fill(undefined);
    }
    queue.heap.push(deadlineAtMs, sequence, slot);
    this.count[model]++;
    this.promptTokens[model] += promptTokens;
    this.#countDue(model, deadlineAtMs, 1);
  }

  /** Requests of a model whose deadline is at or before `atMs`, to ten minutes, in whatever region they may run. */
  countDueBy(model: number, atMs: number): number {
    let due = 0;
    for (const [step, count] of this.#dueBySteps[model]) if (step * DUE_STEP_MS <= atMs) due += count;
    return due;
  }

  #countDue(model: number, deadlineAtMs: number, change: number): void {
    const steps = this.#dueBySteps[model];
    const step = Math.floor(deadlineAtMs / DUE_STEP_MS);
    const count = (steps.get(step) ?? 0) + change;
    if (count === 0) steps.delete(step);
    else steps.set(step, count);
  }

  earliestDeadlineAtMs(model: number): number {
    let earliest = Infinity;
    for (const queue of this.#queues[model].values()) earliest = Math.min(earliest, queue.heap.topKey());
    return earliest;
  }

  /** The queues whose requests may run in `region`. */
  heaps(model: number, region: number): readonly SlotHeap[] {
    let heaps = this.#byRegion[model][region];
    if (heaps === undefined) {
      heaps = [...this.#queues[model].values()].filter((queue) => queue.allows(region)).map((queue) => queue.heap);
      this.#byRegion[model][region] = heaps;
    }
    return heaps;
  }

  /** Takes the request with the earliest deadline that may run in `region`, or −1. */
  take(model: number, region: number, promptTokens: Int32Array): number {
    let best: SlotHeap | undefined;
    for (const heap of this.heaps(model, region)) if (heap.size > 0 && (best === undefined || heap.topKey() < best.topKey())) best = heap;
    if (best === undefined) return -1;
    this.count[model]--;
    this.#countDue(model, best.topKey(), -1);
    const slot = best.pop();
    this.promptTokens[model] -= promptTokens[slot];
    return slot;
  }
}
