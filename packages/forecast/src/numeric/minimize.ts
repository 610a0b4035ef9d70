/** What a minimiser found. */
export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
}

const GRADIENT_STEP = 1e-6;

/**
 * Forward differences at a point where `f` is `base`; backward ones where `f` is not defined ahead,
 * and 0 where it is not on either side.
 */
function gradientAt(f: (x: Float64Array) => number, at: Float64Array, base: number): Float64Array {
  const gradient = new Float64Array(at.length);
  const probe = Float64Array.from(at);
  for (let i = 0; i < at.length; i++) {
    const step = GRADIENT_STEP * (1 + Math.abs(at[i]));
    probe[i] = at[i] + step;
    let shifted = f(probe);
    let width = step;
    if (!Number.isFinite(shifted)) {
      probe[i] = at[i] - step;
      shifted = f(probe);
      width = -step;
    }
    gradient[i] = Number.isFinite(shifted) ? (shifted - base) / width : 0;
    probe[i] = at[i];
  }
  return gradient;
}

/**
 * Quasi-Newton descent (BFGS, Nocedal and Wright 2006, §6.1) with forward differences and a
 * backtracking line search. `f` may return Infinity where it is not defined; the start must be
 * finite. Deterministic.
 */
export function minimizeBfgs(
  f: (x: Float64Array) => number,
  start: Float64Array,
  maxIterations = 100,
  tolerance = 1e-9,
): Minimum {
  const n = start.length;
  let x = Float64Array.from(start);
  let value = f(x);
  if (n === 0 || !Number.isFinite(value)) return { x, value };
  let gradient = gradientAt(f, x, value);
  const inverse = identity(n);
  let fresh = true;
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const direction = new Float64Array(n);
    let slope = 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum -= inverse[i * n + j] * gradient[j];
      direction[i] = sum;
      slope += sum * gradient[i];
    }
    if (!(slope < 0)) {
      if (fresh) break;
      inverse.set(identity(n));
      fresh = true;
      continue;
    }
    let step = fresh ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    const next = new Float64Array(n);
    let nextValue = Infinity;
    for (let tries = 0; tries < 30; tries++, step *= 0.4) {
      for (let i = 0; i < n; i++) next[i] = x[i] + step * direction[i];
      nextValue = f(next);
      if (nextValue <= value + 1e-4 * step * slope) break;
    }
    if (!(nextValue < value)) {
      if (fresh) break;
      inverse.set(identity(n));
      fresh = true;
      continue;
    }
    const nextGradient = gradientAt(f, next, nextValue);
    const improvement = value - nextValue;
    const s = new Float64Array(n);
    const y = new Float64Array(n);
    let sy = 0;
    let yy = 0;
    for (let i = 0; i < n; i++) {
      s[i] = next[i] - x[i];
      y[i] = nextGradient[i] - gradient[i];
      sy += s[i] * y[i];
      yy += y[i] * y[i];
    }
    if (sy > 1e-14 * yy) {
      if (fresh) for (let i = 0; i < n; i++) inverse[i * n + i] = sy / yy;
      updateInverse(inverse, s, y, sy);
      fresh = false;
    }
    x = next;
    value = nextValue;
    gradient = nextGradient;
    if (improvement <= tolerance * (1 + Math.abs(value))) break;
  }
  return { x, value };
}

function identity(n: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = 1;
  return matrix;
}

function updateInverse(inverse: Float64Array, s: Float64Array, y: Float64Array, sy: number): void {
  const n = s.length;
  const hy = new Float64Array(n);
  let yhy = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) hy[i] += inverse[i * n + j] * y[j];
    yhy += y[i] * hy[i];
  }
  const scale = (1 + yhy / sy) / sy;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) inverse[i * n + j] += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy;
  }
}

/**
 * Downhill simplex (Nelder and Mead 1965) inside a box: points outside are moved to its edge, so
 * that optima on the edge are reached exactly.
 */
export function minimizeInBox(
  f: (x: Float64Array) => number,
  start: Float64Array,
  lower: Float64Array,
  upper: Float64Array,
  maxEvaluations = 400,
  tolerance = 1e-9,
): Minimum {
  const n = start.length;
  if (n === 0) return { x: Float64Array.from(start), value: f(start) };
  const clamp = (x: Float64Array): Float64Array => {
    for (let i = 0; i < n; i++) x[i] = Math.min(upper[i], Math.max(lower[i], x[i]));
    return x;
  };
  const points: { x: Float64Array; value: number }[] = [];
  for (let k = 0; k <= n; k++) {
    const x = Float64Array.from(start);
    if (k > 0) {
      const width = upper[k - 1] - lower[k - 1];
      x[k - 1] += x[k - 1] + 0.15 * width <= upper[k - 1] ? 0.15 * width : -0.15 * width;
    }
    clamp(x);
    points.push({ x, value: f(x) });
  }
  let evaluations = n + 1;
  const along = (centre: Float64Array, from: Float64Array, factor: number): { x: Float64Array; value: number } => {
    const x = clamp(Float64Array.from(centre, (c, i) => c + factor * (from[i] - c)));
    evaluations++;
    return { x, value: f(x) };
  };
  while (evaluations < maxEvaluations) {
    points.sort((a, b) => a.value - b.value);
    const best = points[0];
    const worst = points[n];
    let size = 0;
    for (let i = 0; i < n; i++) size = Math.max(size, Math.abs(worst.x[i] - best.x[i]) / (upper[i] - lower[i]));
    if (worst.value - best.value <= tolerance * (Math.abs(best.value) + 1e-300) && size < 1e-3) break;
    if (size < 1e-9) break;
    const centre = new Float64Array(n);
    for (let k = 0; k < n; k++) for (let i = 0; i < n; i++) centre[i] += points[k].x[i] / n;
    const reflected = along(centre, worst.x, -1);
    if (reflected.value < best.value) {
      const expanded = along(centre, worst.x, -2);
      points[n] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < points[n - 1].value) {
      points[n] = reflected;
    } else {
      const contracted = reflected.value < worst.value ? along(centre, worst.x, -0.5) : along(centre, worst.x, 0.5);
      if (contracted.value < Math.min(reflected.value, worst.value)) points[n] = contracted;
      else for (let k = 1; k <= n; k++) points[k] = along(best.x, points[k].x, 0.5);
    }
  }
  points.sort((a, b) => a.value - b.value);
  return points[0];
}
