import { SlotHeap } from './slot-heap.js';

interface HeldQueue {
  readonly heap: SlotHeap;
  readonly allows: (region: number) => boolean;
}

/** Non-interactive requests that wait for room: one queue in deadline order for each model and residency set. */
export class HeldRequests {
  /** Requests held, by model. */
  readonly count: Int32Array;
  readonly #queues: Map<number, HeldQueue>[];
  readonly #byRegion: (readonly SlotHeap[] | undefined)[][];

  constructor(models: number, regions: number) {
    this.count = new Int32Array(models);
    this.#queues = Array.from({ length: models }, () => new Map<number, HeldQueue>());
    this.#byRegion = Array.from({ length: models }, () => Array.from({ length: regions }, () => undefined));
  }

  hold(model: number, list: number, allows: (region: number) => boolean, deadlineAtMs: number, sequence: number, slot: number): void {
    const queues = this.#queues[model];
    let queue = queues.get(list);
    if (queue === undefined) {
      queue = { heap: new SlotHeap(), allows };
      queues.set(list, queue);
      this.#byRegion[model].fill(undefined);
    }
    queue.heap.push(deadlineAtMs, sequence, slot);
    this.count[model]++;
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
  take(model: number, region: number): number {
    let best: SlotHeap | undefined;
    for (const heap of this.heaps(model, region)) if (heap.size > 0 && (best === undefined || heap.topKey() < best.topKey())) best = heap;
    if (best === undefined) return -1;
    this.count[model]--;
    return best.pop();
  }
}
