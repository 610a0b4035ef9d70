const decoder = new TextDecoder();

/**
 * The whole number ≥ 0 written in `bytes[start, end)`, or −1 where that is not one. A fraction of
 * zeros (`12.0`) is taken.
 */
export function parseWhole(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 18) return -1;
  let value = 0;
  for (let p = start; p < end; p++) {
    const digit = bytes[p] - 48;
    if (digit < 0 || digit > 9) {
      if (bytes[p] !== 46 || p === start) return -1;
      for (let z = p + 1; z < end; z++) if (bytes[z] !== 48) return -1;
      break;
    }
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const POW10 = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/**
 * The decimal number written in `bytes[start, end)`, correctly rounded, or NaN where that is not
 * one.
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  let digits = 0;
  let mantissa = 0;
  let scale = 0;
  const negative = bytes[p] === 45;
  if (negative) p++;
  const first = p;
  for (; p < end; p++) {
    const digit = bytes[p] - 48;
    if (digit < 0 || digit > 9) break;
    mantissa = mantissa * 10 + digit;
    digits++;
  }
  if (p < end && bytes[p] === 46) {
    for (p++; p < end; p++) {
      const digit = bytes[p] - 48;
      if (digit < 0 || digit > 9) break;
      mantissa = mantissa * 10 + digit;
      digits++;
      scale++;
    }
  }
  if (p === end && digits > 0 && digits <= 15 && scale <= 22) {
    // Both are exact in a double, so that one division rounds correctly (Clinger's fast path).
    const value = mantissa / POW10[scale];
    return negative ? -value : value;
  }
  if (p === first && p < end) return NaN;
  const text = decoder.decode(bytes.subarray(start, end)).trim();
  return DECIMAL.test(text) ? Number(text) : NaN;
}

/**
 * Milliseconds after `originMs` (a whole number of milliseconds since the Unix epoch, so that
 * fractions of a microsecond survive) of `YYYY-MM-DD hh:mm:ss[.fraction][Z|±hh:mm]` (a space or a T
 * between), UTC where no zone is given; NaN where it is not one.
 */
export function parseTimestampMs(bytes: Uint8Array, start: number, end: number, originMs = 0): number {
  if (
    end - start < 19 ||
    bytes[start + 4] !== 45 ||
    bytes[start + 7] !== 45 ||
    bytes[start + 13] !== 58 ||
    bytes[start + 16] !== 58
  )
    return NaN;
  const separator = bytes[start + 10];
  if (separator !== 32 && separator !== 84) return NaN;
  const year = 100 * twoDigits(bytes, start) + twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  const second = twoDigits(bytes, start + 17);
  if (!(
    year >= 1 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 60
  ))
    return NaN;
  let p = start + 19;
  let fractionMs = 0;
  if (p < end && bytes[p] === 46) {
    let unit = 100;
    for (p++; p < end; p++) {
      const digit = bytes[p] - 48;
      if (digit < 0 || digit > 9) break;
      fractionMs += digit * unit;
      unit /= 10;
    }
  }
  let zoneMs = 0;
  if (p < end) {
    if (bytes[p] === 90 && p + 1 === end) zoneMs = 0;
    else if ((bytes[p] === 43 || bytes[p] === 45) && end - p === 6 && bytes[p + 3] === 58) {
      const hours = twoDigits(bytes, p + 1);
      const minutes = twoDigits(bytes, p + 4);
      if (!(hours <= 23 && minutes <= 59)) return NaN;
      zoneMs = (bytes[p] === 43 ? 1 : -1) * (hours * 60 + minutes) * 60_000;
    } else return NaN;
  }
  return (
    (daysSinceEpoch(year, month, day) * 24 + hour) * 3_600_000 +
    minute * 60_000 +
    second * 1_000 -
    zoneMs -
    originMs +
    fractionMs
  );
}

/** The two digits at `at`, or NaN. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] - 48;
  const ones = bytes[at + 1] - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? 10 * tens + ones : NaN;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}
