import { murmur3x86128 } from './rng.js';

/** What the engines of Node 20, 22 and 24 give on x86-64. */
const KNOWN = '062c710d';

const FUNCTIONS = [
  'exp',
  'log',
  'log1p',
  'log2',
  'log10',
  'expm1',
  'sin',
  'cos',
  'tan',
  'atan',
  'tanh',
  'atanh',
  'sqrt',
  'cbrt',
] as const;

/**
 * Names the arithmetic of this engine: what simulations, forecasts and plans are made of beyond
 * sums and products, to the last bit. The same name, the same results; the language promises
 * nothing of these functions. `undefined` for the arithmetic that all tested engines have in
 * common.
 */
export function oddArithmetic(): string | undefined {
  const values: number[] = [];
  for (const name of FUNCTIONS) {
    for (let i = 1; i <= 200; i++) values.push(Math[name](name === 'atanh' ? i / 201 : i * 0.137));
  }
  const bits = new Uint32Array(Float64Array.from(values).buffer);
  const hash = murmur3x86128(bits.join())[0]!.toString(16).padStart(8, '0');
  return hash === KNOWN ? undefined : hash;
}
