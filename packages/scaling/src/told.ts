/**
 * A figure beside the limit that it was compared with, in as few digits (so many at least) as tell
 * the two apart: never "0.30 is below 0.3".
 */
export function told(value: number, limit: number, least = 2): string {
  for (let digits = least; digits < 17; digits++) {
    const text = value.toFixed(digits);
    if (value === limit || (Number(text) !== limit && Number(text) > limit === value > limit)) return text;
  }
  return String(value);
}
