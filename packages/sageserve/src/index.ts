export { ARTIFACT_TABLES, type ArtifactTable, createArtifactPerformanceModel } from './fleet/artifact.js';
export {
  type Catalogue,
  createPolicy,
  DEFAULT_CATALOGUE,
  type Factory,
  type FactoryContext,
  type PolicyChoice,
  type PolicyOptions,
  type Strategy,
  type StrategyPlanning,
} from './fleet/catalogue.js';
export { type Comparison, type ComparisonRow, compareRuns } from './compare/comparison-rows.js';
export {
  type ComparedRun,
  type ComparisonOptions,
  compareStrategies,
  strategyLabels,
} from './compare/run-comparison.js';
export { type RunRecord } from './compare/run-record.js';
export { type Estimate, estimate } from './compare/statistics.js';
export { demandCsv, type DemandTable, readDemandCsv } from './demand/demand-csv.js';
export { demandOfTrace, type TraceDemand, type TraceDemandOptions } from './demand/demand-of-trace.js';
export { heldInstances, meanMix, type PlacementInput, placementProblem } from './fleet/placement-problem.js';
export { type MeasuredCapacities, type MeasuredCapacity } from './fleet/measured-capacity.js';
export { measureCapacity } from './control/measure-capacity.js';
export {
  demandAround,
  needsForesight,
  type OnReading,
  type PreparedRun,
  type PrepareOptions,
  prepareRun,
  type RunDemand,
  runTraffic,
} from './control/prepare-run.js';
export { preset, PRESET_NAMES } from './presets/presets.js';
export { buildSimulation, buildTraffic } from './scenario/build.js';
export { parseScenario, readScenario } from './scenario/parse.js';
export { loadPlugins, type Plugin } from './fleet/plugins.js';
export {
  analyseSweep,
  type AttainmentTargets,
  type MainEffect,
  type SweepAnalysis,
  type SweepSetting,
} from './sweep/analysis.js';
export { readSweep, type Sweep, type SweepRun, type SweepTask } from './sweep/definition.js';
export { type ParameterValue, withParameters } from './sweep/parameters.js';
export { runSweepTask, type SweepMeasures, type TaskOptions } from './sweep/run-task.js';
export { type FinishedRun } from './sweep/sweep-folder.js';
export { PreparationCache } from './control/preparation-cache.js';
export { parseDurationMs } from './fleet/duration.js';
export { type Scenario, type ScenarioInput, scenarioJsonSchema } from './scenario/schema.js';
export * from '@sageserve/controller';
export * from '@sageserve/core';
export * from '@sageserve/forecast';
export * from '@sageserve/metrics';
export * from '@sageserve/optimize';
export * from '@sageserve/perf';
export * from '@sageserve/routing';
export * from '@sageserve/scaling';
export * from '@sageserve/sim';
export * from '@sageserve/trace';
