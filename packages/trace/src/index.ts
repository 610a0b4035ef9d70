export { BatchRing } from './batch-ring.js';
export { readBytes } from './byte-source.js';
export { characterize, type TokenSummary, type TraceSummary, type TrafficSummary } from './characterize.js';
export {
  AZURE_2024_OUTPUT_TOKENS,
  AZURE_2024_PROMPT_TOKENS,
  type ClientShape,
  HOUR_OF_WEEK_SHAPE,
  SERVEGEN_CLIENTS,
  SERVEGEN_RATE_NOISE,
} from './generators/calibration.js';
export { generateO365Trace } from './generators/o365.js';
export {
  type BurstShape,
  DEFAULT_TIER_SHARES,
  type GeneratedModel,
  type GeneratedRegion,
  type O365TraceOptions,
} from './generators/o365-options.js';
export { type Quantiles } from './generators/quantile-sampler.js';
export { cutTrace, sortTrace, traceFrom, traceFromRequests, type TraceRequest } from './in-memory.js';
export { type Shares, type TraceMapping, UNSPECIFIED } from './mapping.js';
export { openTrace, type OpenTraceOptions, TRACE_FORMATS, type TraceFormat } from './open-trace.js';
export { ARTIFACT_REGIONS } from './readers/artifact.js';
export { TRACE_COLUMNS } from './readers/sageserve.js';
export { type RequestBatch, type TraceDictionaries, type TraceStream } from './request-batch.js';
export { type ReadOptions, type SkippedRows } from './row-sink.js';
export {
  type ParquetColumn,
  type ParquetColumnType,
  ParquetTable,
  type ParquetTableOptions,
} from './writers/parquet-table.js';
export { makeBeside } from './writers/beside.js';
export { replaceFile, type ReplaceOptions, replaceWith } from './writers/replace-file.js';
export { cantWrite, leadsNowhere, writeTarget } from './writers/write-failure.js';
export { toRecord, writeTrace, type WriteTraceOptions } from './writers/write-trace.js';
