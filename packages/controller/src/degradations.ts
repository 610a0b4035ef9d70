import type { JournalWriter } from './journal-writer.js';

/** Where something does not work. */
export type Ground = 'telemetry' | 'planning' | 'plan' | 'policy' | 'acts' | 'journal' | 'state';

const NONE: readonly string[] = [];

/** What does not work now: written down when it begins and when it ends. */
export class Degradations {
  readonly #journal: JournalWriter;
  readonly #open = new Map<string, Ground>();

  constructor(journal: JournalWriter) {
    this.#journal = journal;
  }

  get all(): readonly string[] {
    return this.#open.size === 0 ? NONE : [...this.#open.keys()];
  }

  /** Brings what does not work on one ground up to date. */
  update(ground: Ground, now: readonly string[], nowMs: number): void {
    for (const [what, of] of this.#open) {
      if (of !== ground || now.includes(what)) continue;
      this.#open.delete(what);
      this.#journal.write({ kind: 'recovery', atMs: nowMs, what: `no longer so: ${what}`, ends: what });
    }
    for (const what of now) {
      if (this.#open.has(what)) continue;
      this.#open.set(what, ground);
      this.#journal.write({ kind: 'degradation', atMs: nowMs, what });
    }
  }

  save(): ReadonlyMap<string, Ground> {
    return new Map(this.#open);
  }

  restore(open: ReadonlyMap<string, Ground>): void {
    this.#open.clear();
    for (const [what, ground] of open) this.#open.set(what, ground);
  }
}
