import { InvariantError } from '@sageserve/core';
import { LAST_ITERATION, NEXT_RUNNING, type RequestTable } from './request-table.js';
import { SlotHeap } from './slot-heap.js';

/**
 * Iterations ahead that have a place of their own: a power of two. Few requests decode for longer.
 */
const WINDOW = 2_048;
const MASK = WINDOW - 1;
const WORDS = WINDOW / 32;
const NONE = -1;
/** Iterations are counted in 32-bit columns; a later one than any. */
const NEVER = 0x7fffffff;

/**
 * The running requests of an instance by the iteration at which they end: a ring with a list for
 * each of the next iterations, and a bit for each that is not empty, so that an entry and a removal
 * cost what ends at one iteration, however large the batch is. Those that end beyond the ring wait
 * in a heap until they are the first to end. Ties go to the smaller slot.
 */
export class RunningSet {
  size = 0;
  readonly #requests: RequestTable;
  /** First slot of each iteration's list. */
  readonly #heads = new Int32Array(WINDOW).fill(NONE);
  readonly #occupied = new Int32Array(WORDS);
  #inRing = 0;
  #ringTop = NEVER;
  readonly #far = new SlotHeap();
  #farTop = NEVER;

  constructor(requests: RequestTable) {
    this.#requests = requests;
  }

  /** The first iteration at which a request ends, `Infinity` where none runs. */
  topKey(): number {
    return this.size === 0 ? Infinity : Math.min(this.#ringTop, this.#farTop);
  }

  /**
   * Enters a request that ends `left` iterations after `iteration`, which no member may end before.
   * Throws `InvariantError` for an iteration that does not fit the table.
   */
  push(iteration: number, left: number, slot: number): void {
    const key = iteration + left;
    if (!(key < NEVER)) throw tooFar(key, slot);
    const ints = this.#requests.ints;
    ints[slot + LAST_ITERATION] = key;
    this.size++;
    if (left >= WINDOW) {
      this.#far.push(key, slot, slot);
      if (key < this.#farTop) this.#farTop = key;
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
      for (let next = ints[before + NEXT_RUNNING]; next !== NONE && next < slot; next = ints[before + NEXT_RUNNING])
        before = next;
      ints[slot + NEXT_RUNNING] = ints[before + NEXT_RUNNING];
      ints[before + NEXT_RUNNING] = slot;
    }
  }

  /** Removes the request that ends first and returns its slot; call only where there is one. */
  pop(): number {
    const key = this.#ringTop;
    const at = key & MASK;
    const slot = this.#heads[at];
    if (this.#farTop < key || (this.#farTop === key && this.#far.topSlot() < slot)) return this.#popFar();
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
    const slots: number[] = [];
    for (let i = 0; i < this.#far.size; i++) slots.push(this.#far.slotAt(i));
    for (let word = 0; word < WORDS; word++) {
      for (let bits = this.#occupied[word]; bits !== 0; bits &= bits - 1) {
        for (let slot = this.#heads[word * 32 + lowestBit(bits)]; slot !== NONE; slot = ints[slot + NEXT_RUNNING])
          slots.push(slot);
      }
    }
    return slots;
  }

  /** Removes a member, whichever it is: O(those that end with it, or beyond the ring). */
  remove(slot: number): void {
    const ints = this.#requests.ints;
    const key = ints[slot + LAST_ITERATION];
    const at = key & MASK;
    this.size--;
    let before = NONE;
    let found = this.#heads[at];
    while (found !== NONE && found !== slot) {
      before = found;
      found = ints[found + NEXT_RUNNING];
    }
    if (found === NONE) {
      this.#removeFar(slot);
      return;
    }
    this.#inRing--;
    const next = ints[slot + NEXT_RUNNING];
    if (before !== NONE) ints[before + NEXT_RUNNING] = next;
    else {
      this.#heads[at] = next;
      if (next === NONE) this.#vacate(at, key);
    }
  }

  /**
   * An iteration's list is empty; where it was the first, the next one that is not takes its place.
   */
  #vacate(at: number, key: number): void {
    this.#occupied[at >>> 5] &= ~(1 << (at & 31));
    if (key !== this.#ringTop) return;
    if (this.#inRing === 0) {
      this.#ringTop = NEVER;
      return;
    }
    const occupied = this.#occupied;
    let word = at >>> 5;
    // What lies before `at` in its own word is a whole ring later: it is seen when the search comes
    // round.
    let bits = occupied[word] & (-1 << (at & 31));
    while (bits === 0) {
      word = (word + 1) & (WORDS - 1);
      bits = occupied[word];
    }
    this.#ringTop = key + ((word * 32 + lowestBit(bits) - at) & MASK);
  }

  #popFar(): number {
    this.size--;
    const slot = this.#far.pop();
    this.#settleFar();
    return slot;
  }

  #removeFar(slot: number): void {
    const others: number[] = [];
    for (let other = this.#far.pop(); other !== slot; other = this.#far.pop()) others.push(other);
    for (const other of others) this.#far.push(this.#requests.ints[other + LAST_ITERATION], other, other);
    this.#settleFar();
  }

  #settleFar(): void {
    this.#farTop = this.#far.size === 0 ? NEVER : this.#far.topKey();
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function tooFar(iteration: number, slot: number): InvariantError {
  return new InvariantError(`iteration ${iteration} of slot ${slot} does not fit the table`);
}
