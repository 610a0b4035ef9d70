import { InvariantError } from '@sageserve/core';

/** Slots that a packed entry can name. */
const SLOTS = 2 ** 23;
/** Keys that leave the packed number exact in a double. */
const KEYS = 2 ** 30;

/**
 * Binary min-heap of request slots by a whole-numbered key, each packed with its slot into one double: one array to move and one comparison.
 * Ties go to the smaller slot.
 */
export class PackedHeap {
  size = 0;
  #entries = new Float64Array(16);

  /** Key of the first member, `Infinity` where there is none. */
  topKey(): number {
    return this.size === 0 ? Infinity : Math.floor(this.#entries[0] / SLOTS);
  }

  /** Throws `InvariantError` for a key or slot that does not fit. */
  push(key: number, slot: number): void {
    if (!(key < KEYS && slot < SLOTS)) throw new InvariantError(`iteration ${key} of slot ${slot} does not fit the heap`);
    if (this.size === this.#entries.length) {
      const larger = new Float64Array(this.size * 2);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    this.#siftUp(this.size++, key * SLOTS + slot);
  }

  /** Removes the first member and returns its slot; call only where there is one. */
  pop(): number {
    const entries = this.#entries;
    const first = entries[0];
    const last = --this.size;
    if (last > 0) this.#siftDown(0, entries[last]);
    return first % SLOTS;
  }

  keyAt(index: number): number {
    return Math.floor(this.#entries[index] / SLOTS);
  }

  slotAt(index: number): number {
    return this.#entries[index] % SLOTS;
  }

  removeAt(index: number): void {
    const last = --this.size;
    if (index === last) return;
    const entry = this.#entries[last];
    if (index > 0 && entry < this.#entries[(index - 1) >> 1]) this.#siftUp(index, entry);
    else this.#siftDown(index, entry);
  }

  #siftUp(at: number, entry: number): void {
    const entries = this.#entries;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[parent] <= entry) break;
      entries[at] = entries[parent];
      at = parent;
    }
    entries[at] = entry;
  }

  #siftDown(at: number, entry: number): void {
    const entries = this.#entries;
    const size = this.size;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && entries[child + 1] < entries[child]) child++;
      if (entry <= entries[child]) break;
      entries[at] = entries[child];
      at = child;
    }
    entries[at] = entry;
  }
}
