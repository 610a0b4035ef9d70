/** How long `m` iterations take, where each takes `slope` more than the one before. */
export function runMs(first: number, slope: number, m: number): number {
  return m * first + (slope * m * (m - 1)) / 2;
}

/** Iterations of a run of `steps` up to the first that ends at `elapsed` or later: one at least. */
export function iterationsUntil(elapsed: number, steps: number, first: number, slope: number): number {
  // Time of m iterations is slope/2 · m² + (first − slope/2) · m; the estimate is then corrected
  // for rounding.
  let m: number;
  if (slope === 0) m = Math.ceil(elapsed / first);
  else {
    const b = first - slope / 2;
    m = Math.ceil((2 * elapsed) / (b + Math.sqrt(b * b + 2 * slope * elapsed)));
  }
  m = Math.min(steps, Math.max(1, m));
  while (m > 1 && runMs(first, slope, m - 1) >= elapsed) m--;
  while (m < steps && runMs(first, slope, m) < elapsed) m++;
  return m;
}

/**
 * How many of `steps` iterations last longer than `limit`, where each takes `slope` more than the
 * one before.
 */
export function slowIterations(steps: number, first: number, slope: number, limit: number): number {
  if (first > limit) return slope >= 0 ? steps : Math.min(steps, Math.ceil((first - limit) / -slope));
  if (!(slope > 0) || first + slope * (steps - 1) <= limit) return 0;
  return steps - 1 - Math.floor((limit - first) / slope);
}
