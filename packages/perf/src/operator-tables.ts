import { ConfigError, type DeploymentPerformance } from '@sageserve/core';
import { Grid } from './grid.js';
import { PiecewiseLinear, runningMaximum } from './piecewise-linear.js';
import { sustainedTokensPerS } from './throughput.js';

export interface AttentionRow {
  readonly prefillChunk: number;
  readonly kvPrefill: number;
  readonly decodes: number;
  /** Context of each decoding request. */
  readonly kvDecode: number;
  readonly timeUs: number;
}

/**
 * Times of single operators on one GPU, in microseconds, as LLMServingSim's profiler measures them.
 */
export interface OperatorTables {
  readonly dense: readonly { readonly layer: string; readonly tokens: number; readonly timeUs: number }[];
  readonly perSequence: readonly { readonly layer: string; readonly sequences: number; readonly timeUs: number }[];
  readonly attention: readonly AttentionRow[];
}

export interface OperatorTablesOptions {
  /** Transformer layers of the model. */
  readonly layers: number;
  readonly kvCapacityTokens: number;
}

/**
 * How often each dense operator runs in a layer of a Llama-like model; the two that run once an
 * iteration are apart.
 */
const PER_LAYER: Readonly<Record<string, number>> = {
  qkv_proj: 1,
  rotary_emb: 1,
  o_proj: 1,
  gate_up_proj: 1,
  act_fn: 1,
  down_proj: 1,
  layernorm: 2,
};
/** Operators that some of those models have beside them, once in a layer. */
const SOME_PER_LAYER: Readonly<Record<string, number>> = { qk_norm: 1 };
const ONCE = ['embedding', 'final_layernorm'] as const;

/**
 * Iteration time as the sum of its operators: dense ones by tokens, attention by chunk, context and
 * decodes, the sampler by sequences. No host overhead is added.
 *
 * Attention of prompts and decodes in one kernel is slower than either alone and is not their sum:
 * it is read from rows measured together (trilinear in chunk, decodes and context), with what
 * earlier chunks add taken from the rows of prompts alone. Rows off the power-of-two grid are left
 * out: only that part is complete ({@link operatorsNotUsed} says which). Throws `ConfigError` that
 * names the missing operator or point.
 */
export function createOperatorTablesPerformance(
  tables: OperatorTables,
  options: OperatorTablesOptions,
): DeploymentPerformance {
  const { layers, kvCapacityTokens } = options;
  const dense = denseCurve(tables, layers);
  const sequences = sequenceCurve(tables);
  const rows = tables.attention.filter((r) => onGrid(r.prefillChunk) && onGrid(r.kvPrefill) && onGrid(r.kvDecode));
  const decodeOnly = gridOf(
    'decode-only attention',
    rows.filter((r) => r.prefillChunk === 0 && r.kvPrefill === 0 && r.decodes > 0),
    (r) => [r.decodes, r.kvDecode],
  );
  const prefillOnly = gridOf(
    'prefill-only attention',
    rows.filter((r) => r.prefillChunk > 0 && r.decodes === 0),
    (r) => [r.prefillChunk, r.kvPrefill],
  );
  const mixed = gridOf(
    'mixed attention',
    rows.filter((r) => r.prefillChunk > 0 && r.decodes > 0 && r.kvPrefill === 0),
    (r) => [r.prefillChunk, r.decodes, r.kvDecode],
  );
  const performance = {
    kvCapacityTokens,
    iterationMs(prefillTokens: number, decodeRequests: number, kvTokens: number, prefillContextTokens: number): number {
      const context = decodeRequests > 0 ? kvTokens / decodeRequests : 0;
      let attentionUs: number;
      if (prefillTokens === 0) attentionUs = decodeOnly.at(decodeRequests, context);
      else if (decodeRequests === 0) attentionUs = prefillOnly.at(prefillTokens, prefillContextTokens);
      else
        attentionUs =
          mixed.at(prefillTokens, decodeRequests, context) +
          prefillOnly.at(prefillTokens, prefillContextTokens) -
          prefillOnly.at(prefillTokens, 0);
      return (
        (dense.at(prefillTokens + decodeRequests) +
          sequences.at(decodeRequests + (prefillTokens > 0 ? 1 : 0)) +
          layers * attentionUs) /
        1_000
      );
    },
  };
  return { ...performance, maxTokensPerS: (mix) => sustainedTokensPerS(performance, mix) };
}

