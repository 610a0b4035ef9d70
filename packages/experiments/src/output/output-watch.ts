/**
 * Is told of what is not complete yet: whoever ends the process by force takes it with it. Nobody
 * is told unless somebody wants to know.
 */
export interface OutputWatch {
  /**
   * Notes a file or folder as not complete, and where it is moved when it is; returns how to say
   * that it is, or is gone.
   */
  readonly notComplete: (path: string, place?: string) => () => void;
  /** Notes a folder that was made: it is no result by itself. */
  readonly noteMade: (path: string) => void;
}

export const UNWATCHED: OutputWatch = {
  notComplete: () => () => undefined,
  noteMade: () => undefined,
};
