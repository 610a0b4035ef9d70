export interface ConformalOptions {
  /** Errors that a quantile is taken from, newest. */
  readonly window: number;
  /**
   * How far the working level moves after each error: a miss of the 0.9 quantile moves it up by
   * `rate` × 0.9, a hit down by `rate` × 0.1.
   */
  readonly rate: number;
}

/**
 * The scores of errors whose size follows the forecast's: the error as a share of the forecast plus
 * a floor.
 */
export function scoreOf(actual: number, forecast: number, floor: number): number {
  return (actual - forecast) / (forecast + floor);
}

/** Share of the mean forecast that {@link scoreOf}'s floor is. */
export const SCORE_FLOOR = 0.05;
/** Scores before the first quantile is taken from them. */
const WARM_UP = 8;
/** A working level goes no further than this beyond the scores that were seen. */
const MOST = 1.5;

/**
 * Adaptive conformal inference (Gibbs and Candès 2021): each level's quantile of the newest scores,
 * where the working level has been moved by every hit and miss up to now, so that coverage comes
 * back to the nominal one when the errors change. Only what was known at each time enters. Returns
 * one score for each level, not falling.
 */
export function adaptiveQuantiles(
  scores: ArrayLike<number>,
  levels: readonly number[],
  { window, rate }: ConformalOptions,
): number[] {
  const working = [...levels];
  const sorted = new Float64Array(window);
  let size = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i];
    if (size >= WARM_UP) {
      for (let k = 0; k < levels.length; k++) {
        const hit = score <= quantileAt(sorted, size, working[k]) ? 1 : 0;
        working[k] = Math.min(MOST, Math.max(1 - MOST, working[k] + rate * (levels[k] - hit)));
      }
    }
    if (size === window) {
      removeSorted(sorted, size, scores[i - window]);
      size--;
    }
    insertSorted(sorted, size, score);
    size++;
  }
  let last = -Infinity;
  return working.map((level) => (last = Math.max(last, quantileAt(sorted, size, level))));
}

/** Beyond the scores that were seen, the quantile goes on in proportion to how far they spread. */
function quantileAt(sorted: Float64Array, size: number, level: number): number {
  const low = sorted[0];
  const high = sorted[size - 1];
  if (level > 1) return high + (level - 1) * (high - low);
  if (level < 0) return low + level * (high - low);
  const at = level * (size - 1);
  const floor = Math.floor(at);
  return sorted[floor] + (at - floor) * (sorted[Math.min(floor + 1, size - 1)] - sorted[floor]);
}

function position(sorted: Float64Array, size: number, value: number): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insertSorted(sorted: Float64Array, size: number, value: number): void {
  const at = position(sorted, size, value);
  sorted.copyWithin(at + 1, at, size);
  sorted[at] = value;
}

function removeSorted(sorted: Float64Array, size: number, value: number): void {
  const at = position(sorted, size, value);
  sorted.copyWithin(at, at + 1, size);
}
