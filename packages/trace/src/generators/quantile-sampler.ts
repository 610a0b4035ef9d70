import { ConfigError, type Rng } from '@sageserve/core';

/**
 * Quantiles of a distribution: `[level, value]` with levels from 0 to 1 and values not decreasing.
 */
export type Quantiles = readonly (readonly [level: number, value: number])[];

/** Columns hold tokens as 32-bit integers. */
const MOST_TOKENS = 0x7fffffff;
/**
 * Cells of the tabulated curve: fine enough for quantiles by the percent, small enough (4 kB) to
 * stay in the first-level cache.
 */
const TABLE = 512;

/** Throws `ConfigError` for levels outside 0–1 or values that decrease. */
function checkQuantiles(path: string, quantiles: Quantiles): void {
  if (quantiles.length === 0) throw new ConfigError(path, 'needs at least one quantile');
  for (const [i, [level, value]] of quantiles.entries()) {
    if (!(level >= 0 && level <= 1) || (i > 0 && level <= quantiles[i - 1][0]))
      throw new ConfigError(`${path}[${i}]`, `levels must rise from 0 to 1, not ${level}`);
    if (!(value >= 1 && value <= MOST_TOKENS) || (i > 0 && value < quantiles[i - 1][1]))
      throw new ConfigError(`${path}[${i}]`, `values must be from 1 to ${MOST_TOKENS} and not decrease, not ${value}`);
  }
}

/**
 * Draws whole numbers of tokens by inverting a quantile table: log-linear between the given
 * quantiles, flat outside them (a tail that nobody measured is not invented). The curve is
 * tabulated once, so that a draw costs one look-up.
 */
export function createQuantileSampler(path: string, quantiles: Quantiles, rng: Rng): () => number {
  checkQuantiles(path, quantiles);
  const table = new Float64Array(TABLE + 1);
  let k = 0;
  for (let t = 0; t <= TABLE; t++) {
    const level = t / TABLE;
    while (k < quantiles.length && quantiles[k][0] < level) k++;
    const [lowLevel, lowValue] = quantiles[Math.max(0, k - 1)];
    const [highLevel, highValue] = quantiles[Math.min(k, quantiles.length - 1)];
    const share = highLevel > lowLevel ? Math.min(1, Math.max(0, (level - lowLevel) / (highLevel - lowLevel))) : 0;
    table[t] = Math.exp(Math.log(lowValue) + share * (Math.log(highValue) - Math.log(lowValue)));
  }
  return () => {
    const at = rng.next() * TABLE;
    const cell = Math.floor(at);
    const low = table[cell];
    return Math.max(1, Math.round(low + (at - cell) * (table[cell + 1] - low)));
  };
}
