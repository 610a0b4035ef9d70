/**
 * One check of a conformance suite. It throws where the contract is broken; any test runner can
 * call it.
 */
export interface ConformanceCase {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** Thrown by a check, in words that name the clause of the contract. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError';
}

export function expect(condition: boolean, clause: string): asserts condition {
  if (!condition) throw new ConformanceError(clause);
}