/**
 * What of the tables {@link createOperatorTablesPerformance} does not read, for people: operators
 * that it does not know, and how many rows of attention lie off the grid.
 */
export function operatorsNotUsed(tables: OperatorTables): string[] {
  const unused = new Map<string, number>();
  const known = [...Object.keys({ ...PER_LAYER, ...SOME_PER_LAYER }), ...ONCE];
  for (const { layer } of tables.dense) if (!known.includes(layer)) unused.set(layer, (unused.get(layer) ?? 0) + 1);
  const off = tables.attention.filter(({ prefillChunk, kvPrefill, kvDecode, decodes }) => {
    const grid = onGrid(prefillChunk) && onGrid(kvPrefill) && onGrid(kvDecode);
    return !grid || (decodes > 0 && kvPrefill > 0);
  }).length;
  return [
    ...[...unused].map(([layer, rows]) => `${layer} (${rows} rows)`),
    ...(off > 0 ? [`attention off the power-of-two grid or with earlier chunks beside decodes (${off} rows)`] : []),
  ];
}

const onGrid = (value: number): boolean => value === 0 || Number.isInteger(Math.log2(value));

/**
 * Time of all dense operators of an iteration by its tokens, made non-decreasing where the
 * measurement wavers.
 */
function denseCurve(tables: OperatorTables, layers: number): PiecewiseLinear {
  const curves = new Map<string, PiecewiseLinear>();
  const some = Object.entries(SOME_PER_LAYER).filter(([layer]) => tables.dense.some((r) => r.layer === layer));
  const perLayer = Object.entries(PER_LAYER).concat(some);
  for (const layer of [...perLayer.map(([name]) => name), ...ONCE])
    curves.set(
      layer,
      curveOf(
        layer,
        tables.dense.filter((r) => r.layer === layer).map((r) => [r.tokens, r.timeUs] as const),
      ),
    );
  const tokens = [...new Set(tables.dense.map((r) => r.tokens))].sort((a, b) => a - b);
  const sums = tokens.map((t) => {
    let us = 0;
    for (const [layer, times] of perLayer) us += layers * times * curves.get(layer)!.at(t);
    for (const layer of ONCE) us += curves.get(layer)!.at(t);
    return us;
  });
  return new PiecewiseLinear(tokens, runningMaximum(sums));
}

function sequenceCurve(tables: OperatorTables): PiecewiseLinear {
  const names = [...new Set(tables.perSequence.map((r) => r.layer))];
  const curves = names.map((name) =>
    curveOf(
      name,
      tables.perSequence.filter((r) => r.layer === name).map((r) => [r.sequences, r.timeUs] as const),
    ),
  );
  const sequences = [...new Set(tables.perSequence.map((r) => r.sequences))].sort((a, b) => a - b);
  return new PiecewiseLinear(
    sequences,
    runningMaximum(sequences.map((s) => curves.reduce((us, curve) => us + curve.at(s), 0))),
  );
}

function curveOf(name: string, points: readonly (readonly [number, number])[]): PiecewiseLinear {
  if (points.length === 0) throw new ConfigError('dense', `there are no rows for the operator ${name}`);
  const sorted = [...points].sort((a, b) => a[0] - b[0]);
  return new PiecewiseLinear(
    sorted.map((p) => p[0]),
    sorted.map((p) => p[1]),
  );
}

function gridOf(name: string, rows: readonly AttentionRow[], key: (row: AttentionRow) => number[]): Grid {
  if (rows.length === 0) throw new ConfigError('attention', `there are no rows of ${name}`);
  const keys = rows.map(key);
  const axes = keys[0].map((_, d) => [...new Set(keys.map((k) => k[d]))].sort((a, b) => a - b));
  const values = new Float64Array(axes.reduce((product, axis) => product * axis.length, 1)).fill(NaN);
  for (const [i, row] of rows.entries())
    values[keys[i].reduce((offset, x, d) => offset * axes[d].length + axes[d].indexOf(x), 0)] = row.timeUs;
  const missing = values.findIndex((v) => !(v === v));
  if (missing !== -1) {
    const point: number[] = [];
    for (let d = axes.length - 1, rest = missing; d >= 0; d--) {
      point.unshift(axes[d][rest % axes[d].length]);
      rest = Math.floor(rest / axes[d].length);
    }
    throw new ConfigError('attention', `${name} has no row at (${point.join(', ')})`, {
      hint: 'The power-of-two part of the table must be complete.',
    });
  }
  return new Grid(axes, values);
}
