import { ATTEMPT, DEADLINE_AT, ORIGIN, OUTPUT, REQUEST_ID, type RequestTable, SEQUENCE } from './request-table.js';
import { SlotHeap } from './slot-heap.js';

/**
 * Numbers kept of a request, a cache line: those of its record in the table that it has before it
 * is served, in the same order, where it comes from and how often it began anew.
 */
const FIELDS = 8;
const FIRST = REQUEST_ID;
const HELD_DEADLINE = DEADLINE_AT - FIRST;
const HELD_SEQUENCE = SEQUENCE - FIRST;
const HELD_ORIGIN = OUTPUT - FIRST + 1;
const HELD_ATTEMPT = HELD_ORIGIN + 1;
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
  #top = Infinity;
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
    return this.#top;
  }

  /** How many have a deadline ≤ `atMs`: looks at those only. */
  countUpTo(atMs: number): number {
    let n = 0;
    while (
      n < this.#inOrder &&
      this.#blocks[(this.#head + n) >> BLOCK_BITS][((this.#head + n) & (BLOCK - 1)) * FIELDS + HELD_DEADLINE] <= atMs
    )
      n++;
    return n + this.#late.countUpTo(atMs);
  }

  /** Copies a request out of the table; the caller frees its slot. */
  push(requests: RequestTable, slot: number): void {
    this.size++;
    const deadline = requests.doubles[slot + DEADLINE_AT];
    if (deadline < this.#top) this.#top = deadline;
    const sequence = requests.doubles[slot + SEQUENCE];
    if (
      this.#inOrder > 0 &&
      (deadline < this.#lastDeadline || (deadline === this.#lastDeadline && sequence < this.#lastSequence))
    ) {
      this.#pushLate(requests, slot, deadline, sequence);
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

  #pushLate(requests: RequestTable, slot: number, deadline: number, sequence: number): void {
    const at = this.#lateFree.pop() ?? this.#growLate();
    write(this.#lateRecords, at * FIELDS, requests, slot);
    this.#late.push(deadline, sequence, at);
  }

  /**
   * Copies the request with the earliest deadline into a slot of the table and returns the slot;
   * call only where one waits.
   */
  pop(requests: RequestTable): number {
    const slot = requests.allocate();
    this.#take(requests, slot);
    this.size--;
    this.#top = Math.min(
      this.#inOrder > 0 ? this.#blocks[0][this.#head * FIELDS + HELD_DEADLINE] : Infinity,
      this.#late.topKey(),
    );
    return slot;
  }

  #take(requests: RequestTable, slot: number): void {
    const lateKey = this.#late.topKey();
    if (this.#inOrder > 0) {
      const first = this.#blocks[0];
      const at = this.#head * FIELDS;
      if (!(
        lateKey < first[at + HELD_DEADLINE] ||
        (lateKey === first[at + HELD_DEADLINE] && this.#lateSequence() < first[at + HELD_SEQUENCE])
      )) {
        read(first, at, requests, slot);
        this.#inOrder--;
        if (++this.#head === BLOCK) {
          this.#head = 0;
          this.#spare = this.#blocks.shift();
        }
        return;
      }
    }
    const late = this.#late.pop();
    read(this.#lateRecords, late * FIELDS, requests, slot);
    this.#lateFree.push(late);
  }

  #lateSequence(): number {
    return this.#lateRecords[this.#late.topSlot() * FIELDS + HELD_SEQUENCE];
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
  for (let field = 0; field < HELD_ORIGIN; field++) records[at + field] = doubles[slot + FIRST + field];
  records[at + HELD_ORIGIN] = ints[slot + ORIGIN];
  records[at + HELD_ATTEMPT] = ints[slot + ATTEMPT];
}

/** All but what the queue's requests have in common. */
function read(records: Float64Array, at: number, { doubles, ints }: RequestTable, slot: number): void {
  for (let field = 0; field < HELD_ORIGIN; field++) doubles[slot + FIRST + field] = records[at + field];
  ints[slot + ORIGIN] = records[at + HELD_ORIGIN];
  ints[slot + ATTEMPT] = records[at + HELD_ATTEMPT];
}
