export { ACQUISITION_WAYS, type AcquisitionWay, type CapacityReport, capacityReport, type HeldTime } from './capacity.js';
export { DEFAULT_RELATIVE_ACCURACY, LatencySketch, type LatencySummary } from './latency-sketch.js';
export { RequestMetrics, type RequestMetricsOptions, type RequestReport } from './request-metrics.js';
export { StepIntegrals } from './step-integrals.js';
