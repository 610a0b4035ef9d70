import { parseTimestampMs, parseWhole } from '../bytes-to-values.js';
import { mayBeStart } from '../row-sink.js';
import { type CsvFormat, locate } from './csv.js';

const COLUMNS = { arrival: 'TIMESTAMP', prompt: 'ContextTokens', output: 'GeneratedTokens' } as const;

/**
 * Azure's public inference traces: LLM 2023 and 2024 (`TIMESTAMP,ContextTokens,GeneratedTokens`)
 * and LMM 2025, which adds a count of images beside the same columns (image tokens are part of its
 * context tokens). No region, model or tier: give them by a mapping. The first row is the start of
 * the trace.
 */
export function azureFormat(file: string): CsvFormat {
  return {
    open(header, sink, start) {
      const [time, prompt, output] = locate(
        file,
        header,
        [COLUMNS.arrival, COLUMNS.prompt, COLUMNS.output],
        [COLUMNS.arrival, COLUMNS.prompt, COLUMNS.output],
      );
      const row = sink.row;
      let originMs = 0;
      let firstMs: number | undefined;
      return ({ bytes, start: from, end: to }) => {
        let atMs = parseTimestampMs(bytes, from[time], to[time], originMs);
        if (!(atMs === atMs)) return sink.fail(COLUMNS.arrival, 'is not a timestamp such as 2023-11-16 18:15:46.680');
        if (firstMs === undefined) {
          if (!mayBeStart(atMs)) return sink.fail(COLUMNS.arrival, 'is not a time between 1900 and 2200');
          originMs = Math.floor(atMs / 1_000) * 1_000;
          atMs = firstMs = parseTimestampMs(bytes, from[time], to[time], originMs);
          start.epochMs = originMs + firstMs;
        }
        row.requestId = sink.accepted;
        row.arrivedAtMs = atMs - firstMs;
        row.promptTokens = parseWhole(bytes, from[prompt], to[prompt]);
        row.outputTokens = parseWhole(bytes, from[output], to[output]);
        sink.accept(COLUMNS);
      };
    },
  };
}
