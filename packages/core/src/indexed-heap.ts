/**
 * Binary min-heap over the integers 0…capacity−1, each with a key that may change at any time.
 * Ties go to the smaller integer, so that order never depends on history. All storage is allocated up front.
 */
export class IndexedMinHeap {
  /** Key of every member; `Infinity` for one that waits for nothing. Written by {@link set} only. */
  readonly keys: Float64Array;
  readonly #heap: Int32Array;
  readonly #position: Int32Array;
  readonly #size: number;

  constructor(capacity: number) {
    this.#size = capacity;
    this.keys = new Float64Array(capacity).fill(Infinity);
    this.#heap = Int32Array.from({ length: capacity }, (_, i) => i);
    this.#position = Int32Array.from(this.#heap);
  }

  /** The member with the smallest key, or −1 when the heap has no members. */
  peek(): number {
    return this.#size === 0 ? -1 : this.#heap[0]!;
  }

  /** The smallest key, `Infinity` when nothing is due. */
  peekKey(): number {
    return this.#size === 0 ? Infinity : this.keys[this.#heap[0]!]!;
  }

  /** Gives `member` a new key. */
  set(member: number, key: number): void {
    const keys = this.keys;
    const heap = this.#heap;
    const position = this.#position;
    keys[member] = key;
    let at = position[member]!;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt]!;
      const parentKey = keys[parent]!;
      if (parentKey < key || (parentKey === key && parent < member)) break;
      heap[at] = parent;
      position[parent] = at;
      at = parentAt;
    }
    const size = this.#size;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= size) break;
      let child = heap[childAt]!;
      let childKey = keys[child]!;
      const rightAt = childAt + 1;
      if (rightAt < size) {
        const right = heap[rightAt]!;
        const rightKey = keys[right]!;
        if (rightKey < childKey || (rightKey === childKey && right < child)) {
          childAt = rightAt;
          child = right;
          childKey = rightKey;
        }
      }
      if (key < childKey || (key === childKey && member < child)) break;
      heap[at] = child;
      position[child] = at;
      at = childAt;
    }
    heap[at] = member;
    position[member] = at;
  }
}
