export { ARTIFACT_TABLES, type ArtifactTable, createArtifactPerformanceModel } from './artifact.js';
export {
  buildFleet,
  type BuildFleetOptions,
  buildFleetSpec,
  type BuiltFleet,
  createForecaster,
  createOptimizer,
  type FleetPolicies,
} from './build-fleet.js';
export { type Catalogue, createPolicy, DEFAULT_CATALOGUE, type PolicyChoice } from './catalogue.js';
export { parseDurationMs } from './duration.js';
export type { Factory, FactoryContext, Strategy, StrategyPlanning } from './factory.js';
export { duration, filePath, MOST_TOKENS, plainName, positiveDuration, share, tokens } from './fields.js';
export { fleetProblem, type PlanningView } from './fleet-problem.js';
export {
  type Fleet,
  fleetFields,
  type FleetInput,
  fleetJsonSchema,
  modelFields,
  modelsOf,
  regionFields,
  regionsOf,
} from './fleet-schema.js';
export { createLivePlanners, type LivePlanners } from './live-planners.js';
export { deploymentKey, type MeasuredCapacities, type MeasuredCapacity } from './measured-capacity.js';
export { measuringPolicies } from './measuring-policies.js';
export { heldInstances, type PlacementInput, placementProblem, type PlannedFleet } from './placement-problem.js';
export type { PolicyOptions } from './policy-options.js';
export { leftBehind, leftovers, loadPluginFiles, loadPlugins, type Plugin, tellOnce } from './plugins.js';
export {
  checkDocument,
  located,
  readDocument,
  type ReadDocumentOptions,
  type UnknownFieldHint,
} from './read-document.js';
export { readFailure } from './read-failure.js';
export { parseFleet, readFleet } from './read-fleet.js';
