/** A stream of reproducible random numbers. */
export interface Rng {
  /** The next number, uniform on [0, 1) with 53 bits. */
  next(): number;
  /**
   * An independent stream that depends only on this stream's seed and `name`, not on how much was
   * drawn from it.
   */
  fork(name: string): Rng;
}

/**
 * Seeded generator: xoshiro128** 1.1 (Blackman and Vigna, 2018), its state filled by MurmurHash3
 * x86 128 (Appleby) of the seed. Only 32-bit integer arithmetic is used, so that the same seed
 * gives the same numbers on every machine and Node version.
 */
export function createRng(seed: number | string): Rng {
  return new Xoshiro128(typeof seed === 'number' ? `#${seed}` : seed);
}

/** Numbers that are drawn at once: the state then stays in registers. */
const DRAWN = 64;

class Xoshiro128 implements Rng {
  readonly #seed: string;
  readonly #s: Int32Array;
  readonly #drawn = new Float64Array(DRAWN);
  #at = DRAWN;

  constructor(seed: string) {
    this.#seed = seed;
    this.#s = new Int32Array(murmur3x86128(seed));
    // The all-zero state is the one that xoshiro cannot leave.
    if ((this.#s[0]! | this.#s[1]! | this.#s[2]! | this.#s[3]!) === 0) this.#s[0] = 1;
  }

  next(): number {
    if (this.#at === DRAWN) this.#draw();
    return this.#drawn[this.#at++]!;
  }

  /** As many steps of {@link nextUint32}, two for each number. */
  #draw(): void {
    const s = this.#s;
    let a = s[0]!;
    let b = s[1]!;
    let c = s[2]!;
    let d = s[3]!;
    for (let i = 0; i < DRAWN; i++) {
      let x = Math.imul(b, 5);
      const high = Math.imul((x << 7) | (x >>> 25), 9) >>> 5;
      let t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
      x = Math.imul(b, 5);
      const low = Math.imul((x << 7) | (x >>> 25), 9) >>> 6;
      t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
      this.#drawn[i] = (high * 67_108_864 + low) / 9_007_199_254_740_992;
    }
    s[0] = a;
    s[1] = b;
    s[2] = c;
    s[3] = d;
    this.#at = 0;
  }

  fork(name: string): Rng {
    return new Xoshiro128(`${this.#seed}/${name}`);
  }
}

/** One step of xoshiro128** 1.1 on a state of four words, in place. */
export function nextUint32(s: Uint32Array): number {
  const s1 = s[1]!;
  const x = Math.imul(s1, 5);
  const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
  const t = s1 << 9;
  s[2]! ^= s[0]!;
  s[3]! ^= s1;
  s[1]! ^= s[2]!;
  s[0]! ^= s[3]!;
  s[2]! ^= t;
  const s3 = s[3]!;
  s[3] = (s3 << 11) | (s3 >>> 21);
  return result;
}

const rotl = (x: number, r: number): number => (x << r) | (x >>> (32 - r));

function fmix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** MurmurHash3 x86 128 of the UTF-8 bytes of `text`, seed 0. */
export function murmur3x86128(text: string): Uint32Array {
  const bytes = new TextEncoder().encode(text);
  const c = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
  const blocks = bytes.length >>> 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let b = 0; b < blocks; b++) {
    const at = b * 16;
    h1 ^= Math.imul(rotl(Math.imul(view.getUint32(at, true), c[0]), 15), c[1]);
    h1 = (Math.imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotl(Math.imul(view.getUint32(at + 4, true), c[1]), 16), c[2]);
    h2 = (Math.imul(rotl(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotl(Math.imul(view.getUint32(at + 8, true), c[2]), 17), c[3]);
    h3 = (Math.imul(rotl(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotl(Math.imul(view.getUint32(at + 12, true), c[3]), 18), c[0]);
    h4 = (Math.imul(rotl(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const tail = [0, 0, 0, 0];
  for (let i = blocks * 16; i < bytes.length; i++) {
    const at = i & 15;
    tail[at >>> 2]! |= bytes[i]! << ((at & 3) * 8);
  }
  h4 ^= Math.imul(rotl(Math.imul(tail[3]!, c[3]), 18), c[0]);
  h3 ^= Math.imul(rotl(Math.imul(tail[2]!, c[2]), 17), c[3]);
  h2 ^= Math.imul(rotl(Math.imul(tail[1]!, c[1]), 16), c[2]);
  h1 ^= Math.imul(rotl(Math.imul(tail[0]!, c[0]), 15), c[1]);
  const n = bytes.length;
  h1 ^= n;
  h2 ^= n;
  h3 ^= n;
  h4 ^= n;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = fmix(h1);
  h2 = fmix(h2);
  h3 = fmix(h3);
  h4 = fmix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return Uint32Array.of(h1, h2 + h1, h3 + h1, h4 + h1);
}
