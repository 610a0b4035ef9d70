/** The only way to the time. Hosts own one; a policy is handed `nowMs` and never sees a clock. */
export interface Clock {
  /**
   * Milliseconds since the epoch of the host (wall clock live, start of the run in simulation).
   * Never goes back.
   */
  nowMs(): number;
  /**
   * Resolves at `atMs`, at once if that has passed; rejects with the signal's reason when aborted.
   */
  sleepUntilMs(atMs: number, signal?: AbortSignal): Promise<void>;
}
