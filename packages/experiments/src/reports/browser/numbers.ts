/** A value as a figure shows it. */
export function format(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(4)).toString();
}

/** Round steps that part a range into about so many. */
export function ticks(low: number, high: number, about: number): number[] {
  const raw = (high - low) / about;
  const unit = Number(`1e${Math.floor(Math.log10(raw))}`);
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((one) => one >= raw)!;
  const all: number[] = [];
  for (let t = Math.ceil(low / step); t * step <= high + step / 1e6; t++) all.push(t * step);
  return all;
}

/** Of any number of values: each as an argument would be too many. */
export function extremes(values: readonly number[]): readonly [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** A range with a little room on both sides. */
export function padded(values: readonly number[]): readonly [number, number] {
  const [low, high] = extremes(values);
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - pad, high + pad];
}

/** A level that matters is shown where it does not push the points together. */
export function withLine(values: readonly number[], line: number | undefined): readonly number[] {
  const [low, high] = extremes(values);
  const spread = high - low;
  return line === undefined || line < low - 2 * spread || line > high + 2 * spread ? values : [...values, line];
}
