/** The one place in this package that reads a clock: limits on solvers are limits of real time. */
export const nowMs = (): number => performance.now();

/** Lets others have their turn, such as the timer or signal that ends a long computation. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Calls `fire` after `ms` unless the returned function is called first. Keeps no process alive. */
export function after(ms: number, fire: () => void): () => void {
  // Timers hold 31 bits: what is further off than 24 days never comes.
  if (ms >= 2 ** 31) return () => {};
  const timer = setTimeout(fire, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
