import {
  BATCH_CAPACITY,
  BatchColumns,
  createDictionaries,
  type RequestBatch,
  type TraceDictionaries,
  type TraceStream,
} from './request-batch.js';
import { MS_PER_DAY, SageServeError, WORKLOAD_TIERS, type WorkloadTier } from '@sageserve/core';
import { MOST_GAP_MS } from './row-sink.js';

/** One request as a plain object: for tests, examples and small traces. */
export interface TraceRequest {
  readonly requestId?: number;
  readonly arrivedAtMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly originRegion: string;
  readonly model: string;
  readonly tier?: WorkloadTier;
  readonly deadlineAtMs?: number;
  readonly allowedRegions?: readonly string[];
}

/** A trace from objects, which must be in order of arrival. */
export function traceFromRequests(requests: readonly TraceRequest[]): TraceStream {
  const dictionaries = createDictionaries();
  const lists = new Map<string, number>();
  const intern = (names: string[], name: string): number => {
    const known = names.indexOf(name);
    return known === -1 ? names.push(name) - 1 : known;
  };
  return {
    dictionaries,
    startEpochMs: undefined,
    async *batches() {
      for (let from = 0; from < requests.length; from += BATCH_CAPACITY) {
        const part = requests.slice(from, from + BATCH_CAPACITY);
        const batch = new BatchColumns(part.length);
        for (const [i, request] of part.entries()) {
          batch.requestId[i] = request.requestId ?? from + i;
          batch.arrivedAtMs[i] = request.arrivedAtMs;
          batch.deadlineAtMs[i] = request.deadlineAtMs ?? NaN;
          batch.originRegion[i] = intern(dictionaries.regions, request.originRegion);
          batch.model[i] = intern(dictionaries.models, request.model);
          batch.tier[i] = WORKLOAD_TIERS.indexOf(request.tier ?? 'interactive-fast');
          batch.promptTokens[i] = request.promptTokens;
          batch.outputTokens[i] = request.outputTokens;
          if (request.allowedRegions !== undefined) {
            const list = request.allowedRegions.map((name) => intern(dictionaries.regions, name));
            const key = list.join();
            const known = lists.get(key) ?? dictionaries.regionLists.push(list) - 1;
            lists.set(key, known);
            batch.regionList[i] = known;
          }
        }
        batch.length = part.length;
        yield batch;
      }
    },
  };
}

/**
 * A gap as whoever reads the trace refuses it: which row is wrong is not known once they are in
 * order.
 */
function refuseGap(lastMs: number, atMs: number): void {
  if (atMs > lastMs + MOST_GAP_MS)
    throw new SageServeError(
      'ERR_TRACE_FORMAT',
      `in order, a request comes ${((atMs - lastMs) / MS_PER_DAY).toFixed(0)} days after the one before it: more ` +
        'than a year without one is taken for a wrong time',
      {
        hint: 'Times count from the start of the trace, in seconds.',
      },
    );
}

/**
 * The same trace in order of arrival, ties in their old order. Holds the whole trace in memory,
 * about 80 bytes a request. Throws `SageServeError` (ERR_TRACE_FORMAT) for more than a year without
 * a request.
 */
