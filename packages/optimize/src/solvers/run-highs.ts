import highsLoader, { type Highs, type ModelData } from 'highs';
import type { IntegerAnswer } from './integer-solver.js';
import type { Job } from './job.js';

// Its types describe CommonJS; as an ES module the default export is the loader itself.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;

/** HiGHS takes values this close to whole numbers for whole. */
const INTEGRALITY = 1e-6;

/** Columns up to which the relaxation is solved once more for prices of rows. */
const MOST_PRICED = 20_000;

let loading: Promise<Highs> | undefined;

/** Runs HiGHS in this thread until it is done or its time is up. */
export async function runHighs(
  { model, timeLimitMs, relativeGap, start }: Job,
  improve: (values: Float64Array, bound: number | undefined) => void,
): Promise<IntegerAnswer> {
  loading ??= loadHighs();
  const highs = await loading;
  const { modelStatus, variableType } = highs.constants;
  const relaxed: ModelData = {
    numCols: model.objective.length,
    numRows: model.rowLower.length,
    offset: model.constant,
    colCost: model.objective,
    colLower: model.lower,
    colUpper: model.upper,
    rowLower: model.rowLower,
    rowUpper: model.rowUpper,
    matrix: {
      format: 'csr',
      numRows: model.rowLower.length,
      numCols: model.objective.length,
      starts: model.starts,
      indices: model.columns,
      values: model.values,
    },
  };
  const native = highs.createModel({
    ...relaxed,
    integrality: Int32Array.from(model.integer, (whole) =>
      whole === 1 ? variableType.integer : variableType.continuous,
    ),
  });
  /** Whole numbers have no duals: those of the program that lets them be fractions. */
  const relaxedDuals = (): Float64Array | undefined =>
    highs.withModel(relaxed, (linear) => {
      linear.options.set({ output_flag: false });
      linear.run();
      return linear.getModelStatus() === modelStatus.optimal
        ? Float64Array.from(linear.getSolution().rowDual)
        : undefined;
    });
  try {
    native.options.set({
      output_flag: false,
      mip_rel_gap: relativeGap,
      mip_abs_gap: 1e-9,
      mip_feasibility_tolerance: INTEGRALITY,
    });
    if (timeLimitMs < Infinity) native.options.set({ time_limit: timeLimitMs / 1_000 });
    if (start !== undefined) native.setSolution({ indices: start.columns, values: start.values });
    let bound: number | undefined;
    native.run({
      [highs.constants.callbackType.mipImprovingSolution]: ({ data }) => {
        bound = data.mip_dual_bound ?? bound;
        if (data.mip_solution !== undefined) improve(data.mip_solution, bound);
      },
    });
    const status = native.getModelStatus();
    const integral = model.integer.some((whole) => whole === 1);
    const info = (name: string): number => Number(native.info.get(name));
    if (status === modelStatus.infeasible || status === modelStatus.unboundedOrInfeasible)
      return { status: 'infeasible', integrality: INTEGRALITY };
    if (status !== modelStatus.optimal && status !== modelStatus.timeLimit && status !== modelStatus.empty)
      throw new Error(`HiGHS ended with the model status ${status}`);
    // 2: a feasible point is there.
    const found = info('primal_solution_status') === 2;
    const proven = integral
      ? info('mip_dual_bound')
      : status === modelStatus.optimal
        ? native.getObjectiveValue()
        : -Infinity;
    const withBound = Number.isFinite(proven) ? { bound: proven } : {};
    if (!found)
      return {
        status: status === modelStatus.timeLimit ? 'timed-out' : 'not-found',
        integrality: INTEGRALITY,
        ...withBound,
      };
    const values = Float64Array.from(native.getSolution().colValue);
    const rowDuals =
      integral && status === modelStatus.optimal && model.objective.length <= MOST_PRICED ? relaxedDuals() : undefined;
    return {
      status: status === modelStatus.timeLimit ? 'feasible' : 'optimal',
      values,
      integrality: INTEGRALITY,
      ...withBound,
      ...(rowDuals === undefined ? {} : { rowDuals }),
    };
  } finally {
    native.dispose();
  }
}
