import { type ModelId, TIER_NON_INTERACTIVE } from '@sageserve/core';
import type { Work } from '@sageserve/optimize';
import type { TraceStream } from '@sageserve/trace';

/** Work that came in a stretch of time. */
interface WindowWork {
  interactive: Work;
  deferrable: Work;
}

/** Work by window of a model's requests that may run in the same regions. */
export interface ArrivedWork {
  readonly model: ModelId;
  /** Names of the regions. */
  readonly regions: readonly string[];
  readonly windows: readonly WindowWork[];
}

interface Sums {
  readonly prompt: number[];
  readonly decodes: number[];
  readonly context: number[];
}

const sums = (): Sums => ({ prompt: [], decodes: [], context: [] });

/**
 * Reads all work of a trace. Requests that `fits` denies are left out: they are turned away.
 * Requests whose regions overlap are taken together, since one may make room for another.
 */
export async function arrivedWork(
  trace: TraceStream,
  hosts: ReadonlyMap<ModelId, readonly string[]>,
  windowMs: number,
  fits: (model: ModelId, tokens: number) => boolean,
  onBatch?: (requests: number, lastArrivalMs: number) => Promise<void> | undefined,
): Promise<{ readonly work: ArrivedWork[]; readonly lastArrivalMs: number }> {
  const { dictionaries } = trace;
  const cells = new Map<string, { model: ModelId; list: number; tiers: readonly [Sums, Sums] }>();
  let lastArrivalMs = 0;
  let requests = 0;
  for await (const batch of trace.batches()) {
    for (let i = 0; i < batch.length; i++) {
      const model = dictionaries.models[batch.model[i]!]! as ModelId;
      const prompt = batch.promptTokens[i]!;
      const output = batch.outputTokens[i]!;
      if (!hosts.has(model) || !fits(model, prompt + output)) continue;
      const list = batch.regionList[i]!;
      const key = `${batch.model[i]}/${list}`;
      let cell = cells.get(key);
      if (cell === undefined) cells.set(key, (cell = { model, list, tiers: [sums(), sums()] }));
      const { prompt: prompts, decodes, context } = cell.tiers[batch.tier[i] === TIER_NON_INTERACTIVE ? 1 : 0];
      const w = Math.floor(batch.arrivedAtMs[i]! / windowMs);
      const more = output - 1;
      prompts[w] = (prompts[w] ?? 0) + prompt;
      decodes[w] = (decodes[w] ?? 0) + more;
      // The first decode reads the prompt and the first token, the next one more.
      context[w] = (context[w] ?? 0) + more * prompt + (more * (more + 1)) / 2;
    }
    if (batch.length > 0) lastArrivalMs = batch.arrivedAtMs[batch.length - 1]!;
    requests += batch.length;
    const pause = onBatch?.(requests, lastArrivalMs);
    if (pause !== undefined) await pause;
  }
  const groups: { model: ModelId; regions: Set<string>; cells: (readonly [Sums, Sums])[] }[] = [];
  for (const { model, list, tiers } of cells.values()) {
    const hosting = hosts.get(model)!;
    const allowed =
      list === -1
        ? hosting
        : dictionaries.regionLists[list]!.map((r) => dictionaries.regions[r]!).filter((r) => hosting.includes(r));
    if (allowed.length === 0) continue;
    const one = { model, regions: new Set(allowed), cells: [tiers] };
    for (const other of groups.filter((g) => g.model === model && allowed.some((r) => g.regions.has(r)))) {
      groups.splice(groups.indexOf(other), 1);
      for (const region of other.regions) one.regions.add(region);
      one.cells.push(...other.cells);
    }
    groups.push(one);
  }
  const windows = Math.floor(lastArrivalMs / windowMs) + 1;
  const work = groups.map(({ model, regions, cells: own }) => ({
    model,
    regions: [...regions].sort(),
    windows: Array.from({ length: windows }, (_, w) => ({
      interactive: workOf(
        own.map(([interactive]) => interactive),
        w,
      ),
      deferrable: workOf(
        own.map(([, deferrable]) => deferrable),
        w,
      ),
    })),
  }));
  return { work, lastArrivalMs };
}

function workOf(columns: readonly Sums[], w: number): Work {
  const total = (of: (one: Sums) => number[]): number => columns.reduce((sum, one) => sum + (of(one)[w] ?? 0), 0);
  return {
    promptTokens: total(({ prompt }) => prompt),
    decodes: total(({ decodes }) => decodes),
    contextTokens: total(({ context }) => context),
  };
}
