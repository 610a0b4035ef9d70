import { parseDecimal, parseWhole } from '../bytes-to-values.js';
import { type CsvFormat, locate } from './csv.js';

const COLUMNS = { arrival: 'Timestamp', prompt: 'Request tokens', output: 'Response tokens' } as const;

/**
 * BurstGPT (arXiv 2401.17644): seconds from the start of the trace, model, request and response
 * tokens, and the kind of log, which is kept as the application. Requests that failed have 0
 * response tokens and are bad rows: the files without failures hold none.
 */
export function burstGptFormat(file: string): CsvFormat {
  return {
    open(header, sink) {
      const required = [COLUMNS.arrival, 'Model', COLUMNS.prompt, COLUMNS.output];
      const [time, model, prompt, output, kind] = locate(file, header, [...required, 'Log Type'], required);
      const row = sink.row;
      return ({ bytes, start, end }) => {
        row.requestId = sink.accepted;
        row.arrivedAtMs = parseDecimal(bytes, start[time], end[time]) * 1_000;
        row.promptTokens = parseWhole(bytes, start[prompt], end[prompt]);
        row.outputTokens = parseWhole(bytes, start[output], end[output]);
        row.model = start[model] === end[model] ? -1 : sink.models.intern(bytes, start[model], end[model]);
        row.application =
          kind === -1 || start[kind] === end[kind] ? -1 : sink.applications.intern(bytes, start[kind], end[kind]);
        sink.accept(COLUMNS);
      };
    },
  };
}
