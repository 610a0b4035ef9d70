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

/** A level that matters is shown where {@link isNear} says so. */
export function withLevel(values: readonly number[], level: number | undefined, least = 0): readonly number[] {
  return level !== undefined && isNear(values, level, least) ? [...values, level] : values;
}

/**
 * Whether a level can be shown without pushing what is drawn together. What spreads by less than
 * `least` is drawn as if by so much.
 */
export function isNear(values: readonly number[], level: number, least = 0): boolean {
  const [low, high] = extremes(values);
  const spread = Math.max(least, high - low);
  return level >= low - 2 * spread && level <= high + 2 * spread;
}

const MOST_LOG_TICKS = 10;

/** Powers of ten within a range, with what parts them where there are few. */
export function logTicks(low: number, high: number): number[] {
  const all = (factors: readonly number[]): number[] => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const factor of factors) {
        const tick = factor * Number(`1e${power}`);
        if (tick >= low && tick <= high) found.push(tick);
      }
    return found;
  };
  const fine = all([1, 2, 5]);
  if (fine.length > MOST_LOG_TICKS) return all([1]);
  // Less than a power: round steps.
  return fine.length < 3 ? ticks(low, high, 8) : fine;
}

const CLOCK_STEPS = [1 / 12, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 168];
const MOST_CLOCK_TICKS = 13;

/** Full hours, parts of one or days within a range of hours. */
export function clockTicks(low: number, high: number, most = MOST_CLOCK_TICKS): number[] {
  const step = CLOCK_STEPS.find((one) => (high - low) / one < most) ?? Math.ceil((high - low) / 1_680) * 168;
  const found: number[] = [];
  for (let t = Math.ceil(low / step); t * step <= high; t++) found.push(t * step);
  return found;
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MS_PER_DAY = 86_400_000;

/** Hours from the midnight of a day as a time of day; at midnight as the day. */
export function clock(hours: number, firstDay: string | number): string {
  const { date, time, isMidnight } = momentOf(hours, firstDay);
  return isMidnight ? date : time;
}

/** Hours from the midnight of a day as a day and a time of day. */
export function moment(hours: number, firstDay: string | number): string {
  const { date, time } = momentOf(hours, firstDay);
  return `${date} ${time}`;
}

function momentOf(
  hours: number,
  firstDay: string | number,
): { readonly date: string; readonly time: string; readonly isMidnight: boolean } {
  const minutes = Math.round(hours * 60);
  const day = Math.floor(minutes / 1_440);
  const ofDay = minutes - 1_440 * day;
  const date =
    typeof firstDay === 'number'
      ? WEEKDAYS[(firstDay + day) % 7]!
      : new Date(Date.parse(firstDay) + day * MS_PER_DAY).toISOString().slice(0, 10);
  const two = (n: number): string => String(n).padStart(2, '0');
  return { date, time: `${two(Math.floor(ofDay / 60))}:${two(ofDay % 60)}`, isMidnight: ofDay === 0 };
}
