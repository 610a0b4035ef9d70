export { DEFAULT_ACQUISITION, type EndpointSpec, type FleetSpec, type SkuSpec } from '@sageserve/core';
export { type ControlPorts, type SimulationConfig, type SimulationPolicies } from './config.js';
export { type FleetActions } from './fleet-actions.js';
export { type Incident } from './incidents.js';
export {
  DEFAULT_ENGINE,
  ENGINE_NAMES,
  ENGINES,
  type EngineChoice,
  type EngineName,
  type EngineOptions,
  maxBatchTokensOf,
  resolveEngine,
} from './engine-options.js';
export { type LeftWork } from './left-work.js';
export { type RequestTable } from './request-table.js';
export {
  type Bill,
  type EndpointReport,
  type EndpointSample,
  type GroupReport,
  type ModelReport,
  type RequestOutcome,
  type SimulationObserver,
  type SimulationProgress,
  type SimulationResult,
} from './results.js';
export { simulate, type SimulateOptions } from './simulation.js';
export { type TelemetryLag } from './telemetry-lag.js';
