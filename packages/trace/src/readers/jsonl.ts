import { wholeLines } from '../byte-source.js';
import { tierOf } from '../mapping.js';
import type { BatchColumns } from '../request-batch.js';
import { NO_START, type RowSink, startTimeMs } from '../row-sink.js';
import { TOO_LONG } from './csv.js';
import { regionListOf, unknownTier } from './sageserve.js';

/** What a JSON Lines format does with one object. */
export type JsonRowReader = (
  record: Readonly<Record<string, unknown>>,
  sink: RowSink,
  start: { epochMs: number | undefined },
) => void;

const decoder = new TextDecoder();

/** Objects of a JSON Lines file, one on a line, into batches. */
export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array>,
  reader: JsonRowReader,
  sink: RowSink,
  start: { epochMs: number | undefined },
): AsyncGenerator<BatchColumns> {
  const tooLong = (): void => {
    sink.line++;
    sink.fail(undefined, TOO_LONG);
  };
  for await (const bytes of wholeLines(chunks, tooLong)) {
    let p = 0;
    let gave = false;
    while (p < bytes.length) {
      let stop = bytes.indexOf(10, p);
      if (stop === -1) stop = bytes.length;
      sink.line++;
      const text = decoder.decode(bytes.subarray(p, stop)).trim();
      p = stop + 1;
      if (text === '') continue;
      let record: unknown;
      try {
        record = JSON.parse(text);
      } catch (error) {
        sink.fail(undefined, `is not JSON: ${(error as Error).message}`);
        continue;
      }
      if (typeof record !== 'object' || record === null || Array.isArray(record))
        sink.fail(undefined, 'is not a JSON object');
      else reader(record as Record<string, unknown>, sink, start);
      if (sink.full) {
        yield sink.batch;
        sink.clear();
        gave = true;
      }
    }
    if (!gave && sink.batch.length === 0) yield sink.batch;
  }
  if (sink.batch.length > 0) yield sink.batch;
}

const MOONCAKE = { arrival: 'timestamp', prompt: 'input_length', output: 'output_length' } as const;

/**
 * Mooncake (FAST '25): `timestamp` in milliseconds, `input_length`, `output_length`, `hash_ids`
 * (blocks of 512 prompt tokens; not used here).
 */
export const mooncakeRow: JsonRowReader = (record, sink) => {
  const { row } = sink;
  row.requestId = sink.accepted;
  row.arrivedAtMs = number(record['timestamp']);
  row.promptTokens = whole(record['input_length']);
  row.outputTokens = whole(record['output_length']);
  sink.accept(MOONCAKE);
};

const SAGESERVE = { arrival: 'arrived_at_s', prompt: 'prompt_tokens', output: 'output_tokens' } as const;

/**
 * A row of our own schema, as it was read: anything may stand in a field. Named one by one, since a
 * look-up by a name that varies costs more than the rest of a row.
 */
export interface SageserveRecord {
  start?: unknown;
  arrived_at_s?: unknown;
  prompt_tokens?: unknown;
  output_tokens?: unknown;
  request_id?: unknown;
  origin_region?: unknown;
  model?: unknown;
  tier?: unknown;
  deadline_s?: unknown;
  allowed_regions?: unknown;
  tenant?: unknown;
  application?: unknown;
  priority?: unknown;
}

/**
 * Our own schema: the columns of the CSV as fields, `allowed_regions` as an array. The first record
 * may carry `start`, the trace's epoch as ISO 8601.
 */
export function sageserveRow(record: SageserveRecord, sink: RowSink, start: { epochMs: number | undefined }): void {
  const { row } = sink;
  if (typeof record.start === 'string' && sink.accepted === 0) {
    const epochMs = startTimeMs(record.start);
    if (epochMs === undefined) return sink.fail('start', NO_START);
    start.epochMs = epochMs;
  }
  const region = record.origin_region ?? undefined;
  const model = record.model ?? undefined;
  const tier = record.tier ?? undefined;
  const tenant = record.tenant ?? undefined;
  const application = record.application ?? undefined;
  const deadline = record.deadline_s ?? undefined;
  const allowed = record.allowed_regions ?? undefined;
  const priority = record.priority ?? undefined;
  if (!isText(region)) return sink.fail('origin_region', NO_TEXT);
  if (!isText(model)) return sink.fail('model', NO_TEXT);
  if (!isText(tier)) return sink.fail('tier', NO_TEXT);
  if (!isText(tenant)) return sink.fail('tenant', NO_TEXT);
  if (!isText(application)) return sink.fail('application', NO_TEXT);
  row.arrivedAtMs = number(record.arrived_at_s) * 1_000;
  row.promptTokens = whole(record.prompt_tokens);
  row.outputTokens = whole(record.output_tokens);
  row.requestId = record.request_id === undefined ? sink.accepted : whole(record.request_id);
  if (row.requestId === -1) return sink.fail('request_id', 'is not a whole number');
  row.originRegion = region === undefined ? -1 : sink.regions.internText(region);
  row.model = model === undefined ? -1 : sink.models.internText(model);
  row.tier = tier === undefined ? -1 : tierOf(tier);
  if (tier !== undefined && row.tier === -1) return sink.fail('tier', unknownTier(tier));
  row.deadlineAtMs = deadline === undefined ? NaN : number(deadline) * 1_000;
  if (deadline !== undefined && !(row.deadlineAtMs === row.deadlineAtMs))
    return sink.fail('deadline_s', 'is not a number of seconds');
  row.regionList = -1;
  if (allowed !== undefined) {
    row.regionList =
      Array.isArray(allowed) && allowed.every((name) => typeof name === 'string') ? regionListOf(allowed, sink) : -1;
    if (row.regionList === -1) return sink.fail('allowed_regions', 'is not an array of different region names');
  }
  row.tenant = tenant === undefined ? -1 : sink.tenants.internText(tenant);
  row.application = application === undefined ? -1 : sink.applications.internText(application);
  row.priority = priority === undefined ? 0 : number(priority);
  if (!Number.isInteger(row.priority)) return sink.fail('priority', 'is not a whole number');
  sink.accept(SAGESERVE);
}

const NO_TEXT = 'is not a string';

function isText(value: unknown): value is string | undefined {
  return typeof value === 'string' || value === undefined;
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : NaN;
}

function whole(value: unknown): number {
  const n = number(value);
  return Number.isSafeInteger(n) && n >= 0 ? n : -1;
}
