import { InvariantError } from '@sageserve/core';
import { LAST_ITERATION, NEXT_RUNNING, type RequestTable } from './request-table.js';

/** Iterations ahead that have a place of their own: a power of two. Few requests decode for longer. */
const WINDOW = 2_048;
const MASK = WINDOW - 1;
const WORDS = WINDOW / 32;
const NONE = -1;
/** Iterations are counted in 32-bit columns; a later one than any. */
const NEVER = 0x7fffffff;

/**
 * The running requests of an instance by the iteration at which they end: a ring with a list for each of the next iterations, in which an entry and a removal touch one place however large the batch is,
 * and a bit for each that is not empty. Those that end beyond the ring lie in a list beside it until they come first. Ties go to the smaller slot.
 */
export class RunningSet {
  size = 0;
  readonly #requests: RequestTable;
  /** First slot of each iteration's list. */
  readonly #heads = new Int32Array(WINDOW).fill(NONE);
  readonly #occupied = new Int32Array(WORDS);
  #inRing = 0;
  #ringTop = NEVER;
  /** Slots that end beyond the ring, last to end first. */
  readonly #far: number[] = [];
  #farTop = NEVER;

  constructor(requests: RequestTable) {
    this.#requests = requests;
  }

  /** The first iteration at which a request ends, `Infinity` where none runs. */
  topKey(): number {
    return this.size === 0 ? Infinity : Math.min(this.#ringTop, this.#farTop);
  }

  /** Enters a request that ends `left` iterations after `iteration`, which no member may end before. Throws `InvariantError` for an iteration that does not fit the table. */
  push(iteration: number, left: number, slot: number): void {
    const key = iteration + left;
    if (!(key < NEVER)) throw new InvariantError(`iteration ${key} of slot ${slot} does not fit the table`);
    const ints = this.#requests.ints;
    ints[slot + LAST_ITERATION] = key;
    this.size++;
    if (left >= WINDOW) {
      this.#pushFar(key, slot);
      return;
    }
    const heads = this.#heads;
    const at = key & MASK;
    const head = heads[at];
    this.#inRing++;
    if (head === NONE) {
      heads[at] = slot;
      ints[slot + NEXT_RUNNING] = NONE;
      this.#occupied[at >>> 5] |= 1 << (at & 31);
      if (key < this.#ringTop) this.#ringTop = key;
    } else if (slot < head) {
      heads[at] = slot;
      ints[slot + NEXT_RUNNING] = head;
    } else {
      let before = head;
      for (let next = ints[before + NEXT_RUNNING]; next !== NONE && next < slot; next = ints[before + NEXT_RUNNING]) before = next;
      ints[slot + NEXT_RUNNING] = ints[before + NEXT_RUNNING];
      ints[before + NEXT_RUNNING] = slot;
    }
  }

  /** Removes the request that ends first and returns its slot; call only where there is one. */
  pop(): number {
    const key = this.#ringTop;
    const at = key & MASK;
    const slot = this.#heads[at];
    if (this.#farTop < key || (this.#farTop === key && this.#far.at(-1)! < slot)) return this.#popFar();
    this.size--;
    const next = this.#requests.ints[slot + NEXT_RUNNING];
    this.#inRing--;
    this.#heads[at] = next;
    if (next === NONE) this.#vacate(at, key);
    return slot;
  }

  /** Every member's slot, in no particular order: O(batch + ring). */
  members(): number[] {
    const ints = this.#requests.ints;
    const slots = [...this.#far];
    for (let word = 0; word < WORDS; word++) {
      for (let bits = this.#occupied[word]; bits !== 0; bits &= bits - 1) {
        for (let slot = this.#heads[word * 32 + lowestBit(bits)]; slot !== NONE; slot = ints[slot + NEXT_RUNNING]) slots.push(slot);
      }
    }
    return slots;
  }

  /** Removes a member, whichever it is. */
  remove(slot: number): void {
    const far = this.#far.indexOf(slot);
    this.size--;
    if (far !== -1) {
      this.#far.splice(far, 1);
      this.#settleFar();
      return;
    }
    const ints = this.#requests.ints;
    const key = ints[slot + LAST_ITERATION];
    const at = key & MASK;
    this.#inRing--;
    if (this.#heads[at] === slot) {
      this.#heads[at] = ints[slot + NEXT_RUNNING];
      if (this.#heads[at] === NONE) this.#vacate(at, key);
      return;
    }
    let before = this.#heads[at];
    while (ints[before + NEXT_RUNNING] !== slot) before = ints[before + NEXT_RUNNING];
    ints[before + NEXT_RUNNING] = ints[slot + NEXT_RUNNING];
  }

  /** An iteration's list is empty; where it was the first, the next one that is not takes its place. */
  #vacate(at: number, key: number): void {
    this.#occupied[at >>> 5] &= ~(1 << (at & 31));
    if (key !== this.#ringTop) return;
    if (this.#inRing === 0) {
      this.#ringTop = NEVER;
      return;
    }
    const occupied = this.#occupied;
    let word = at >>> 5;
    // What lies before `at` in its own word is a whole ring later: it is seen when the search comes round.
    let bits = occupied[word] & (-1 << (at & 31));
    while (bits === 0) {
      word = (word + 1) & (WORDS - 1);
      bits = occupied[word];
    }
    this.#ringTop = key + ((word * 32 + lowestBit(bits) - at) & MASK);
  }

  #pushFar(key: number, slot: number): void {
    const ints = this.#requests.ints;
    const far = this.#far;
    let at = far.length;
    for (; at > 0; at--) {
      const last = ints[far[at - 1] + LAST_ITERATION];
      if (last > key || (last === key && far[at - 1] > slot)) break;
    }
    far.splice(at, 0, slot);
    this.#settleFar();
  }

  #popFar(): number {
    this.size--;
    const slot = this.#far.pop()!;
    this.#settleFar();
    return slot;
  }

  #settleFar(): void {
    const far = this.#far;
    this.#farTop = far.length === 0 ? NEVER : this.#requests.ints[far[far.length - 1] + LAST_ITERATION];
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
