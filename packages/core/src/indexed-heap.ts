/**
 * Keeps the integers 0…capacity−1 in order of a key that may change at any time, and knows the one
 * with the smallest key. Ties go to the smaller integer, so that order never depends on history. A
 * tournament tree: a change replays the matches on the path from a leaf to the root, up to the
 * first that ends as it did before, which moves nothing and needs no table of positions. All
 * storage is allocated up front.
 */
export class IndexedMinHeap {
  /**
   * Key of every member; `Infinity` for one that waits for nothing. Written by {@link set} only.
   */
  readonly keys: Float64Array;
  readonly #leaves: number;
  /**
   * Winner of every match, by node: 1 is the final, node n is fed by 2n and 2n + 1, leaf m is node
   * leaves + m.
   */
  readonly #winner: Int32Array;

  /** Room for the members 0 to `capacity` − 1, none of which waits for anything yet. */
  constructor(capacity: number) {
    let leaves = 1;
    while (leaves < capacity) leaves *= 2;
    this.#leaves = leaves;
    this.keys = new Float64Array(leaves).fill(Infinity);
    this.#winner = new Int32Array(2 * leaves);
    for (let m = 0; m < leaves; m++) this.#winner[leaves + m] = m;
    for (let n = leaves - 1; n >= 1; n--) this.#winner[n] = this.#winner[2 * n]!;
  }

  /**
   * The member with the smallest key. Where no key is finite, the answer means nothing: look at
   * {@link peekKey} first.
   */
  peek(): number {
    return this.#winner[1]!;
  }

  /** The smallest key, `Infinity` when nothing is due. */
  peekKey(): number {
    return this.keys[this.#winner[1]!]!;
  }

  /**
   * Gives `member`, a whole number from 0 to capacity − 1, a new key, which is not NaN. Neither is
   * checked.
   */
  set(member: number, key: number): void {
    const keys = this.keys;
    const winner = this.#winner;
    keys[member] = key;
    let best = member;
    let bestKey = key;
    for (let node = this.#leaves + member; node > 1; node >>= 1) {
      const rival = winner[node ^ 1]!;
      const rivalKey = keys[rival]!;
      if (rivalKey < bestKey || (rivalKey === bestKey && rival < best)) {
        // It won here before, too, with the same key: nothing further up has changed.
        if (winner[node >> 1] === rival) return;
        best = rival;
        bestKey = rivalKey;
      }
      winner[node >> 1] = best;
    }
  }
}
