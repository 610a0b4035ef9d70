/**
 * The edition of the interfaces in this package. It rises when an object made for the one before no
 * longer works; what is only added does not raise it.
 */
export const SPECIFICATION_VERSION = 1;

/** What every policy has. */
export interface Policy {
  /** The name by which it is chosen and told of. */
  readonly name: string;
  /**
   * The {@link SPECIFICATION_VERSION} that it was made for; the present one where it does not say.
   */
  readonly specificationVersion?: number;
}
