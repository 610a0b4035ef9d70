export {
  ACQUISITION_WAYS,
  type AcquisitionWay,
  type CapacityReport,
  capacityReport,
  type HeldTime,
} from './capacity.js';
export { type DemandLoss, DemandRecorder, type DemandRecorderOptions } from './demand-recorder.js';
export { LatencySketch, type LatencySummary, RELATIVE_ACCURACY } from './latency-sketch.js';
export { RequestMetrics, type RequestMetricsOptions, type RequestReport } from './request-metrics.js';
export { StepIntegrals } from './step-integrals.js';
