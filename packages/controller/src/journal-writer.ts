import { isThenable, messageOf, orAborted } from '@sageserve/core';
import type { Journal, JournalEntry } from './journal.js';

/** Entries that wait for a journal that takes none; the oldest give way. */
const MOST_WAITING = 10_000;

/**
 * Hands entries to a journal in order, whatever it does: what it refuses waits and is offered
 * again, so that a full disk ends nothing.
 */
export class JournalWriter {
  readonly #journal: Journal | undefined;
  readonly #waiting: JournalEntry[] = [];
  #underWay: PromiseLike<void> | undefined;
  #failure: string | undefined;
  #lost = 0;
  /** What is under way was not answered in the time that there was. */
  #isHanging = false;

  constructor(journal: Journal | undefined) {
    this.#journal = journal;
  }

  /** Whether there is a journal at all. */
  get exists(): boolean {
    return this.#journal !== undefined;
  }

  /** Why entries wait, in words; `undefined` while all are taken. */
  get failure(): string | undefined {
    if (this.#failure === undefined) return undefined;
    return `the journal can't be written (${this.#failure}): entries wait, and nothing is scaled in`;
  }

  /** Never throws, and waits for nothing. */
  write(entry: JournalEntry): void {
    if (this.#journal === undefined) return;
    if (this.#waiting.length === 0 && this.#underWay === undefined) {
      try {
        const taken = this.#journal.append(entry);
        if (!isThenable(taken)) return;
        this.#underWay = taken;
        // Whether it was taken is asked with the next flush.
        taken.then(undefined, () => undefined);
      } catch (error) {
        this.#failure = messageOf(error);
      }
    }
    this.#waiting.push(entry);
    if (this.#waiting.length <= MOST_WAITING) return;
    // The first is with the journal now.
    this.#waiting.splice(this.#underWay === undefined ? 0 : 1, 1);
    this.#lost++;
  }

  /** Waits until all entries are taken; resolves with whether they are. Rejects never. */
  async flush(signal?: AbortSignal): Promise<boolean> {
    while (this.#waiting.length > 0) {
      const entry = this.#waiting[0];
      const taking = this.#underWay ?? this.#offer(entry);
      if (taking === undefined) return false;
      // One that has not answered once is not waited for again: its answer is taken when it comes.
      if (this.#isHanging) return false;
      this.#underWay = taking;
      try {
        await orAborted(taking, signal);
        this.#underWay = undefined;
      } catch (error) {
        this.#failure = messageOf(error);
        if (signal?.aborted !== true) this.#underWay = undefined;
        else {
          this.#isHanging = true;
          const answered = (): void => {
            this.#isHanging = false;
          };
          taking.then(answered, answered);
        }
        return false;
      }
      const { atMs } = this.#waiting.shift()!;
      if (this.#waiting.length > 0 || this.#lost === 0) continue;
      const what = `${this.#lost} entries were lost while the journal could not be written`;
      this.#lost = 0;
      this.#waiting.push({ kind: 'degradation', atMs, what }, { kind: 'recovery', atMs, what, ends: what });
    }
    this.#failure = undefined;
    return true;
  }

  #offer(entry: JournalEntry): PromiseLike<void> | undefined {
    try {
      const taken = this.#journal!.append(entry);
      return isThenable(taken) ? taken : Promise.resolve();
    } catch (error) {
      this.#failure = messageOf(error);
      return undefined;
    }
  }
}
