import {
  ConfigError,
  type DemandSeries,
  type ModelId,
  modelId,
  regionId,
  TIER_NON_INTERACTIVE,
  type TokenMix,
  TraceFormatError,
} from '@sageserve/core';
import type { TraceStream } from '@sageserve/trace';

export interface TraceDemandOptions {
  readonly stepMs: number;
  /** Count non-interactive requests too; they are left out by default, as they can wait. */
  readonly allTiers?: boolean;
  /** Traffic without an interactive request has no series; it is an error otherwise. */
  readonly allowNone?: boolean;
  /** The trace is known to be whole up to then, and ends there. */
  readonly wholeUntilMs?: number;
  readonly onBatch?: (requests: number, lastArrivalMs: number) => Promise<void> | undefined;
}

export interface TraceDemand {
  readonly series: DemandSeries[];
  readonly requests: number;
  /** Non-interactive requests that were left out. */
  readonly leftOut: number;
  /** Their tokens/s by model, all regions together, in the same buckets. */
  readonly leftOutTokensPerS: ReadonlyMap<ModelId, Float64Array>;
  /** Their mean shape by model. */
  readonly leftOutMix: ReadonlyMap<ModelId, TokenMix>;
}

/** Buckets that a trace may span: more is a wrong time rather than a long trace. */
const MAX_BUCKETS = 1_000_000;
/**
 * Buckets of all series together: two weeks of a thousand in buckets of ten minutes are two
 * million.
 */
export const MOST_CELLS = 10_000_000;

/**
 * Demand by model and region of origin in buckets of `stepMs` from the start of the trace, both
 * kinds of tokens in the bucket of the arrival. The last bucket is left out unless it is the only
 * one, since the trace ends within it. Throws `TraceFormatError` for a trace without requests.
 */
export async function demandOfTrace(
  trace: TraceStream,
  file: string,
  options: TraceDemandOptions,
): Promise<TraceDemand> {
  const { stepMs } = options;
  const cells = new Map<
    number,
    { model: number; region: number; columns: readonly [prompt: number[], output: number[], count: number[]] }
  >();
  let buckets = 0;
  let requests = 0;
  let leftOut = 0;
  const waiting = new Map<number, number[]>();
  const shapes = new Map<number, { prompt: number; output: number; requests: number }>();
  for await (const batch of trace.batches()) {
    for (let i = 0; i < batch.length; i++) {
      const bucket = Math.floor(batch.arrivedAtMs[i]! / stepMs);
      if (bucket >= MAX_BUCKETS)
        throw new ConfigError('--step', `${file} spans more than ${MAX_BUCKETS} buckets of ${stepMs / 1_000} s`, {
          hint: 'Choose a longer one.',
        });
      buckets = Math.max(buckets, bucket + 1);
      if ((cells.size + waiting.size) * buckets > MOST_CELLS)
        throw new ConfigError(
          '--step',
          `${file} has ${cells.size + waiting.size} series over ${buckets} buckets of ${stepMs / 1_000} s: more ` +
            `than ${MOST_CELLS.toLocaleString('en-US')} in all`,
          { hint: 'Choose a longer one, or give a part of the trace.' },
        );
      if (batch.tier[i] === TIER_NON_INTERACTIVE && options.allTiers !== true) {
        leftOut++;
        let column = waiting.get(batch.model[i]!);
        if (column === undefined) waiting.set(batch.model[i]!, (column = []));
        while (column.length <= bucket) column.push(0);
        column[bucket]! += batch.promptTokens[i]! + batch.outputTokens[i]!;
        let shape = shapes.get(batch.model[i]!);
        if (shape === undefined) shapes.set(batch.model[i]!, (shape = { prompt: 0, output: 0, requests: 0 }));
        shape.prompt += batch.promptTokens[i]!;
        shape.output += batch.outputTokens[i]!;
        shape.requests++;
        continue;
      }
      requests++;
      const id = batch.model[i]! * 65_536 + batch.originRegion[i]!;
      let cell = cells.get(id);
      if (cell === undefined) {
        cell = { model: batch.model[i]!, region: batch.originRegion[i]!, columns: [[], [], []] };
        cells.set(id, cell);
      }
      const [prompt, output, count] = cell.columns;
      while (count.length <= bucket) {
        prompt.push(0);
        output.push(0);
        count.push(0);
      }
      prompt[bucket]! += batch.promptTokens[i]!;
      output[bucket]! += batch.outputTokens[i]!;
      count[bucket]!++;
    }
    const pause = options.onBatch?.(requests + leftOut, batch.length === 0 ? 0 : batch.arrivedAtMs[batch.length - 1]!);
    if (pause !== undefined) await pause;
  }
  if (requests === 0 && !(options.allowNone === true))
    throw new TraceFormatError(
      { file, line: 1 },
      leftOut === 0 ? 'has no requests' : 'has no interactive requests',
      leftOut === 0 ? {} : { hint: 'Count all with --all-tiers.' },
    );
  const length =
    options.wholeUntilMs === undefined
      ? Math.max(1, buckets - 1)
      : Math.max(1, Math.floor(options.wholeUntilMs / stepMs));
  const startMs = trace.startEpochMs ?? 0;
  const series = [...cells.values()]
    .toSorted((a, b) => a.model - b.model || a.region - b.region)
    .map(({ model, region, columns }): DemandSeries => {
      const [prompt, output, count] = columns.map((column) =>
        Float64Array.from({ length }, (_, t) => ((column[t] ?? 0) * 1_000) / stepMs),
      );
      return {
        key: {
          modelId: modelId(trace.dictionaries.models[model]!),
          regionId: regionId(trace.dictionaries.regions[region]!),
        },
        startMs,
        stepMs,
        promptTokensPerS: prompt!,
        outputTokensPerS: output!,
        requestsPerS: count!,
      };
    });
  const leftOutTokensPerS = new Map(
    [...waiting].map(([model, column]) => [
      modelId(trace.dictionaries.models[model]!),
      Float64Array.from({ length }, (_, t) => ((column[t] ?? 0) * 1_000) / stepMs),
    ]),
  );
  const leftOutMix = new Map(
    [...shapes].map(([model, { prompt, output, requests: n }]) => [
      modelId(trace.dictionaries.models[model]!),
      { promptTokens: prompt / n, outputTokens: output / n },
    ]),
  );
  return { series, requests, leftOut, leftOutTokensPerS, leftOutMix };
}
