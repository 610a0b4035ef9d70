/** Seconds on the clock: what several processes take together is not processor time. */
export function clockSeconds(): number {
  return performance.now() / 1_000;
}

/** Calls something again and again; returns how to end that. */
export function repeatedly(everyMs: number, action: () => void): () => void {
  const timer = setInterval(action, everyMs);
  return () => {
    clearInterval(timer);
  };
}
