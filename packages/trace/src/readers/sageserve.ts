import { WORKLOAD_TIERS } from '@sageserve/core';
import { parseDecimal, parseWhole } from '../bytes-to-values.js';
import { tierOf } from '../mapping.js';
import type { RowSink } from '../row-sink.js';
import { type CsvFormat, fieldText, locate } from './csv.js';

/**
 * Columns of our own schema, in the order in which they are written. Only the first three are
 * required.
 */
export const TRACE_COLUMNS = [
  'arrived_at_s',
  'prompt_tokens',
  'output_tokens',
  'request_id',
  'origin_region',
  'model',
  'tier',
  'deadline_s',
  'allowed_regions',
  'tenant',
  'application',
  'priority',
] as const;
export const REQUIRED_COLUMNS = TRACE_COLUMNS.slice(0, 3);
const COLUMNS = { arrival: 'arrived_at_s', prompt: 'prompt_tokens', output: 'output_tokens' } as const;

/**
 * Our own schema as CSV: times in seconds after the start of the trace, `allowed_regions` in order
 * of preference with `|` between.
 */
export function sageserveFormat(file: string): CsvFormat {
  return {
    open(header, sink) {
      const [time, prompt, output, id, region, model, tier, deadline, allowed, tenant, application, priority] = locate(
        file,
        header,
        TRACE_COLUMNS,
        REQUIRED_COLUMNS,
      );
      const row = sink.row;
      const tierIds = new Map<string, number>();
      const lists = new Map<string, number>();
      return (fields) => {
        const { bytes, start, end } = fields;
        const has = (column: number): boolean => column !== -1 && end[column] > start[column];
        row.arrivedAtMs = parseDecimal(bytes, start[time], end[time]) * 1_000;
        row.promptTokens = parseWhole(bytes, start[prompt], end[prompt]);
        row.outputTokens = parseWhole(bytes, start[output], end[output]);
        row.requestId = has(id) ? parseWhole(bytes, start[id], end[id]) : sink.accepted;
        if (row.requestId === -1) return sink.fail('request_id', 'is not a whole number');
        row.originRegion = has(region) ? sink.regions.intern(bytes, start[region], end[region]) : -1;
        row.model = has(model) ? sink.models.intern(bytes, start[model], end[model]) : -1;
        row.tier = -1;
        if (has(tier)) {
          row.tier = tierFromBytes(bytes, start[tier], end[tier]);
          if (row.tier === -1) {
            const text = fieldText(fields, tier);
            row.tier = tierIds.get(text) ?? tierOf(text);
            tierIds.set(text, row.tier);
            if (row.tier === -1) return sink.fail('tier', unknownTier(text));
          }
        }
        row.deadlineAtMs = has(deadline) ? parseDecimal(bytes, start[deadline], end[deadline]) * 1_000 : NaN;
        if (has(deadline) && !(row.deadlineAtMs === row.deadlineAtMs))
          return sink.fail('deadline_s', 'is not a number of seconds');
        row.regionList = -1;
        if (has(allowed)) {
          const text = fieldText(fields, allowed);
          let list = lists.get(text);
          if (list === undefined) {
            list = regionListOf(text.split('|'), sink);
            if (list === -1)
              return sink.fail('allowed_regions', `"${text}" is not a list of different regions such as eastus|westus`);
            lists.set(text, list);
          }
          row.regionList = list;
        }
        row.tenant = has(tenant) ? sink.tenants.intern(bytes, start[tenant], end[tenant]) : -1;
        row.application = has(application) ? sink.applications.intern(bytes, start[application], end[application]) : -1;
        row.priority = has(priority) ? parseDecimal(bytes, start[priority], end[priority]) : 0;
        if (!Number.isInteger(row.priority)) return sink.fail('priority', 'is not a whole number');
        sink.accept(COLUMNS);
      };
    },
  };
}

/**
 * The three canonical names differ in length: 16, 18 and 15 bytes. A wrong spelling of the same
 * length is told apart by its first and last byte.
 */
function tierFromBytes(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 16 && bytes[start] === 105 && bytes[start + 12] === 102 && bytes[end - 1] === 116) return 0;
  if (length === 18 && bytes[start] === 105 && bytes[start + 12] === 110 && bytes[end - 1] === 108) return 1;
  if (length === 15 && bytes[start] === 110 && bytes[start + 4] === 105 && bytes[end - 1] === 101) return 2;
  return -1;
}

export function unknownTier(text: string): string {
  return `"${text}" is not a tier; known: ${WORKLOAD_TIERS.join(', ')}`;
}

/** Number of a list of region names, −1 where one is empty or stands twice. */
export function regionListOf(names: readonly string[], sink: RowSink): number {
  const trimmed = names.map((name) => name.trim());
  if (trimmed.length === 0 || trimmed.includes('') || new Set(trimmed).size !== trimmed.length) return -1;
  return sink.regionList(trimmed.map((name) => sink.regions.internText(name)));
}
