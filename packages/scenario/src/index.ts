export { type LowerBound, lowerBound, type LowerBoundOptions, type ModelBound } from './bound/lower-bound.js';
export { buildSimulation, buildTraffic } from './build.js';
export { demandCsv, type DemandTable, quoted, readDemandCsv } from './demand/demand-csv.js';
export { demandOfTrace, type TraceDemand, type TraceDemandOptions } from './demand/demand-of-trace.js';
export { sideBySide } from './demand/side-by-side.js';
export { csvRows, readWhole } from './input-file.js';
export { locatedIn, parseScenario, readScenario } from './parse.js';
export { createForesightForecaster } from './prepare/foresight.js';
export { measureCapacity, scenarioMix } from './prepare/measure-capacity.js';
export { PreparationCache } from './prepare/preparation-cache.js';
export {
  demandAround,
  needsCapacity,
  needsForesight,
  needsPlanning,
  type OnReading,
  type PreparedRun,
  type PrepareOptions,
  prepareRun,
  type RunDemand,
  runTraffic,
} from './prepare/prepare-run.js';
export { preset, PRESET_NAMES } from './presets/presets.js';
export { isPipe, refusePipe } from './refuse-pipe.js';
export { replaying, type Scenario, type ScenarioInput, scenarioJsonSchema } from './schema.js';
