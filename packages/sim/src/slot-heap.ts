/** Binary min-heap of request slots by (key, sequence), in typed arrays that double when full. */
export class SlotHeap {
  size = 0;
  #keys: Float64Array;
  #sequences: Float64Array;
  #slots: Int32Array;

  constructor(capacity = 16) {
    this.#keys = new Float64Array(capacity);
    this.#sequences = new Float64Array(capacity);
    this.#slots = new Int32Array(capacity);
  }

  /** Key of the first member, `Infinity` where there is none. */
  topKey(): number {
    return this.size === 0 ? Infinity : this.#keys[0];
  }

  /** Slot of the first member; call only where there is one. */
  topSlot(): number {
    return this.#slots[0];
  }

  push(key: number, sequence: number, slot: number): void {
    if (this.size === this.#slots.length) this.#grow();
    this.#siftUp(this.size++, key, sequence, slot);
  }

  /** Removes the first member and returns its slot; call only where there is one. */
  pop(): number {
    const slot = this.#slots[0];
    const last = --this.size;
    if (last > 0) this.#siftDown(0, this.#keys[last], this.#sequences[last], this.#slots[last]);
    return slot;
  }

  slotAt(index: number): number {
    return this.#slots[index];
  }

  /** How many members have a key ≤ `key`: looks at those and their children only. */
  countUpTo(key: number, from = 0): number {
    if (from >= this.size || this.#keys[from] > key) return 0;
    return 1 + this.countUpTo(key, 2 * from + 1) + this.countUpTo(key, 2 * from + 2);
  }

  #siftUp(at: number, key: number, sequence: number, slot: number): void {
    const keys = this.#keys;
    const sequences = this.#sequences;
    const slots = this.#slots;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentKey = keys[parent];
      if (parentKey < key || (parentKey === key && sequences[parent] <= sequence)) break;
      keys[at] = parentKey;
      sequences[at] = sequences[parent];
      slots[at] = slots[parent];
      at = parent;
    }
    keys[at] = key;
    sequences[at] = sequence;
    slots[at] = slot;
  }

  #siftDown(at: number, key: number, sequence: number, slot: number): void {
    const keys = this.#keys;
    const sequences = this.#sequences;
    const slots = this.#slots;
    const size = this.size;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (
        right < size &&
        (keys[right] < keys[child] || (keys[right] === keys[child] && sequences[right] < sequences[child]))
      )
        child = right;
      if (key < keys[child] || (key === keys[child] && sequence < sequences[child])) break;
      keys[at] = keys[child];
      sequences[at] = sequences[child];
      slots[at] = slots[child];
      at = child;
    }
    keys[at] = key;
    sequences[at] = sequence;
    slots[at] = slot;
  }

  #grow(): void {
    const capacity = this.#slots.length * 2;
    const keys = new Float64Array(capacity);
    keys.set(this.#keys);
    this.#keys = keys;
    const sequences = new Float64Array(capacity);
    sequences.set(this.#sequences);
    this.#sequences = sequences;
    const slots = new Int32Array(capacity);
    slots.set(this.#slots);
    this.#slots = slots;
  }
}
