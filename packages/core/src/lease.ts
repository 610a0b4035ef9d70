/**
 * The right to act, which one of several controllers has at a time. Whoever keeps it (a database, a
 * cluster) renews it; these are plain values that may change between any two looks.
 */
export interface Lease {
  /**
   * Whether it is held now, as far as is known without asking: false as soon as renewal is overdue.
   */
  readonly held: boolean;
  /**
   * Rises each time that the lease changes hands: what acts with a fence makes acts with older ones
   * void. A whole number; `undefined` before it was held once.
   */
  readonly fence: number | undefined;
}

/**
 * Asks for a lease, renews it while it can, and asks again once it was lost.
 *
 * Contract: of all that ask for one lease at most one holds it at any moment, each with a fence
 * above all that came before; one that is not renewed any more comes free by itself. A question
 * that is never answered makes no difference to that: the lease is held to its end at most, is
 * asked for again meanwhile, and `close` resolves.
 */
export interface LeaseKeeper {
  /** What it has now. */
  readonly lease: Lease;
  /** Gives it back, so that another has it at once, and asks no more. */
  close(): Promise<void>;
}
