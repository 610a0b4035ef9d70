import javascriptLpSolver, { type Model } from 'javascript-lp-solver';
import { nowMs } from '../wall-clock.js';
import type { IntegerAnswer } from './integer-solver.js';
import type { Job } from './job.js';

// Its types describe CommonJS; as an ES module the default export is the solver itself.
const lpSolver = javascriptLpSolver as unknown as typeof javascriptLpSolver.default;

const INTEGRALITY = 1e-6;

/**
 * Runs javascript-lp-solver in this thread. Only what it says to be integral, and found before its
 * time was up, counts as proven.
 */
export async function runJavascriptLpSolver({ model, timeLimitMs, relativeGap }: Job): Promise<IntegerAnswer> {
  const constraints: Record<string, { min?: number; max?: number }> = {};
  const variables: Record<string, Record<string, number>> = {};
  const ints: Record<string, 1> = {};
  // Bounds are rows here, and every variable starts at 0: columns are counted from their lower
  // bounds.
  const shift = new Float64Array(model.rowLower.length);
  for (const [c, cost] of model.objective.entries()) {
    const coefficients: Record<string, number> = { cost };
    variables[`c${c}`] = coefficients;
    if (model.upper[c] < Infinity) {
      coefficients[`u${c}`] = 1;
      constraints[`u${c}`] = { max: model.upper[c] - model.lower[c] };
    }
    if (model.integer[c] === 1) ints[`c${c}`] = 1;
  }
  for (let r = 0; r < model.rowLower.length; r++) {
    for (let at = model.starts[r]; at < model.starts[r + 1]; at++) {
      const c = model.columns[at];
      variables[`c${c}`][`r${r}`] = model.values[at]!;
      shift[r] += model.values[at] * model.lower[c];
    }
    const bounds: { min?: number; max?: number } = {};
    if (model.rowLower[r] > -Infinity) bounds.min = model.rowLower[r] - shift[r];
    if (model.rowUpper[r] < Infinity) bounds.max = model.rowUpper[r] - shift[r];
    constraints[`r${r}`] = bounds;
  }
  const program: Model = {
    optimize: 'cost',
    opType: 'min',
    constraints,
    variables: variables,
    ints,
    options: { timeout: timeLimitMs, tolerance: relativeGap, exitOnCycles: true },
  };
  const startedAt = nowMs();
  const result = lpSolver.Solve(program) as {
    feasible: boolean;
    bounded: boolean;
    isIntegral?: boolean;
    result: number;
  } & Record<string, number | undefined>;
  const inTime = nowMs() - startedAt < timeLimitMs;
  const integral = Object.keys(ints).length === 0 || result.isIntegral === true;
  if (!result.feasible) return { status: inTime ? 'infeasible' : 'timed-out', integrality: INTEGRALITY };
  const values = Float64Array.from(model.objective, (_, c) => model.lower[c] + (result[`c${c}`] ?? 0));
  const whole = values.every(
    (value, c) => model.integer[c] === 0 || Math.abs(value - Math.round(value)) <= INTEGRALITY,
  );
  if (!whole) return { status: inTime ? 'not-found' : 'timed-out', integrality: INTEGRALITY };
  if (!integral || !inTime) return { status: 'feasible', values, integrality: INTEGRALITY };
  // Not `result.result`: version 1.0.3 sometimes gives that of another node there, beside the right
  // values.
  let objective = model.constant;
  for (const [c, cost] of model.objective.entries()) objective += cost * values[c];
  return { status: 'optimal', values, integrality: INTEGRALITY, bound: objective - relativeGap * Math.abs(objective) };
}
