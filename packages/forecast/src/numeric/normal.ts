/**
 * Quantile of the standard normal distribution, 0 < p < 1 (Acklam's rational approximation,
 * relative error under 1.2e-9).
 */
export function normalQuantile(p: number): number {
  if (p < 0.024_25) {
    const q = Math.sqrt(-2 * Math.log(p));
    return tail(q);
  }
  if (p > 1 - 0.024_25) {
    const q = Math.sqrt(-2 * Math.log(1 - p));
    return -tail(q);
  }
  const q = p - 0.5;
  const r = q * q;
  return (
    ((((((-39.696_830_286_653_76 * r + 220.946_098_424_520_5) * r - 275.928_510_446_968_7) * r + 138.357_751_867_269) *
      r -
      30.664_798_066_147_16) *
      r +
      2.506_628_277_459_239) *
      q) /
    (((((-54.476_098_798_224_06 * r + 161.585_836_858_040_9) * r - 155.698_979_859_886_6) * r + 66.801_311_887_719_72) *
      r -
      13.280_681_552_885_72) *
      r +
      1)
  );
}

function tail(q: number): number {
  return (
    (((((-0.007_784_894_002_430_293 * q - 0.322_396_458_041_136_5) * q - 2.400_758_277_161_838) * q -
      2.549_732_539_343_734) *
      q +
      4.374_664_141_464_968) *
      q +
      2.938_163_982_698_783) /
    ((((0.007_784_695_709_041_462 * q + 0.322_467_129_070_039_8) * q + 2.445_134_137_142_996) * q +
      3.754_408_661_907_416) *
      q +
      1)
  );
}

/**
 * Empirical quantile with linear interpolation between order statistics; `sorted` ascends and is
 * not empty.
 */
export function sortedQuantile(sorted: ArrayLike<number>, p: number): number {
  const position = Math.min(Math.max(p, 0), 1) * (sorted.length - 1);
  const low = Math.floor(position);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (position - low) * (sorted[high] - sorted[low]);
}
