/** A decimal number without rounding: `digits` × 10^−`places`. */
export interface Decimal {
  readonly digits: bigint;
  readonly places: number;
}

export const ZERO: Decimal = { digits: 0n, places: 0 };

/**
 * The number that a person would write for `value`: 0.55 is 55 hundredths, not the binary fraction
 * next to it. `value` must be finite.
 */
export function decimalOf(value: number): Decimal {
  if (Number.isSafeInteger(value)) return { digits: BigInt(value), places: 0 };
  const [mantissa, exponent = '0'] = String(value).split('e') as [string, string?];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?];
  const places = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return places >= 0 ? { digits, places } : { digits: digits * 10n ** BigInt(-places), places: 0 };
}

export function plus(a: Decimal, b: Decimal): Decimal {
  if (a.places === b.places) return { digits: a.digits + b.digits, places: a.places };
  return a.places > b.places
    ? { digits: a.digits + b.digits * 10n ** BigInt(a.places - b.places), places: a.places }
    : { digits: a.digits * 10n ** BigInt(b.places - a.places) + b.digits, places: b.places };
}

export function times(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, places: a.places + b.places };
}

export function minus(a: Decimal, b: Decimal): Decimal {
  return plus(a, { digits: -b.digits, places: b.places });
}

/** Negative, 0 or positive as `a` is less than, equal to or greater than `b`. */
export function compare(a: Decimal, b: Decimal): number {
  const { digits } = minus(a, b);
  return digits < 0n ? -1 : digits > 0n ? 1 : 0;
}

export function largest(values: readonly Decimal[]): Decimal {
  return values.reduce((a, b) => (compare(b, a) > 0 ? b : a), ZERO);
}

/** `value` × 10^`places`, rounded up or down to a whole number. */
export function scaled(value: Decimal, places: number, rounding: 'up' | 'down'): bigint {
  if (value.places <= places) return value.digits * 10n ** BigInt(places - value.places);
  const unit = 10n ** BigInt(value.places - places);
  const floor = value.digits / unit - (value.digits < 0n && value.digits % unit !== 0n ? 1n : 0n);
  return rounding === 'down' || floor * unit === value.digits ? floor : floor + 1n;
}

export function numberOf(value: Decimal): number {
  return Number(`${value.digits}e${-value.places}`);
}

/** a ÷ b, rounded up to `places` decimals. `b` must be positive. */
export function dividedUp(a: Decimal, b: Decimal, places: number): Decimal {
  const numerator = a.digits * 10n ** BigInt(b.places + places);
  const denominator = b.digits * 10n ** BigInt(a.places);
  const floor = numerator / denominator;
  return { digits: floor * denominator < numerator ? floor + 1n : floor, places };
}
