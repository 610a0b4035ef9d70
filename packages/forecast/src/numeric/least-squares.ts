/**
 * Solves (A + ridge · diag) x = b for a symmetric positive semi-definite A of n × n, row by row, by
 * Cholesky; A is overwritten. A pivot that has vanished, as of a column that is a copy of others,
 * gets the coefficient 0.
 */
function solveSymmetric(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const dead = new Uint8Array(n);
  for (let j = 0; j < n; j++) {
    const original = a[j * n + j];
    let pivot = original;
    for (let k = 0; k < j; k++) pivot -= a[j * n + k] * a[j * n + k];
    if (!(pivot > 1e-11 * original)) {
      dead[j] = 1;
      for (let i = j; i < n; i++) a[i * n + j] = 0;
      continue;
    }
    const root = Math.sqrt(pivot);
    a[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = sum / root;
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    if (dead[i] === 1) {
      x[i] = 0;
      continue;
    }
    for (let k = 0; k < i; k++) x[i] -= a[i * n + k] * x[k];
    x[i] /= a[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    if (dead[i] === 1) {
      x[i] = 0;
      continue;
    }
    for (let k = i + 1; k < n; k++) x[i] -= a[k * n + i] * x[k];
    x[i] /= a[i * n + i];
  }
  return x;
}

/**
 * Coefficients of y on the columns of X (rows × columns, row by row) by normal equations.
 * `ridge` is added to each diagonal entry but the first, the intercept, as a share of it.
 */
export function leastSquares(x: Float64Array, y: Float64Array, columns: number, ridge = 0): Float64Array {
  const rows = y.length;
  const xx = new Float64Array(columns * columns);
  const xy = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    const at = r * columns;
    const target = y[r];
    for (let i = 0; i < columns; i++) {
      const v = x[at + i];
      if (v === 0) continue;
      xy[i] += v * target;
      const row = i * columns;
      for (let j = 0; j <= i; j++) xx[row + j] += v * x[at + j];
    }
  }
  if (ridge > 0) for (let i = 1; i < columns; i++) xx[i * columns + i] *= 1 + ridge;
  return solveSymmetric(xx, xy);
}
