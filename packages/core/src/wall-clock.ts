/** A computation may keep the thread for so long at a time. */
const TURN_MS = 50;
/** Questions between two looks at the clock. */
const QUESTIONS = 32;

/**
 * Lets signals, files and the terminal have their turn while a long computation goes on: a loop
 * asks whether a turn is due, and awaits it then. The clock is read for this alone; no result
 * depends on it.
 */
export class Pacer {
  #sinceMs = performance.now();
  #questions = 0;
  readonly #mask: number;

  /**
   * `questions` between two looks at the clock, a power of two: more for a loop whose steps take
   * less than a microsecond.
   */
  constructor(questions = QUESTIONS) {
    this.#mask = questions - 1;
  }

  /**
   * Whether this thread has been kept for a while. Cheap enough to be asked at every step of a
   * loop.
   */
  get due(): boolean {
    return (++this.#questions & this.#mask) === 0 && this.late;
  }

  /** The same with a look at the clock at every question, for steps that are long themselves. */
  get late(): boolean {
    return performance.now() - this.#sinceMs >= TURN_MS;
  }

  /** A turn for everybody else; throws the signal's reason where it has aborted by then. */
  async turn(signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    this.#sinceMs = performance.now();
  }
}