export async function sortTrace(trace: TraceStream): Promise<TraceStream> {
  const all: RequestBatch[] = [];
  let size = 0;
  for await (const batch of trace.batches()) {
    if (batch.length === 0) continue;
    all.push(copyOf(batch));
    size += batch.length;
  }
  const batchOf = new Uint32Array(size);
  const indexOf = new Uint32Array(size);
  const order = new Uint32Array(size);
  let n = 0;
  for (const [b, batch] of all.entries()) {
    for (let i = 0; i < batch.length; i++) {
      batchOf[n] = b;
      indexOf[n] = i;
      order[n] = n;
      n++;
    }
  }
  const at = (k: number): number => all[batchOf[k]].arrivedAtMs[indexOf[k]];
  order.sort((a, b) => at(a) - at(b) || a - b);
  const firstMs = size === 0 ? 0 : Math.min(0, at(order[0]));
  let lastMs = 0;
  for (let k = 0; k < size; k++) {
    const atMs = at(order[k]) - firstMs;
    refuseGap(lastMs, atMs);
    lastMs = atMs;
  }
  const dictionaries: TraceDictionaries = trace.dictionaries;
  return {
    dictionaries,
    startEpochMs: trace.startEpochMs === undefined ? undefined : trace.startEpochMs + firstMs,
    async *batches() {
      for (let from = 0; from < size; from += BATCH_CAPACITY) {
        const batch = new BatchColumns(Math.min(BATCH_CAPACITY, size - from));
        for (let i = 0; i < batch.capacity; i++) {
          const source = all[batchOf[order[from + i]]];
          const k = indexOf[order[from + i]];
          batch.requestId[i] = source.requestId[k];
          batch.arrivedAtMs[i] = source.arrivedAtMs[k] - firstMs;
          batch.deadlineAtMs[i] = source.deadlineAtMs[k] - firstMs;
          batch.originRegion[i] = source.originRegion[k];
          batch.model[i] = source.model[k];
          batch.tier[i] = source.tier[k];
          batch.promptTokens[i] = source.promptTokens[k];
          batch.outputTokens[i] = source.outputTokens[k];
          batch.regionList[i] = source.regionList[k];
          batch.tenant[i] = source.tenant[k];
          batch.application[i] = source.application[k];
          batch.priority[i] = source.priority[k];
        }
        batch.length = batch.capacity;
        yield batch;
      }
    },
  };
}

/** The part of a trace that arrives before `durationMs`. */
export function cutTrace(trace: TraceStream, durationMs: number): TraceStream {
  return {
    dictionaries: trace.dictionaries,
    get startEpochMs() {
      return trace.startEpochMs;
    },
    get progress() {
      return trace.progress;
    },
    async *batches() {
      for await (const batch of trace.batches()) {
        if (batch.length > 0 && batch.arrivedAtMs[batch.length - 1] >= durationMs) {
          let length = 0;
          while (batch.arrivedAtMs[length] < durationMs) length++;
          yield shortened(batch, length);
          return;
        }
        yield batch;
      }
    },
  };
}

/** The part of a trace that arrives at `fromMs` or later, its time counted from there. */
export function traceFrom(trace: TraceStream, fromMs: number): TraceStream {
  return {
    dictionaries: trace.dictionaries,
    get startEpochMs() {
      return trace.startEpochMs === undefined ? undefined : trace.startEpochMs + fromMs;
    },
    get progress() {
      return trace.progress;
    },
    async *batches() {
      const later = new BatchColumns(BATCH_CAPACITY);
      for await (const batch of trace.batches()) {
        let from = 0;
        while (from < batch.length && batch.arrivedAtMs[from] < fromMs) from++;
        if (from === batch.length) {
          later.length = 0;
          yield later;
        }
        for (; from < batch.length; from += later.length) {
          later.length = Math.min(BATCH_CAPACITY, batch.length - from);
          for (const name of COLUMNS) later[name].set(batch[name].subarray(from, from + later.length));
          for (let i = 0; i < later.length; i++) {
            later.arrivedAtMs[i] -= fromMs;
            later.deadlineAtMs[i] -= fromMs;
          }
          yield later;
        }
      }
    },
  };
}

/** The first `length` requests of a batch; the columns are shared. */
export function shortened(batch: RequestBatch, length: number): RequestBatch {
  return Object.create(batch, { length: { value: length } }) as RequestBatch;
}

const COLUMNS = [
  'requestId',
  'arrivedAtMs',
  'deadlineAtMs',
  'originRegion',
  'model',
  'tier',
  'promptTokens',
  'outputTokens',
  'regionList',
  'tenant',
  'application',
  'priority',
] as const;

/** A batch that outlives the next one. */
function copyOf(batch: RequestBatch): RequestBatch {
  const copy = new BatchColumns(batch.length);
  for (const name of COLUMNS) {
    copy[name].set(batch[name].subarray(0, batch.length));
  }
  copy.length = batch.length;
  return copy;
}
