import type { Rng } from 'sageserve';

export const whole = (rng: Rng, below: number): number => Math.floor(rng.next() * below);
export const pick = <T>(rng: Rng, values: readonly T[]): T => values[whole(rng, values.length)]!;
export const chance = (rng: Rng, share: number): boolean => rng.next() < share;

/** Numbers that break what has not thought of them. */
export const ODD_NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e-300,
  5e-324,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e15,
  1e16,
  1e21,
  1e100,
  1e308,
  -1e308,
  1e9,
  1e12,
  NaN,
  Infinity,
  -Infinity,
] as const;

/** Text that stands where a number, a name or a field should. */
export const ODD_TEXT = [
  '',
  ' ',
  '0',
  '-0',
  '-1',
  '1e400',
  '-1e400',
  '1e-400',
  'NaN',
  'Infinity',
  'null',
  'true',
  '0x10',
  '1_000',
  '٣',
  '1.',
  '.5',
  '1e',
  '+5',
  '--5',
  '9'.repeat(400),
  '0.'.padEnd(400, '9'),
  '1700158546.68',
  '1700158546680',
  '1e300',
  '"',
  '""',
  '"a',
  'a"b',
  ',',
  ',,',
  '\t',
  '\r',
  '#',
  '# start=now',
  '# start=99999-01-01',
  '\u0000',
  '\u001b[2J',
  '\u202e',
  '\ufeff',
  '\ud800',
  '__proto__',
  'constructor',
  'toString',
  '../evil',
  'interactive-fast',
  'niw',
  'eastus|westus',
  'eastus|eastus',
  '120',
  '=1+1',
  '<script>',
  'x'.repeat(5_000),
] as const;

/** Some bytes changed, taken out, put in or said twice. */
export function mutateBytes(rng: Rng, bytes: Uint8Array): Uint8Array {
  let out = Uint8Array.from(bytes);
  for (let n = 1 + whole(rng, 6); n > 0; n--) {
    const at = whole(rng, Math.max(1, out.length));
    switch (whole(rng, 8)) {
      case 0:
      case 1:
        if (out.length > 0) out[at]! ^= 1 << whole(rng, 8);
        break;
      case 2:
        if (out.length > 0) out[at] = pick(rng, [0, 1, 0x7f, 0x80, 0xff, whole(rng, 256)]);
        break;
      case 3:
        out = joined(out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + whole(rng, 40))));
        break;
      case 4:
        out = joined(
          out.subarray(0, at),
          Uint8Array.from({ length: 1 + whole(rng, 12) }, () => whole(rng, 256)),
          out.subarray(at),
        );
        break;
      case 5:
        out = joined(out.subarray(0, at), out.subarray(Math.max(0, at - whole(rng, 60)), at), out.subarray(at));
        break;
      case 6:
        // A number of four bytes, as lengths and counts are.
        for (const [i, byte] of pick(rng, [
          [0xff, 0xff, 0xff, 0xff],
          [0xff, 0xff, 0xff, 0x7f],
          [0, 0, 0, 0x80],
          [0, 0, 0, 0],
        ]).entries())
          if (at + i < out.length) out[at + i] = byte;
        break;
      default:
        if (chance(rng, 0.2)) out = out.subarray(0, at);
        else out.fill(pick(rng, [0x80, 0xff, 0]), at, Math.min(out.length, at + 1 + whole(rng, 16)));
    }
  }
  return out;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
