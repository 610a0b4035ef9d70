import { DEADLINE_AT, ORIGIN, OUTPUT, type RequestTable, SEQUENCE } from './request-table.js';
import { SlotHeap } from './slot-heap.js';

/**
 * Numbers kept of a request, a cache line: the first ones of its record in the table, in the same
 * places, and where it comes from.
 */
const FIELDS = 8;
const HELD_ORIGIN = OUTPUT + 1;
/**
 * A block is 16 kB: little beside a backlog, and little where many residency sets hold a few
 * requests each.
 */
const BLOCK_BITS = 8;
const BLOCK = 1 << BLOCK_BITS;

/**
 * Requests of one model, tier and residency set that wait, by (deadline, sequence). Most come in
 * the order of their deadlines: those lie one after another in blocks, so that a backlog of
 * millions is read as it was written, without a look at the rest, and takes no more memory than it
 * fills. Those that don't go to a heap beside them.
 */
export class HeldQueue {
  size = 0;
  readonly #blocks: Float64Array[] = [];
  /** A block that was read to its end, for the next one that is needed. */
  #spare: Float64Array | undefined;
  /** Requests of the first block that are gone. */
  #head = 0;
  #inOrder = 0;
  #lastDeadline = 0;
  #lastSequence = 0;
  readonly #late = new SlotHeap();
  #lateRecords: Float64Array = new Float64Array(0);
  readonly #lateFree: number[] = [];

  /** Earliest deadline, `Infinity` where nothing waits. */
  topKey(): number {
    return Math.min(
      this.#inOrder > 0 ? this.#blocks[0][this.#head * FIELDS + DEADLINE_AT] : Infinity,
      this.#late.topKey(),
    );
  }

  /** How many have a deadline ≤ `atMs`: looks at those only. */
  countUpTo(atMs: number): number {
    let n = 0;
    while (
      n < this.#inOrder &&
      this.#blocks[(this.#head + n) >> BLOCK_BITS][((this.#head + n) & (BLOCK - 1)) * FIELDS + DEADLINE_AT] <= atMs
    )
      n++;
    return n + this.#late.countUpTo(atMs);
  }

  /** Copies a request out of the table; the caller frees its slot. */
  push(requests: RequestTable, slot: number): void {
    this.size++;
    const deadline = requests.doubles[slot + DEADLINE_AT];
    const sequence = requests.doubles[slot + SEQUENCE];
    if (
      this.#inOrder > 0 &&
      (deadline < this.#lastDeadline || (deadline === this.#lastDeadline && sequence < this.#lastSequence))
    ) {
      const at = this.#lateFree.pop() ?? this.#growLate();
      write(this.#lateRecords, at * FIELDS, requests, slot);
      this.#late.push(deadline, sequence, at);
      return;
    }
    const end = this.#head + this.#inOrder++;
    if (end >> BLOCK_BITS === this.#blocks.length) {
      this.#blocks.push(this.#spare ?? new Float64Array(BLOCK * FIELDS));
      this.#spare = undefined;
    }
    write(this.#blocks[end >> BLOCK_BITS], (end & (BLOCK - 1)) * FIELDS, requests, slot);
    this.#lastDeadline = deadline;
    this.#lastSequence = sequence;
  }

  /**
   * Copies the request with the earliest deadline into a slot of the table and returns the slot;
   * call only where one waits.
   */
  pop(requests: RequestTable): number {
    this.size--;
    const slot = requests.allocate();
    const lateKey = this.#late.topKey();
    if (this.#inOrder > 0) {
      const first = this.#blocks[0];
      const at = this.#head * FIELDS;
      if (!(
        lateKey < first[at + DEADLINE_AT] ||
        (lateKey === first[at + DEADLINE_AT] && this.#lateSequence() < first[at + SEQUENCE])
      )) {
        read(first, at, requests, slot);
        this.#inOrder--;
        if (++this.#head === BLOCK) {
          this.#head = 0;
          this.#spare = this.#blocks.shift();
        }
        return slot;
      }
    }
    const late = this.#late.pop();
    read(this.#lateRecords, late * FIELDS, requests, slot);
    this.#lateFree.push(late);
    return slot;
  }

  #lateSequence(): number {
    return this.#lateRecords[this.#late.topSlot() * FIELDS + SEQUENCE];
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
