import { power, type Rng } from '@sageserve/core';

/** Standard normal deviate by the polar method (Marsaglia and Bray, 1964). */
export function normalDeviate(rng: Rng): number {
  for (;;) {
    const u = 2 * rng.next() - 1;
    const v = 2 * rng.next() - 1;
    const s = u * u + v * v;
    if (s < 1 && s > 0) return u * Math.sqrt((-2 * Math.log(s)) / s);
  }
}

/** Gamma deviate with a shape above 0 and scale 1 (Marsaglia and Tsang, 2000). */
export function gammaDeviate(shape: number, rng: Rng): number {
  if (shape < 1) return gammaDeviate(shape + 1, rng) * Math.exp(Math.log(1 - rng.next()) / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normalDeviate(rng);
    const root = 1 + c * x;
    if (!(root > 0)) continue;
    const v = power(root, 3);
    if (Math.log(1 - rng.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** The shape parameter of a Weibull law with a given coefficient of variation, by bisection. */
export function weibullShape(cv: number): number {
  let low = 0.1;
  let high = 10;
  for (let i = 0; i < 200; i++) {
    const k = (low + high) / 2;
    const first = gamma(1 + 1 / k);
    if (Math.sqrt(gamma(1 + 2 / k) / (first * first) - 1) > cv) low = k;
    else high = k;
  }
  return (low + high) / 2;
}

/** Γ(x) for x ≥ 0.5: the Lanczos approximation with g = 7 (about 15 digits). */
export function gamma(x: number): number {
  const z = x - 1;
  let sum = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i] / (z + i);
  const t = z + 7.5;
  return Math.sqrt(2 * Math.PI) * Math.exp((z + 0.5) * Math.log(t) - t) * sum;
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;
