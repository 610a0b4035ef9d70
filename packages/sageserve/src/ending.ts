/** What somebody holds for others and must put away before the process ends: how long that may take (ms). */
const held = new Set<{ readonly putAwayMs: number }>();

/** Notes that something is held for others; returns how to say that it is put away. */
export function holdForOthers(putAwayMs: number): () => void {
  const one = { putAwayMs };
  held.add(one);
  return () => {
    held.delete(one);
  };
}

/** How long it may take to put away what is held now; 0 where nothing is. */
export function putAwayMs(): number {
  return Math.max(0, ...[...held].map((one) => one.putAwayMs));
}
