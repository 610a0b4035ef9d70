import { InvariantError } from '@sageserve/core';
import { LAST_ITERATION, NEXT_RUNNING, type RequestTable } from './request-table.js';
import { SlotHeap } from './slot-heap.js';

/** Iterations ahead that have a place of their own: a power of two. Few requests decode for longer. */
const WINDOW = 2_048;
const MASK = WINDOW - 1;
const WORDS = WINDOW / 32;
const NONE = -1;
/** Iterations are counted in 32-bit columns; a later one than any. */
const NEVER = 0x7fffffff;

/**
 * The running requests of an instance by the iteration at which they end: a ring with a list for each of the next iterations, and a bit for each that is not empty. What is entered goes to the front of a list, and
 * a list is put in order when its iteration comes, so that neither costs more in a large batch. Those that end beyond the ring wait in a heap until they are the first to end. Ties go to the smaller slot.
 */
export class RunningSet {
  size = 0;
  readonly #requests: RequestTable;
  /** First slot of each iteration's list. */
  readonly #heads = new Int32Array(WINDOW).fill(NONE);
  readonly #occupied = new Int32Array(WORDS);
  #inRing = 0;
  #ringTop = NEVER;
  /** Iteration whose list is in order: the first one, while it is taken from. */
  #inOrder = NONE;
  readonly #far = new SlotHeap();

  constructor(requests: RequestTable) {
    this.#requests = requests;
  }

  /** The first iteration at which a request ends, `Infinity` where none runs. */
  topKey(): number {
    return this.size === 0 ? Infinity : Math.min(this.#ringTop, this.#far.topKey());
  }

  /** Enters a request that ends `left` iterations after `iteration`, which no member may end before. Throws `InvariantError` for an iteration that does not fit the table. */
  push(iteration: number, left: number, slot: number): void {
    const key = iteration + left;
    if (!(key < NEVER)) throw new InvariantError(`iteration ${key} of slot ${slot} does not fit the table`);
    const ints = this.#requests.ints;
    ints[slot + LAST_ITERATION] = key;
    this.size++;
    if (left >= WINDOW) {
      this.#far.push(key, slot, slot);
      return;
    }
    const at = key & MASK;
    const head = this.#heads[at];
    this.#heads[at] = slot;
    ints[slot + NEXT_RUNNING] = head;
    this.#inRing++;
    if (head === NONE) {
      this.#occupied[at >>> 5] |= 1 << (at & 31);
      if (key < this.#ringTop) this.#ringTop = key;
    } else if (key === this.#inOrder) this.#inOrder = NONE;
  }

  /** Removes the request that ends first and returns its slot; call only where there is one. */
  pop(): number {
    const key = this.#ringTop;
    const farKey = this.#far.topKey();
    this.size--;
    if (farKey < key) return this.#far.pop();
    const at = key & MASK;
    const ints = this.#requests.ints;
    if (key !== this.#inOrder && ints[this.#heads[at] + NEXT_RUNNING] !== NONE) this.#putInOrder(key);
    const slot = this.#heads[at];
    if (farKey === key && this.#far.topSlot() < slot) return this.#far.pop();
    const next = ints[slot + NEXT_RUNNING];
    this.#inRing--;
    this.#heads[at] = next;
    if (next === NONE) this.#vacate(at, key);
    return slot;
  }

  /** Every member's slot, in no particular order: O(batch + ring). */
  members(): number[] {
    const slots: number[] = [];
    for (let i = 0; i < this.#far.size; i++) slots.push(this.#far.slotAt(i));
    for (let word = 0; word < WORDS; word++) {
      for (let bits = this.#occupied[word]; bits !== 0; bits &= bits - 1) slots.push(...this.#list(word * 32 + lowestBit(bits)));
    }
    return slots;
  }

  /** Removes a member, whichever it is: O(those that end with it, or beyond the ring). */
  remove(slot: number): void {
    const ints = this.#requests.ints;
    const key = ints[slot + LAST_ITERATION];
    this.size--;
    const at = key & MASK;
    const list = this.#list(at);
    const place = list.indexOf(slot);
    if (place === -1) {
      const others: number[] = [];
      for (let other = this.#far.pop(); other !== slot; other = this.#far.pop()) others.push(other);
      for (const other of others) this.#far.push(ints[other + LAST_ITERATION], other, other);
      return;
    }
    this.#inRing--;
    const next = ints[slot + NEXT_RUNNING];
    if (place > 0) ints[list[place - 1] + NEXT_RUNNING] = next;
    else {
      this.#heads[at] = next;
      if (next === NONE) this.#vacate(at, key);
    }
  }

  #list(at: number): number[] {
    const ints = this.#requests.ints;
    const slots: number[] = [];
    for (let slot = this.#heads[at]; slot !== NONE; slot = ints[slot + NEXT_RUNNING]) slots.push(slot);
    return slots;
  }

  #putInOrder(key: number): void {
    const ints = this.#requests.ints;
    const slots = this.#list(key & MASK).sort((a, b) => b - a);
    let next = NONE;
    for (const slot of slots) {
      ints[slot + NEXT_RUNNING] = next;
      next = slot;
    }
    this.#heads[key & MASK] = next;
    this.#inOrder = key;
  }

  /** An iteration's list is empty; where it was the first, the next one that is not takes its place. */
  #vacate(at: number, key: number): void {
    this.#occupied[at >>> 5] &= ~(1 << (at & 31));
    if (key === this.#inOrder) this.#inOrder = NONE;
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
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
