import type { IntegerModel } from '../integer-model.js';
import type { IntegerAnswer } from './integer-solver.js';

/** What is asked of the worker. */
export interface Job {
  readonly solver: 'highs' | 'javascript-lp-solver';
  readonly model: IntegerModel;
  readonly timeLimitMs: number;
  readonly relativeGap: number;
  readonly start: { readonly columns: Int32Array; readonly values: Float64Array } | undefined;
}

/** What it says: solutions on the way, then the answer or an error. */
export type Report =
  | { readonly improved: Float64Array; readonly bound: number | undefined }
  | { readonly answer: IntegerAnswer }
  | { readonly error: string };
