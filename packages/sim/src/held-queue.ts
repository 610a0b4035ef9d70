import { DEADLINE_AT, ORIGIN, OUTPUT, type RequestTable, SEQUENCE } from './request-table.js';
import { SlotHeap } from './slot-heap.js';

/** Numbers kept of a request, a cache line: the first ones of its record in the table, in the same places, and where it comes from. */
const FIELDS = 8;
const HELD_ORIGIN = OUTPUT + 1;

/**
 * Requests of one model, tier and residency set that wait, by (deadline, sequence). Most come in the order of their deadlines: those lie one after another in a ring, so that a backlog of millions is read as it was
 * written, without a look at the rest. Those that don't go to a heap beside it.
 */
export class HeldQueue {
  size = 0;
  /** A power of two of requests. */
  #ring = new Float64Array(16 * FIELDS);
  #head = 0;
  #inRing = 0;
  readonly #late = new SlotHeap();
  #lateRecords: Float64Array = new Float64Array(0);
  readonly #lateFree: number[] = [];

  /** Earliest deadline, `Infinity` where nothing waits. */
  topKey(): number {
    return Math.min(this.#inRing > 0 ? this.#ring[this.#head * FIELDS + DEADLINE_AT] : Infinity, this.#late.topKey());
  }

  /** How many have a deadline ≤ `atMs`: looks at those only. */
  countUpTo(atMs: number): number {
    const mask = this.#ring.length / FIELDS - 1;
    let n = 0;
    while (n < this.#inRing && this.#ring[((this.#head + n) & mask) * FIELDS + DEADLINE_AT] <= atMs) n++;
    return n + this.#late.countUpTo(atMs);
  }

  /** Copies a request out of the table; the caller frees its slot. */
  push(requests: RequestTable, slot: number): void {
    this.size++;
    const deadline = requests.doubles[slot + DEADLINE_AT];
    const sequence = requests.doubles[slot + SEQUENCE];
    if (this.#inRing > 0) {
      const mask = this.#ring.length / FIELDS - 1;
      const last = ((this.#head + this.#inRing - 1) & mask) * FIELDS;
      const lastDeadline = this.#ring[last + DEADLINE_AT];
      if (deadline < lastDeadline || (deadline === lastDeadline && sequence < this.#ring[last + SEQUENCE])) {
        const at = this.#lateFree.pop() ?? this.#growLate();
        write(this.#lateRecords, at * FIELDS, requests, slot);
        this.#late.push(deadline, sequence, at);
        return;
      }
      if (this.#inRing > mask) this.#growRing();
    }
    const mask = this.#ring.length / FIELDS - 1;
    write(this.#ring, ((this.#head + this.#inRing++) & mask) * FIELDS, requests, slot);
  }

  /** Copies the request with the earliest deadline into a slot of the table and returns the slot; call only where one waits. */
  pop(requests: RequestTable): number {
    this.size--;
    const at = this.#head * FIELDS;
    const slot = requests.allocate();
    const lateKey = this.#late.topKey();
    if (
      this.#inRing > 0 &&
      !(lateKey < this.#ring[at + DEADLINE_AT] || (lateKey === this.#ring[at + DEADLINE_AT] && this.#lateSequence() < this.#ring[at + SEQUENCE]))
    ) {
      read(this.#ring, at, requests, slot);
      this.#head = (this.#head + 1) & (this.#ring.length / FIELDS - 1);
      this.#inRing--;
      return slot;
    }
    const late = this.#late.pop();
    read(this.#lateRecords, late * FIELDS, requests, slot);
    this.#lateFree.push(late);
    return slot;
  }

  #lateSequence(): number {
    return this.#lateRecords[this.#late.topSlot() * FIELDS + SEQUENCE];
  }

  #growRing(): void {
    const old = this.#ring;
    const larger = new Float64Array(old.length * 2);
    larger.set(old.subarray(this.#head * FIELDS));
    larger.set(old.subarray(0, this.#head * FIELDS), old.length - this.#head * FIELDS);
    this.#ring = larger;
    this.#head = 0;
  }

  /** Makes room for as many again and returns the first place of it. */
  #growLate(): number {
    const places = this.#lateRecords.length / FIELDS;
    const more = Math.max(16, places);
    const larger = new Float64Array((places + more) * FIELDS);
    larger.set(this.#lateRecords);
    this.#lateRecords = larger;
    for (let place = places + more - 1; place > places; place--) this.#lateFree.push(place);
    return places;
  }
}

function write(records: Float64Array, at: number, { doubles, ints }: RequestTable, slot: number): void {
  for (let field = 0; field < HELD_ORIGIN; field++) records[at + field] = doubles[slot + field];
  records[at + HELD_ORIGIN] = ints[slot + ORIGIN];
}

/** All but what the queue's requests have in common. */
function read(records: Float64Array, at: number, { doubles, ints }: RequestTable, slot: number): void {
  for (let field = 0; field < HELD_ORIGIN; field++) doubles[slot + field] = records[at + field];
  ints[slot + ORIGIN] = records[at + HELD_ORIGIN];
}
