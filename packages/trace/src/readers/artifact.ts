import { parseDecimal, parseWhole } from '../bytes-to-values.js';
import { type CsvFormat, fieldText, locate } from './csv.js';

const COLUMNS = { arrival: 'arrival_timestamp', prompt: 'prompt_size', output: 'token_size' } as const;

/** Regions by the digit that the artifact writes for them. */
export const ARTIFACT_REGIONS = ['westus', 'centralus', 'eastus'] as const;

/**
 * The CSV of the paper's artifact. `regions` is an order of preference written in digits (`120`),
 * the first being the origin; it becomes the request's list of regions. `workload_type` `prod` is
 * interactive and `dev` non-interactive.
 */
export function artifactFormat(file: string): CsvFormat {
  return {
    open(header, sink) {
      const required = [
        'request_id',
        'regions',
        'model_type',
        'workload_type',
        COLUMNS.arrival,
        COLUMNS.prompt,
        COLUMNS.output,
      ];
      const [id, regions, model, workload, time, prompt, output, tenant, application] = locate(
        file,
        header,
        [...required, 'client_tenant', 'application_id'],
        required,
      );
      const row = sink.row;
      const regionIds = ARTIFACT_REGIONS.map((name) => sink.regions.internText(name));
      const lists = new Map<number, number>();
      return (fields) => {
        const { bytes, start, end } = fields;
        // Three digits at most are right: as one number with a leading 1, no two spellings of up to
        // five bytes are alike.
        let key = 1;
        for (let p = start[regions]; p < end[regions]; p++) key = key * 256 + bytes[p];
        let list = end[regions] - start[regions] <= 5 ? lists.get(key) : undefined;
        if (list === undefined) {
          const digits = fieldText(fields, regions).match(/./gu) ?? [];
          if (
            digits.length === 0 ||
            digits.some((d) => !(Number(d) < ARTIFACT_REGIONS.length)) ||
            new Set(digits).size !== digits.length
          ) {
            return sink.fail('regions', `"${digits.join('')}" is not an order of preference such as 120`);
          }
          list = sink.regionList(digits.map((d) => regionIds[Number(d)]));
          lists.set(key, list);
        }
        const kind = bytes[start[workload]];
        const interactive = kind === 112 && end[workload] - start[workload] === 4;
        if (!interactive && fieldText(fields, workload) !== 'dev')
          return sink.fail('workload_type', `"${fieldText(fields, workload)}" is neither prod nor dev`);
        row.requestId = parseWhole(bytes, start[id], end[id]);
        if (row.requestId === -1) return sink.fail('request_id', 'is not a whole number');
        row.arrivedAtMs = parseDecimal(bytes, start[time], end[time]) * 1_000;
        row.promptTokens = parseWhole(bytes, start[prompt], end[prompt]);
        row.outputTokens = parseWhole(bytes, start[output], end[output]);
        row.model = sink.models.intern(bytes, start[model], end[model]);
        row.tier = interactive ? 0 : 2;
        row.regionList = list;
        row.originRegion = sink.dictionaries.regionLists[list][0];
        row.tenant = tenant === -1 ? -1 : sink.tenants.intern(bytes, start[tenant], end[tenant]);
        row.application =
          application === -1 ? -1 : sink.applications.intern(bytes, start[application], end[application]);
        sink.accept(COLUMNS);
      };
    },
  };
}
